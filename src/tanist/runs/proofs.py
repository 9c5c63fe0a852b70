"""What this pair has to prove an owner down: found, not assumed. Only looks.

In: a session on any node. Out: one Finding for each engine and each node or device that it is about.
"""

from __future__ import annotations

from tanist.facts.machine import describe_machine
from tanist.facts.reservation import read_ability
from tanist.host.host import Host
from tanist.model.dataclasses import dataclass
from tanist.model.definition import Controller, Node, ProofName
from tanist.model.evidence import Evidence, Says
from tanist.model.peer import PeerWord
from tanist.model.unread import Unread
from tanist.plan.fence import build_fence, longest
from tanist.proof.power import read_power
from tanist.proof.reservation import look_at_reservation
from tanist.runs.finding import Finding, State, sets_with
from tanist.runs.guards import find_guards
from tanist.runs.lease_finding import find_leases
from tanist.runs.peers import ask_peer
from tanist.runs.session import Session


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
    findings += [find_reservation(host, controller, session.node, disk) for disk in controller.disks]
    findings += [*find_leases(session), *find_guards(host, controller)]
    findings += [find_word(session, node) for node in controller.peers(session.node)]
    findings.append(find_attestation(controller))
    ready = {(one.engine, one.about) for one in findings if one.state == "ready"}
    ready |= {("alone", one.about) for one in findings if one.state == "ready" and one.engine == "lease" and one.alone}
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
    sets = (names for names in controller.proof.suffices if set(names) != {"attestation"})
    disks = bool(controller.disks) and all(("reservation", disk) in ready for disk in controller.disks)
    ready = ready | ({("reservation", name)} if disks else set())
    return any(all(_is_ready(one, names, name, ready) for one in names) for names in sets)


def _is_ready(proof: ProofName, names: tuple[ProofName, ...], node: str, ready: set[tuple[str, str]]) -> bool:
    if proof == "lease" and len(names) == 1:
        return ("alone", node) in ready
    return proof == "attestation" or (proof, node) in ready


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
        suffices=sets_with(session.controller, "power"),
        mend="" if known else "try the agent by hand: printf 'action=status\\n...' | " + devices[0].agent,
    )


def find_reservation(host: Host, controller: Controller, me: str, device: str) -> Finding:
    """What the disk can do and who is registered. Asks it only; nothing is reserved."""
    defined = controller.proof.reservation is not None
    begun = host.monotonic()
    able = read_ability(host, device, controller.proof.reservation_timeout)
    if isinstance(able, Unread):
        mend = able.why.rpartition(": ")[2] if "is not installed" in able.why else ""
        state: State = "fails" if defined else "not set up"
        return Finding(engine="reservation", about=device, state=state, detail=able.why, mend=mend)
    seen = look_at_reservation(host, controller, me, device)
    foreign = "a foreign key" in seen.detail
    return Finding(
        engine="reservation",
        about=device,
        state="not set up" if not defined else "fails" if seen.says is Says.UNKNOWN or foreign else "ready",
        detail=f"{able}; now: {seen.detail}",
        seconds=round(host.monotonic() - begun, 3),
        at_most=longest_take(controller, me) if defined else None,
        suffices=sets_with(controller, "reservation"),
        mend=_mend_reservation(controller, seen, defined=defined, foreign=foreign),
    )


def _mend_reservation(controller: Controller, seen: Evidence, *, defined: bool, foreign: bool) -> str:
    name = controller.name
    if not defined:
        after = f"then on the active node: tanist proofs {name} --reserve"
        return f"[proof.reservation] in the definition on all nodes; {after}"
    if foreign:
        return f"find out whose key it is; one that nobody needs goes by: tanist proofs {name} --clear KEY"
    if seen.says is Says.RELEASED:
        return f"on the active node: tanist proofs {name} --reserve (each takeover does it by itself)"
    return ""


def longest_take(controller: Controller, me: str) -> float:
    plan = build_fence(controller, "fence", ("reservation",), (), node=me, epoch=0)
    return longest(plan)


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
    sets = sets_with(controller, "attestation")
    detail = "--attest counts" if sets else "--attest is not enough here: a strong proof is asked for"
    return Finding(
        engine="attestation", about="a person", state="ready" if sets else "not set up", detail=detail, suffices=sets
    )
