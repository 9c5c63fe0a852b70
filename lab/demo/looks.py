"""The demo's looks: each asks the hosts and says what was seen; when a promise is not kept it shows the evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lab.checks import (
    Fingerprint,
    KnownHost,
    compare_owners,
    diff,
    foreign_paths,
    read_fingerprint,
    read_own_accounts,
    read_owners,
)
from lab.demo.pair import NEW, OLD, Subject
from lab.demo.promises import Finding, Promise, Verdict
from lab.demo.screen import Screen, render_seconds
from lab.lab import Lab
from lab.layout import node_spec

TAIL = 12  # lines of evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """How the pair was before anything happened."""

    other: Fingerprint  # of the standby
    accounts: Mapping[str, str]  # root's and foreign ones, on the standby
    owners: Mapping[str, Mapping[str, str]]  # controller -> path -> names, on the active node
    ids: Mapping[str, str]  # user -> uid:gid on the active node
    own_keys: KnownHost  # the active node's own, as itself


@dataclass(slots=True)
class Looks:
    lab: Lab
    screen: Screen
    verdict: Verdict
    _memory: list[Memory] = field(default_factory=list)

    @property
    def memory(self) -> Memory:
        return self._memory[-1]

    def look(self, what: str, *looks: Callable[[], Finding]) -> None:
        with self.screen.doing(what):
            found = [look() for look in looks]
        for one in found:
            self.saw(one)

    def saw(self, found: Finding) -> None:
        self.verdict.seen.append(found)
        label = f"{found.subject}: " if found.subject and len(self.verdict.controllers) > 1 else ""
        self.screen.check(found.good, label + found.text)
        if not found.good:
            self.screen.evidence(found.evidence[:TAIL])
            if len(found.evidence) > TAIL:
                self.screen.evidence([f"... and {len(found.evidence) - TAIL} more"])

    def remember(self, subjects: Sequence[Subject], own_keys: KnownHost) -> None:
        self._memory.append(
            Memory(
                other=read_fingerprint(self.lab, NEW),
                accounts=read_own_accounts(self.lab, NEW),
                owners={one.name: self._owners(OLD, one) for one in subjects},
                ids={user: self._ids(OLD, user) for one in subjects for user in one.users},
                own_keys=own_keys,
            )
        )

    def _owners(self, node: str, subject: Subject) -> dict[str, str]:
        found = read_owners(self.lab, node, [subject.tree, *subject.outside])
        return {path: names for path, names in found.items() if not path.startswith(f"{subject.tree}/.tanist")}

    def _ids(self, node: str, user: str) -> str:
        script = 'echo "$(id -u "$0"):$(id -g "$0")"'
        return self.lab.exec(node, ["sh", "-c", script, user], check=True).stdout.decode().strip()

    # ---- the host that takes over

    def same_as_before(self, promise: Promise) -> Finding:
        before = self.memory.other
        found = diff(before, read_fingerprint(self.lab, NEW))
        facts = sum(map(len, before.state.values()))
        text = f"{len(before.paths):,} files and {facts} facts of {NEW} compared: {describe(found)}"
        return Finding(promise, "", text, not found, found)

    def foreign(self) -> Finding:
        """root, foreign accounts and their files on the node that has just become the controller."""
        was, now = self.memory.accounts, read_own_accounts(self.lab, NEW)
        found = [f"{name}: {was.get(name)} -> {now.get(name)}" for name in changed(was, now)]
        prefixes = [*foreign_paths(NEW), "/root"]
        kept = self.memory.other.only(*prefixes)
        found += diff(kept, read_fingerprint(self.lab, NEW).only(*prefixes))
        names = " and ".join(sorted({name.split()[1] for name in was}, key=lambda name: (name != "root", name)))
        text = f"password lines of {names}, {len(kept.paths)} files of theirs on {NEW}: {describe(found)}"
        return Finding(Promise.FOREIGN, "", text, not found, found)

    def same_owners(self, subject: Subject) -> Finding:
        was, now = self.memory.owners[subject.name], self._owners(NEW, subject)
        found = compare_owners(was, now)
        both = len(was.keys() & now.keys())
        ids = ", ".join(f"{user} {self.memory.ids[user]} -> {self._ids(NEW, user)}" for user in subject.users)
        text = f"{both:,} files: {describe(found)}; numbers {ids}"
        return Finding(Promise.OWNERS, subject.name, text, bool(both) and not found, found)

    # ---- the clients

    def same_keys(self, subject: Subject) -> Finding:
        answer = subject.ssh.check()
        text = f"{len(subject.ssh.keys)} keys of known_hosts checked strictly; the host calls itself {answer.hostname}"
        if not answer.same:
            text = "another key, or no answer"
        return Finding(Promise.KEYS, subject.name, text, answer.same, answer.evidence.splitlines())

    def clients(self, subject: Subject, since: float, command: float, what: str) -> Finding:
        """Raises LabError when no client got through again."""
        subject.ledger.wait_ack(command)
        outage = subject.ledger.outage(since)
        text = f"{what}: {render_seconds(outage.seconds)} without writes"
        if outage.last < command:
            text += f", {render_seconds(outage.first - command)} of it after the command"
        return Finding(Promise.CLIENTS, subject.name, text, True)

    def writes(self, subject: Subject) -> Finding:
        found = subject.ledger.verify()
        text = f"{found.acked:,} acknowledged, {found.missing} missing, {found.twice} twice"
        return Finding(Promise.WRITES, subject.name, text, found.status == 0, found.evidence.splitlines())

    def one_owner(self, subject: Subject, expected: Sequence[str]) -> Finding:
        """Who said on the wire that the service address is his, in order; a return to a former one would show."""
        nodes = {node_spec(node).mac("svc"): node for node in (OLD, NEW)}
        claims = [nodes.get(mac, mac) for _, mac in self.lab.observer.macs(subject.address)]
        order = squeeze(claims)
        text = f"{len(claims)} ARP claims of {subject.address}: {', then '.join(order)}"
        return Finding(
            Promise.ONE, subject.name, text, order == list(expected), [f"expected: {', then '.join(expected)}"]
        )

    # ---- the host that was dead

    def inert(self, subjects: Sequence[Subject]) -> Finding:
        found = [line for one in subjects for line in self._signs_of_life(one)]
        name = self.lab.exec(OLD, ["hostname"], check=True).stdout.decode().strip()
        if name != OLD:
            found.append(f"it calls itself {name}")
        answer = self.memory.own_keys.check()
        if not answer.same:
            found.append(f"it does not answer with its own ssh keys: {answer.evidence}")
        units = sum(len(one.services) for one in subjects)
        text = f"calls itself {name}, has its own ssh keys; no service address, no tree, 0 of {units} services run"
        return Finding(
            Promise.INERT, "", text if not found else f"{len(found)} signs of the controller", not found, found
        )

    def _signs_of_life(self, subject: Subject) -> list[str]:
        found = []
        addresses = self.lab.exec(OLD, ["ip", "-o", "address", "show"], check=True).stdout.decode()
        if f" {subject.address}/" in addresses:
            found.append(f"has {subject.address}")
        if self.lab.exec(OLD, ["mountpoint", "-q", subject.tree]).returncode == 0:
            found.append(f"{subject.tree} is mounted")
        for unit in subject.services:
            state = self.lab.exec(OLD, ["systemctl", "is-active", unit]).stdout.decode().strip()
            if state not in ("inactive", "unknown"):
                found.append(f"{unit} is {state}")
        return found

    def says_owner(self, subject: Subject) -> Finding:
        done = self.lab.exec(OLD, ["tanist", "status", subject.name])
        claim = next(
            (line.split("claim", 1)[1].strip() for line in done.stdout.decode().splitlines() if "  claim" in line), ""
        )
        good = done.returncode == 10 and f"held by {NEW}" in claim
        said = [f"status {done.returncode}", *done.stdout.decode().splitlines(), *done.stderr.decode().splitlines()]
        return Finding(Promise.SAYS, subject.name, claim.split(", since")[0] or "nothing", good, said)

    def journal(self, subject: Subject) -> list[str]:
        argv = ["journalctl", "-q", "-b", "-o", "cat", "-u", f"tanist@{subject.name}"]
        lines = self.lab.exec(OLD, argv).stdout.decode().splitlines()
        return [line for line in lines if "inert:" in line][-1:] or [
            f"tanist@{subject.name} left no word in the journal"
        ]


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def squeeze(claims: Sequence[str]) -> list[str]:
    """Runs of the same name become one."""
    return [name for i, name in enumerate(claims) if i == 0 or claims[i - 1] != name]


def describe(differences: Sequence[str]) -> str:
    if not differences:
        return "no difference"
    return f"{len(differences)} difference{'s' * (len(differences) > 1)}"
