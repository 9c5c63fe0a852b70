"""A layer that a program of the administrator's brings up: an answer to "whose is the disk?", never believed blindly.

The contract is in docs/design/storage.md. Only `state` is asked here, which must change nothing. In: JSON on stdin.
Out: one JSON object on stdout and exit status 0; anything else is Unread.
"""

from __future__ import annotations

import json
import posixpath
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, cast, get_args

from tanist.facts.device import Place, is_block_device
from tanist.facts.kinds import Guard, Marks, read_room_of_disk
from tanist.model.dataclasses import dataclass
from tanist.model.readout import LayerState
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.layer_steps import AttachDisk
    from tanist.model.layers import ProgramLayer

FORMAT = 1
LONGEST = 65536  # bytes of an answer
SHOWN = 200  # characters of its words
LOOK = 30.0  # seconds for `state`: a cloud that is asked over the internet
Where = Literal["here", "free", "elsewhere", "unknown"]
Verb = Literal["state", "acquire", "release", "force-acquire"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    where: Where
    holder: str = ""  # who has it, in the program's words
    says: str = ""

    def describe(self, device: str) -> str:
        more = f": {self.says}" if self.says else ""
        match self.where:
            case "here":
                return f"{device} is attached to this node{more}"
            case "free":
                return f"{device} is attached to no node{more}"
            case "elsewhere":
                return f"{device} is attached to {self.holder}{more}"
            case "unknown":
                return f"nobody can tell where {device} is{more}"


def read_answer(host: Host, spec: ProgramLayer | AttachDisk) -> Answer | Unread:
    return ask_program(host, spec, "state", LOOK)


def ask_program(
    host: Host, spec: ProgramLayer | AttachDisk, verb: Verb, timeout: float, proof: str = ""
) -> Answer | Unread:
    """`proof`: for force-acquire only, what proves that the old owner is stopped."""
    if why := find_fault(host, spec.program):
        return Unread(why)
    request = {"format": FORMAT, "device": spec.device, "settings": dict(spec.settings)}
    if proof:
        request["proof"] = proof
    try:
        ran = host.run([spec.program, verb], stdin=json.dumps(request).encode(), timeout=timeout, ok=None)
    except OSError as error:
        return Unread(f"{spec.program} {verb}: {error.strerror or error}")
    if ran.status != 0:
        return Unread(f"{spec.program} {verb}: exit status {ran.status}, {_shown(ran.complaint)}")
    found = parse_answer(ran.stdout)
    return Unread(f"{spec.program} {verb}: {found.why}") if isinstance(found, Unread) else found


def parse_answer(data: bytes) -> Answer | Unread:
    if len(data) > LONGEST:
        return Unread(f"an answer of {len(data)} bytes; at most {LONGEST}")
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        return Unread(f"its answer is no JSON: {_shown(data.decode('utf-8', 'replace'))!r}")
    if not isinstance(told, dict) or told.get("state") not in get_args(Where):
        return Unread(f'its answer has no "state" out of {", ".join(get_args(Where))}')
    words = {key: told.get(key, "") for key in ("holder", "says")}
    if not all(isinstance(word, str) for word in words.values()):
        return Unread('"holder" and "says" of its answer must be texts')
    holder = _shown(words["holder"])
    if told["state"] == "elsewhere" and not holder:
        return Unread('its answer is "elsewhere" without a "holder"')
    return Answer(where=cast(Where, told["state"]), holder=holder, says=_shown(words["says"]))


def _shown(text: str) -> str:
    """Of a stranger's words: one line that a terminal takes no harm from."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())[:SHOWN]


def find_fault(host: Host, program: str) -> str:
    """Why it is not started: it would run as root, so nobody else may be able to change it, or what lies above it."""
    info = host.files.stat(program, follow=False)
    if info is None or not stat.S_ISREG(info.st_mode):
        return f"{program} is no program on this node"
    if not info.st_mode & 0o100:
        return f"{program} can't be executed: chmod 755 {program}"
    place = program
    while True:
        info = host.files.stat(place)
        if info is None or info.st_uid != 0 or info.st_mode & 0o022:
            return f"others than root may change {place}: chown root {place}; chmod go-w {place}"
        if place == "/":
            return ""
        place = posixpath.dirname(place)


def find_place(host: Host, layer: ProgramLayer, below: Place) -> Place | Unread:  # noqa: ARG001
    """The program is not asked while the device is there."""
    if is_block_device(host, layer.device):
        return Place(device=layer.device, offset=0, size=0)
    answer = read_answer(host, layer)
    return answer if isinstance(answer, Unread) else Unread(answer.describe(layer.device))


def read_marks(host: Host, layer: ProgramLayer, below: Place) -> Marks:  # noqa: ARG001
    return Marks()


def read_guards(host: Host, layer: ProgramLayer) -> Iterator[Guard]:
    """What a cloud attaches to one machine at a time is no other's; whether it does so is the program's word."""
    answer = read_answer(host, layer)
    if isinstance(answer, Unread):
        yield Guard(about=layer.device, fails=True, says=answer.why)
    else:
        yield Guard(about=layer.device, ready=answer.where != "unknown", says=answer.describe(layer.device))


def find_ends(host: Host, layer: ProgramLayer) -> dict[str, tuple[str, ...]]:  # noqa: ARG001
    return {layer.device: (layer.device,)}


read_room = read_room_of_disk


def read_states(host: Host, layer: ProgramLayer) -> Iterator[LayerState]:
    answer = read_answer(host, layer)
    if isinstance(answer, Unread):
        yield _state(layer, answer.why, f"{layer.program} state")
        return
    there = is_block_device(host, layer.device)
    if answer.where == "unknown":
        yield _state(layer, answer.describe(layer.device), f"{layer.program} state")
    elif there != (answer.where == "here"):
        lies = "there" if there else "not there"
        yield _state(layer, f"{answer.describe(layer.device)}; the device is {lies}", f"ls -l {layer.device}")
    else:
        yield _state(layer, answer.describe(layer.device))


def _state(layer: ProgramLayer, says: str, mend: str = "") -> LayerState:
    return LayerState(kind="attachment", name=layer.device, says=says, wrong=says if mend else "", mend=mend)
