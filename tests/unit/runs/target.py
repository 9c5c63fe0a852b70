"""A disk with persistent reservations for the fake machines: sg_persist's words, answers and exit statuses.

What it says is what a LIO target said to sg_persist 0.67 (tests/unit/facts/reservation/cases). Each machine is one
path, or several where `paths` says so. Who lost its key hears a unit attention first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tanist.model.host import Ran
from tests.unit.runs.world import DEVICE, Node, World, said

KIND = "Write Exclusive, registrants only"
NOT_KNOWN = b"sg_persist failed: Illegal request, Invalid opcode\n"
REFUSED = b"PR out: Reservation conflict\nsg_persist failed: Reservation conflict\n"


@dataclass
class Target:
    """`keys`: by (node, path). `hangs`, `unsupported`: words of sg_persist that do not end, or that it lacks."""

    keys: dict[tuple[str, str], int] = field(default_factory=dict)
    holder: tuple[str, str] | None = None
    kind: str = KIND
    attention: set[str] = field(default_factory=set)
    hangs: set[str] = field(default_factory=set)
    unsupported: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)  # "NODE WORD", those that change something
    answers_late: float = 0.0

    def fit(self, world: World, device: str = DEVICE) -> None:
        for node in world.nodes.values():
            place = node.files.place(device)
            node.files.make_directory("/dev")
            open(place, "ab").close()
            self.attach(node)

    def attach(self, node: Node) -> None:
        node.answer_with(["sg_persist"], lambda argv, stdin: self.reply(node, argv))

    def may_write(self, node: str) -> bool:
        return self.holder is None or any(name == node for name, _ in self.keys)

    def reply(self, node: Node, argv: Sequence[str]) -> Ran:
        node.clock.advance(0.05)
        path = (node.name, argv[-1])
        if node.name in self.attention:
            self.attention.discard(node.name)
            return said(argv, status=6, stderr=b"sg_persist failed: Unit attention\n")
        words = dict(word.lstrip("-").partition("=")[::2] for word in argv[1:-1])
        if "in" in words:
            return self.tell(argv, words)
        word = next(one for one in ("register-ignore", "reserve", "preempt-abort", "preempt") if one in words)
        self.asked.append(f"{node.name} {word}")
        if word in self.unsupported or ("param-aptpl" in words and "aptpl" in self.unsupported):
            return said(argv, status=5, stderr=b"sg_persist failed: Illegal request, type: sense key\n")
        with node._changing(" ".join(argv)):
            status = self.act(path, word, words)
        if word in self.hangs:
            raise TimeoutError(110, "sg_persist: no end within 10 s, killed")
        return said(argv, status=status, stderr=REFUSED if status else b"")

    def act(self, path: tuple[str, str], word: str, words: dict[str, str]) -> int:
        own, victim = int(words.get("param-rk", "0"), 16), int(words.get("param-sark", "0"), 16)
        if word == "register-ignore":
            if victim:
                self.keys[path] = victim
            else:
                self.drop([path])
            return 0
        if self.keys.get(path) != own:
            return 24
        if word == "reserve":
            if self.holder not in (None, path):
                return 24
            self.holder, self.kind = path, KIND
            return 0
        hit = [one for one, key in self.keys.items() if key == victim and one != path]
        if not hit:
            return 24
        held = self.holder in hit
        self.drop(hit)
        self.attention |= {name for name, _ in hit} - {path[0]}
        if held:
            self.holder, self.kind = path, KIND
        return 0

    def drop(self, paths: Sequence[tuple[str, str]]) -> None:
        for one in paths:
            self.keys.pop(one, None)
            if self.holder == one:
                self.holder = None

    def tell(self, argv: Sequence[str], words: dict[str, str]) -> Ran:
        if "report-capabilities" in words:
            known = "" if "reserve" in self.unsupported else f"      {KIND}: 1\n"
            return said(argv, f"Report capabilities response:\n  Type Mask Valid(TMV): 1\n{known}".encode())
        if "read-keys" in words:
            listed = "".join(f"    {key:#x}\n" for key in self.keys.values())
            count = f"{len(self.keys)} registered reservation key{'s' if len(self.keys) > 1 else ''} follow"
            none = "there are NO registered reservation keys"
            text = f"  PR generation=0x1, {count}s:\n{listed}" if self.keys else f"  PR generation=0x0, {none}\n"
            return said(argv, text.encode())
        if self.holder is None:
            return said(argv, b"  PR generation=0x1, there is NO reservation held\n")
        key = self.keys[self.holder]
        text = f"  PR generation=0x1, Reservation follows:\n    Key={key:#x}\n    scope: LU_SCOPE,  type: {self.kind}\n"
        return said(argv, text.encode())
