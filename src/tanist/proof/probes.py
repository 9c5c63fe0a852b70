"""Everything that can be seen of the old owner without touching it, all looks at once.

In: a host, a controller, this node's name, and a way to ask another node for its word. Out: evidence, one item for
each thing that was to be looked at; what could not be had says UNKNOWN and why. Never mounts, never changes anything.

Silence is measured over the whole budget, and only where this machine could have heard an answer: an interface that
is missing, down or without carrier, before or after, makes it UNKNOWN. A node whose address answers is alive, so its
word is worth waiting for (`word_seconds`); to a node that stayed silent ssh would only hang.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from tanist.facts.storage import ClaimSeen, read_claim_seen, read_marks
from tanist.model.claim import Claim
from tanist.model.dataclasses import dataclass, replace
from tanist.model.evidence import Evidence, Says, Source
from tanist.model.peer import PeerWord
from tanist.model.storage import StorageMarks
from tanist.model.unread import Unread
from tanist.proof.lease import look_at_lease
from tanist.proof.looks import Looks
from tanist.proof.power import look_at_power
from tanist.proof.reservation import look_at_reservation
from tanist.proof.wire import GLANCE, Target, Wire, addresses_by_interface, choose_targets, look_at_wire

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Controller

AskPeer = Callable[[str], PeerWord | Unread]
WATCHED = 0.75  # part of the budget in which the wire is listened to; the rest is for starting and ending
POWER_PATIENCE = 20.0  # seconds that a power device may take to say whether its node is on, a disk whose it is
LEASE_PATIENCE = 10.0  # seconds that the places of the leases, a disk of their own, may take
FILER = 22.0  # seconds that a look at a filer may take: it ends by itself before (facts/exports.py)
LATE = 3.0  # seconds beyond the budget that looks at wire and disk are given: on a busy machine they begin late, and
# what nobody waited for says "could not be asked", which proves nothing, even with a person's word


def gather(
    host: Host,
    controller: Controller,
    me: str,
    *,
    ask_peer: AskPeer,
    attestation: str = "",
    who: str = "",
    known_macs: Mapping[str, str] | None = None,
    budget_seconds: float = 0.8,
    word_seconds: float = 10.0,
    glance: bool = False,
    bound: bool = False,
) -> tuple[Evidence, ...]:
    """`attestation`: what a person says, "" for none, and `who` says it. `known_macs`: MAC address to "ec-a svc0".

    `glance`: the wire is listened to for a moment only, and each peer's word is waited for over the whole budget,
    whether its addresses answered or not. No proof may rest on the silence in it. `bound`: this node gave another one
    its word (runs/promise.py)."""
    window = GLANCE if glance else budget_seconds * WATCHED
    looks, targets = Looks(host), choose_targets(host, controller, me)
    proofs = Asked() if glance else Asked.of(controller, me)
    peers = {name: f"peer {name}" for name in (node.name for node in controller.peers(me))}
    here = _begin_here(looks, host, controller, targets, window)
    for name, key in peers.items():
        looks.begin(key, partial(ask_peer, name))
    _begin_proofs(looks, host, controller, me, proofs)
    looks.wait([*here, *peers.values()] if glance else here, budget_seconds)
    looks.wait(here, budget_seconds + LATE)
    if controller.asset.kind == "nfs":
        looks.wait(here, FILER)
    wire = Wire.of(targets, looks, known_macs or {})
    looks.wait([key for name, key in peers.items() if not wire.is_silent(name)], word_seconds)
    claim = _claim_evidence(looks, controller, me)
    if bound or claim.says is not Says.MINE:  # else nobody's power matters
        _wait_for_proofs(looks, proofs)

    words = {name: looks.result(key, PeerWord) for name, key in peers.items()}
    seen = [claim, _storage_evidence(looks, controller)]
    seen += [_word_evidence(name, word, looks, silent=wire.is_silent(name)) for name, word in words.items()]
    seen += wire.service_evidence()
    seen += wire.management_evidence(
        {name for name, word in words.items() if judge_word(name, word)[0] is Says.INACTIVE}
    )
    if attestation.strip():
        when = datetime.fromtimestamp(host.now(), UTC).isoformat(timespec="seconds")
        seen.append(attest(attestation, who or f"somebody on {me}", when))
    return (*(replace(item, at=host.monotonic()) for item in seen), *_proof_evidence(looks, proofs, words))


# -- which looks, and how long they are waited for
@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whose power and lease are asked for, and of which disks the reservation."""

    powered: tuple[str, ...] = ()
    leased: tuple[str, ...] = ()
    disks: tuple[str, ...] = ()

    @classmethod
    def of(cls, controller: Controller, me: str) -> Asked:
        proof, peers = controller.proof, tuple(node.name for node in controller.peers(me))
        return cls(
            powered=tuple(name for name in peers if proof.devices(name)),
            leased=() if proof.lease is None else peers,
            disks=() if proof.reservation is None else controller.disks,
        )


def _begin_here(
    looks: Looks, host: Host, controller: Controller, targets: tuple[Target, ...], window: float
) -> list[str]:
    """The looks that need no other node: wire, marks, claim. Their keys."""
    for interface, asked in addresses_by_interface(targets).items():
        looks.begin(f"wire {interface}", partial(look_at_wire, host, interface, asked, window))
    if controller.asset.mounted:
        looks.begin("storage", partial(read_marks, host, controller.asset, watch_seconds=window))
    looks.begin("claim", partial(read_claim_seen, host, controller.asset, controller.tree))
    return list(looks.begun)


