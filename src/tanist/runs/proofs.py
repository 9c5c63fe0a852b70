"""What this pair has to prove an owner down: found, not assumed. Only looks.

In: a session on any node. Out: one Finding for each engine and each node or device that it is about.
"""

from __future__ import annotations

from typing import Literal

from tanist.facts.storage import read_marks
from tanist.host.host import Host
from tanist.model.dataclasses import dataclass
from tanist.model.definition import Controller, Node, ProofName
from tanist.model.evidence import Says
from tanist.model.peer import PeerWord
from tanist.model.unread import Unread
from tanist.proof.power import read_power
from tanist.runs.peers import ask_peer
from tanist.runs.session import Session

State = Literal["ready", "fails", "not set up"]
STRENGTH = {
    "power": "strong: a node without power does nothing, whichever way it hung; machines of metal and guests alike",
    "reservation": "strong for the data: the old owner's next write fails, whichever way it hung; its addresses need "
    "silence and its own gate; machines of metal and guests alike",
    "lease": "strong on metal with a watchdog; never for a guest, whose hypervisor can stop its clock",
    "mount guard": "no proof: keeps two nodes from mounting at once, does not stop one that comes back",
    "word": "as good as the node's own look at itself; one that hangs gives none",
    "attestation": "no proof: you are believed, where every address of the old owner is silent",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    engine: str
    about: str
    state: State
    detail: str
    seconds: float | None = None  # measured now
    at_most: float | None = None  # seconds that proving it takes at most
    suffices: str = ""  # the sets of the policy that it is part of, "" for none
    mend: str = ""  # what to type or to define

    @property
    def strength(self) -> str:
        return STRENGTH[self.engine]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    controller: str
    node: str
    machine: str  # what this node is: "a machine of its own", "a guest (kvm)"
    policy: tuple[tuple[ProofName, ...], ...]
    findings: tuple[Finding, ...]
    lacking: tuple[str, ...]  # nodes that nothing strong could stop from here


def survey(session: Session) -> Survey:
    controller, host = session.controller, session.host
    findings = [find_power(session, node) for node in controller.nodes]
    findings += [find_reservation(controller), find_lease(), find_guard(host, controller)]
    findings += [find_word(session, node) for node in controller.peers(session.node)]
    findings.append(find_attestation(controller))
    ready = {(one.engine, one.about) for one in findings if one.state == "ready"}
    peers = [node.name for node in controller.peers(session.node)]
    return Survey(
        controller=session.name,
        node=session.node,
        machine=describe_machine(host),
        policy=controller.proof.suffices,
        findings=tuple(findings),
        lacking=tuple(name for name in peers if not _is_stoppable(controller, name, ready)),
    )


def _is_stoppable(controller: Controller, name: str, ready: set[tuple[str, str]]) -> bool:
    """By a set of the policy in which something is done, all of which works now."""
    sets = (names for names in controller.proof.suffices if "power" in names)
    return any(set(names) <= {"power", "attestation"} and ("power", name) in ready for names in sets)


def find_power(session: Session, node: Node) -> Finding:
    devices = session.controller.proof.devices(node.name)
    if not devices:
        return Finding(
            engine="power",
            about=node.name,
            state="not set up",
            detail="no device is defined that could cut its power",
            mend=f'apt-get install fence-agents; [[proof.power]] with node = "{node.name}", agent = "fence_..."',
        )
    begun = session.host.monotonic()
    says, detail = read_power(session.host, devices)
    known = says in (Says.ON, Says.OFF) and "cannot tell" not in detail
    return Finding(
        engine="power",
        about=node.name,
        state="ready" if known else "fails",
        detail=detail,
        seconds=round(session.host.monotonic() - begun, 3),
        at_most=sum(device.longest for device in devices),
        suffices=_sets(session.controller, "power"),
        mend="" if known else "try the agent by hand: printf 'action=status\\n...' | " + devices[0].agent,
    )


def find_reservation(controller: Controller) -> Finding:
    return Finding(
        engine="reservation",
        about=controller.asset.device or controller.tree,
        state="not set up",
        detail="this tanist has no engine for it yet",
    )


def find_lease() -> Finding:
    return Finding(engine="lease", about="sanlock", state="not set up", detail="this tanist has no engine for it yet")


def find_guard(host: Host, controller: Controller) -> Finding:
    """ext4's multiple mount protection, as the super block has it."""
    about = controller.asset.device or controller.tree
    if controller.asset.fstype != "ext4":
        what = f"{controller.asset.fstype or 'a directory'} has none"
        return Finding(engine="mount guard", about=about, state="not set up", detail=what)
    marks = read_marks(host, controller.asset, watch_seconds=0.0)
    if isinstance(marks, Unread):
        return Finding(engine="mount guard", about=about, state="fails", detail=marks.why)
    if marks.mmp is None:
        return Finding(
            engine="mount guard",
            about=about,
            state="not set up",
            detail="ext4 without mmp",
            mend=f"released on all nodes: tune2fs -O mmp -E mmp_update_interval=1 {about}",
        )
    return Finding(
        engine="mount guard",
        about=about,
        state="ready",
        detail=f"ext4 mmp, written every {marks.mmp.interval} s; last by {marks.mmp.node or 'nobody'}",
        at_most=marks.mmp.longest_wait,
    )


def find_word(session: Session, node: Node) -> Finding:
    begun = session.host.monotonic()
    word = ask_peer(session, node.name)
    seconds = round(session.host.monotonic() - begun, 3)
    if isinstance(word, PeerWord):
        state: State = "ready"
        return Finding(engine="word", about=node.name, state=state, detail=f"says {word.state}", seconds=seconds)
    mend = f"tanist pair {session.name}"
    return Finding(engine="word", about=node.name, state="fails", detail=word.why, seconds=seconds, mend=mend)


def find_attestation(controller: Controller) -> Finding:
    sets = _sets(controller, "attestation")
    detail = "--attest counts" if sets else "--attest is not enough here: a strong proof is asked for"
    return Finding(
        engine="attestation", about="a person", state="ready" if sets else "not set up", detail=detail, suffices=sets
    )


def _sets(controller: Controller, name: ProofName) -> str:
    return ", ".join("+".join(names) for names in controller.proof.suffices if name in names)


def describe_machine(host: Host) -> str:
    """systemd-detect-virt(1): a guest's clock can be stopped by its hypervisor."""
    try:
        ran = host.run(["systemd-detect-virt", "--vm"], ok=None, timeout=10)
    except OSError:
        return "not known"
    kind = ran.text.strip()
    if ran.status == 127 or not kind:
        return "not known"
    return "a machine of its own" if kind == "none" else f"a guest ({kind})"