def _begin_proofs(looks: Looks, host: Host, controller: Controller, me: str, asked: Asked) -> None:
    for name in asked.powered:
        looks.begin(f"power {name}", partial(look_at_power, host, name, controller.proof.devices(name)))
    for name in asked.leased:
        looks.begin(f"lease {name}", partial(look_at_lease, host, controller, name))
    for disk in asked.disks:
        looks.begin(f"reservation {disk}", partial(look_at_reservation, host, controller, me, disk))


def _wait_for_proofs(looks: Looks, asked: Asked) -> None:
    looks.wait([f"power {name}" for name in asked.powered], POWER_PATIENCE)
    looks.wait([f"lease {name}" for name in asked.leased], LEASE_PATIENCE)
    looks.wait([f"reservation {disk}" for disk in asked.disks], POWER_PATIENCE)


# -- what each look says
def _proof_evidence(looks: Looks, asked: Asked, words: Mapping[str, PeerWord | Unread]) -> Iterator[Evidence]:
    yield from (_fence_evidence("power", name, looks) for name in asked.powered)
    yield from (_lease_evidence(name, words[name], looks) for name in asked.leased)
    yield from (_fence_evidence("reservation", disk, looks) for disk in asked.disks)


def attest(text: str, who: str, when: str) -> Evidence:
    return Evidence(source="attestation", about=who, says=Says.ATTESTED, detail=f"“{text.strip()}” ({when})")


def _claim_evidence(looks: Looks, controller: Controller, me: str) -> Evidence:
    found = looks.result("claim", ClaimSeen)
    if isinstance(found, ClaimSeen) and found.old:
        says, about, detail = judge_old_claim(found, controller, me)
    else:
        says, about, detail = judge_claim(found if isinstance(found, Unread) else found.claim, controller, me)
    return Evidence(source="claim", about=about, says=says, detail=detail, seconds=looks.seconds("claim"))


def judge_claim(found: Claim | Unread, controller: Controller, me: str) -> tuple[Says, str, str]:
    """(what it says, about whom, for people)."""
    asset = controller.asset.device or controller.tree
    if isinstance(found, Unread):
        return Says.UNKNOWN, asset, f"could not be read: {found.why}"
    if found.controller != controller.name:
        return Says.UNKNOWN, asset, f"is of another controller, {found.controller!r}"
    if found.state == "released":
        return Says.RELEASED, found.node, found.describe()
    return (Says.MINE if found.node == me else Says.HELD), found.node, found.describe()


def judge_old_claim(found: ClaimSeen, controller: Controller, me: str) -> tuple[Says, str, str]:
    """What this node's own copy says of a claim that the other one may have raised since: never that it is this node's,
    never that it is free. With one other node that one may have it, whatever is written here."""
    says, _, detail = judge_claim(found.claim, controller, me)
    detail = f"{detail}; {found.old}"
    others = controller.peers(me)
    if says is Says.UNKNOWN or len(others) != 1:
        return Says.UNKNOWN, controller.asset.device, detail
    return Says.HELD, others[0].name, detail


def _fence_evidence(source: Source, name: str, looks: Looks) -> Evidence:
    found = looks.result(f"{source} {name}", Evidence)
    if isinstance(found, Evidence):
        return found
    return Evidence(source=source, about=name, says=Says.UNKNOWN, detail=found.why)


def _lease_evidence(name: str, word: PeerWord | Unread, looks: Looks) -> Evidence:
    """A node that says itself that it is inactive may still have to give its lease back: no sign of life."""
    found = _fence_evidence("lease", name, looks)
    if found.says is Says.ALIVE and judge_word(name, word)[0] is Says.INACTIVE:
        return replace(found, says=Says.UNKNOWN)
    return found


def _storage_evidence(looks: Looks, controller: Controller) -> Evidence:
    about = controller.asset.device or controller.tree
    if controller.asset.kind == "directory":
        return Evidence(source="storage", about=about, says=Says.UNKNOWN, detail="a directory has no marks")
    found = looks.result("storage", StorageMarks)
    says, detail = (Says.UNKNOWN, found.why) if isinstance(found, Unread) else judge_marks(found)
    return Evidence(source="storage", about=about, says=says, detail=detail, seconds=looks.seconds("storage"))


def judge_marks(marks: StorageMarks) -> tuple[Says, str]:
    match marks.state:
        case "clean":
            return Says.RELEASED, marks.detail
        case "in-use":
            return (Says.MINE if marks.mounted_at else Says.ACTIVE), marks.detail
        case "dirty" | "unknown":  # a crash leaves it so, and so does a living owner
            return Says.UNKNOWN, f"{marks.state}: {marks.detail}"


def _word_evidence(name: str, word: PeerWord | Unread, looks: Looks, *, silent: bool) -> Evidence:
    key = f"peer {name}"
    says, detail = judge_word(name, word)
    if isinstance(word, Unread) and silent and not looks.is_done(key):
        detail = "not waited for: its management addresses are silent"
    return Evidence(source="peer", about=name, says=says, detail=detail, seconds=looks.seconds(key))


def judge_word(name: str, word: PeerWord | Unread) -> tuple[Says, str]:
    if isinstance(word, Unread):
        return Says.UNKNOWN, f"gave no word: {word.why}"
    if word.node != name:
        return Says.UNKNOWN, f"somebody else answered: {word.node!r} instead of {name!r}"
    match word.state:
        case "active":
            return Says.ACTIVE, f"says that it is active: {word.detail}"
        case "busy":
            whose = f"run {word.busy_run} of {word.busy_who or 'somebody'} since {word.busy_since or 'just now'}"
            return Says.ALIVE, f"is at work on it: {whose}"
        case "inactive":
            return Says.INACTIVE, f"says that it is not active: {word.detail}"
