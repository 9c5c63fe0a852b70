"""The verdict on the old owner, drawn from evidence. Pure.

In: what was observed, one item for every claim, device, node and address that was to be looked at (an item that could
not be had says UNKNOWN; it is never left out), this node's name, and which sets of proofs suffice (the definition's
policy). Out: a Verdict. An item about a node's word, its power or one of its management addresses has the node's name
as `about`; one about the claim has the name of the node in it.

1. A sign of life vetoes: ALIVE, whatever else was seen, unless something stronger has answered it since (`lifts`).
2. Signs that were answered are dropped. Of the rest, PROVED by the first that holds: the old owner let go or says
   itself that it runs nothing, or all proofs of one of the sets. Each is a conjunction of facts that were had; none
   counts an UNKNOWN. A node to which this one promised that it runs nothing may own it: until that one says that it
   runs nothing, or is off, only the sets prove anything, of it as well.
3. Else NOT_PROVED, with what would suffice.

So no added sign of life and no fact that turns into "cannot tell" ever makes a verdict safer (tests/unit/proof): who
may own it, whether a veto is lifted and whether a proof holds is all drawn from the evidence without signs of life.
"""

from __future__ import annotations

from collections.abc import Callable

from tanist.model.definition import ProofName
from tanist.model.evidence import Evidence, Outcome, Says, Source, Verdict

SIGNS_OF_LIFE = (Says.ACTIVE, Says.ALIVE)
Policy = tuple[tuple[ProofName, ...], ...]
PERSON: Policy = (("attestation",),)


def decide(
    evidence: tuple[Evidence, ...], me: str, suffices: Policy = PERSON, *, free_suffices: bool = True
) -> Verdict:
    """`free_suffices`: a claim that was let go is proof without a word of the other nodes (Proof.free_suffices)."""
    alive = vetoes(evidence, me)
    if alive:
        return Verdict(
            outcome=Outcome.ALIVE,
            reasons=tuple(f"{item.source} {item.about}: {item.detail}" for item in alive),
            would_suffice=tuple(_answer_to(item) for item in alive),
        )
    still = without_signs(evidence)
    bound = unanswered(still, me) or (not free_suffices and _silent_beside_a_free_claim(still, me))
    for prove in FREE if not bound else ():
        reason = prove(still, me)
        if reason:
            return Verdict(outcome=Outcome.PROVED, reasons=(reason, *_what_was_lifted(evidence)))
    for names in suffices:
        reasons = tuple(_proof(name, names)(still, me) for name in names)
        if reasons and all(reasons):
            return Verdict(outcome=Outcome.PROVED, reasons=(*reasons, *_what_was_lifted(evidence)))
    return Verdict(
        outcome=Outcome.NOT_PROVED,
        reasons=(*why_bound(still, me, free_suffices=free_suffices), *_what_was_seen(evidence)),
        would_suffice=_what_is_missing(evidence, me, suffices),
    )


# -- what keeps this node from going by the claim and by words alone
def unanswered(evidence: tuple[Evidence, ...], me: str) -> tuple[str, ...]:
    """The nodes to which this one gave its word, and which were neither heard since nor are off."""
    return tuple(node for node in sorted(_promised(evidence, me)) if not _is_out(node, evidence))


def _silent_beside_a_free_claim(evidence: tuple[Evidence, ...], me: str) -> bool:
    """Who is out of reach may find it free as well, at this moment: nothing but its word or its power tells."""
    others = _other_nodes(evidence, me)
    return _is_free(evidence) and not (others and all(_is_out(node, evidence) for node in others))


def _is_free(evidence: tuple[Evidence, ...]) -> bool:
    claim = _claim(evidence)
    return claim is not None and claim.says is Says.RELEASED


def _promised(evidence: tuple[Evidence, ...], me: str) -> set[str]:
    return {item.about for item in _about("promise", evidence)} - {me}


def _is_out(node: str, evidence: tuple[Evidence, ...]) -> bool:
    """It says itself that it runs nothing, or all its power was read back as off, by whomever it was cut."""
    power = _about("power", evidence, node)
    return _gave_word(node, evidence) or (bool(power) and all(item.says is Says.OFF for item in power))


# -- vetoes
def vetoes(evidence: tuple[Evidence, ...], me: str) -> tuple[Evidence, ...]:
    """The signs of life that nothing stronger has answered since."""
    still = without_signs(evidence)
    return tuple(item for item in evidence if item.says in SIGNS_OF_LIFE and not lifts(item, still, me))


def without_signs(evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    return tuple(item for item in evidence if item.says not in SIGNS_OF_LIFE)


def lifts(sign: Evidence, still: tuple[Evidence, ...], me: str) -> bool:
    """Power that was cut after the sign was seen answers every sign of the node, and once it is cut from all who may
    own it, those of its addresses and of the asset. A reservation that was read back after it stops writes and no
    more: it answers "its machine is up", and nothing else. A lease that ran out answers that it was renewed, once."""
    if sign.at <= 0:
        return False
    if sign.source in ("peer", "management-address", "lease") and 0 < sign.at < off_since(sign.about, still):
        return True
    if sign.source in ("service-address", "storage") and sign.at < all_off_since(still, me):
        return True
    if sign.source == "lease" and sign.at < _since(_about("lease", still, sign.about), Says.LAPSED, Says.STALE):
        return True
    return sign.source == "management-address" and sign.at < fenced_since(still)


def off_since(node: str, evidence: tuple[Evidence, ...]) -> float:
    """When its power was first read back as off by somebody who saw to it; 0 where that is not known."""
    return _since(_about("power", evidence, node), Says.OFF)


def all_off_since(evidence: tuple[Evidence, ...], me: str) -> float:
    suspects = possible_owners(evidence, me) if _owner_is_known(evidence, me) else ()
    return max((off_since(node, evidence) for node in suspects), default=0.0) if _all_off(suspects, evidence) else 0.0


def _all_off(nodes: tuple[str, ...], evidence: tuple[Evidence, ...]) -> bool:
    return bool(nodes) and all(off_since(node, evidence) > 0 for node in nodes)


def fenced_since(evidence: tuple[Evidence, ...]) -> float:
    return _since(_about("reservation", evidence), Says.FENCED)


def _since(items: tuple[Evidence, ...], *says: Says) -> float:
    """The first of them, all of which must say so."""
    if any(item.says not in says for item in items):
        return 0.0
    return min((item.at for item in items if item.at > 0), default=0.0)


# -- proofs: each gives the reason, or ""
def prove_by_own_claim(evidence: tuple[Evidence, ...], me: str) -> str:
    claim = _claim(evidence)
    if claim is None:
        return ""
    if claim.says is Says.MINE:
        return f"the claim is this node's own: {claim.detail}"
    if claim.says is Says.RELEASED and claim.about == me and _nobody_began(evidence, me):
        return f"this node was the last owner, and released it: {claim.detail}"
    return ""


def _nobody_began(evidence: tuple[Evidence, ...], me: str) -> bool:
    """A claim that is free says nothing of who has mounted the asset since and not raised it yet, and then was cut off
    or frozen: the disk is clean (or mounted here), or every other node says that it runs nothing."""
    storage = _about("storage", evidence)
    untouched = bool(storage) and all(item.says in (Says.RELEASED, Says.MINE) for item in storage)
    others = _other_nodes(evidence, me)
    return untouched or (bool(others) and all(_gave_word(node, evidence) for node in others))


def prove_by_release(evidence: tuple[Evidence, ...], me: str) -> str:
    claim, storage = _claim(evidence), _about("storage", evidence)
    if claim is None or claim.says is not Says.RELEASED or claim.about == me:
        return ""
    if storage and all(item.says is Says.RELEASED for item in storage):
        return f"{claim.about} let go: {claim.detail}; {storage[0].about}: {storage[0].detail}"
    return ""


def prove_by_word(evidence: tuple[Evidence, ...], me: str) -> str:
    owner = named_owner(evidence)
    if owner in ("", me) or not _gave_word(owner, evidence):
        return ""
    return f"{owner}, the last owner, looked at itself and runs nothing: {_words(owner, evidence)[0].detail}"


def prove_by_attestation(evidence: tuple[Evidence, ...], me: str) -> str:
    """A person's word counts only where every address of whoever may own it was looked at and stayed silent."""
    attested = [item for item in _about("attestation", evidence) if item.says is Says.ATTESTED]
    suspects = possible_owners(evidence, me)
    addresses = _about("service-address", evidence)
    quiet = all(item.says in (Says.SILENT, Says.MINE) for item in addresses)
    if not attested or not suspects or not quiet or not all(_is_quiet(node, evidence) for node in suspects):
        return ""
    return f"attested by {attested[0].about}: {attested[0].detail}; nothing answers for {', '.join(suspects)}"


def prove_by_power(evidence: tuple[Evidence, ...], me: str) -> str:
    """Every node that may own it has no power. Of a node that nobody here can switch off it says nothing."""
    suspects = possible_owners(evidence, me)
    devices = {node: _about("power", evidence, node) for node in suspects}
    if not suspects or not _owner_is_known(evidence, me):
        return ""
    if not all(items and all(item.says is Says.OFF for item in items) for items in devices.values()):
        return ""
    return "; ".join(f"{node} has no power: {items[0].detail}" for node, items in devices.items())


def prove_by_reservation(evidence: tuple[Evidence, ...], me: str) -> str:  # noqa: ARG001 - asked as all are
    """Nobody but this node can write, and nobody is heard at the addresses, which a reservation does not guard."""
    devices, addresses = _about("reservation", evidence), _about("service-address", evidence)
    claim = _claim(evidence)
    if claim is None or claim.says not in (Says.HELD, Says.RELEASED, Says.MINE):
        return ""
    if not devices or not all(item.says is Says.FENCED for item in devices):
        return ""
    if not addresses or not all(item.says in (Says.SILENT, Says.MINE) for item in addresses):
        return ""
    return f"only this node can write to {devices[0].about}: {devices[0].detail}; nobody answers at the addresses"


def prove_by_lease(evidence: tuple[Evidence, ...], me: str) -> str:
    """Of everybody who may own it: the lease ran out, and the machine's own watchdog has reset it since."""
    return _prove_by_leases(evidence, me, (Says.LAPSED,))


def prove_by_stale_lease(evidence: tuple[Evidence, ...], me: str) -> str:
    """The same of a machine that could have been paused, or has no watchdog: worth something beside another proof."""
    return _prove_by_leases(evidence, me, (Says.LAPSED, Says.STALE))


def _prove_by_leases(evidence: tuple[Evidence, ...], me: str, enough: tuple[Says, ...]) -> str:
    suspects, addresses = possible_owners(evidence, me), _about("service-address", evidence)
    leases = {node: _about("lease", evidence, node) for node in suspects}
    if not suspects or not _owner_is_known(evidence, me):
        return ""
    if not all(items and all(item.says in enough for item in items) for items in leases.values()):
        return ""
    if not addresses or not all(item.says in (Says.SILENT, Says.MINE) for item in addresses):
        return ""
    return "; ".join(f"the lease of {node} ran out: {items[0].detail}" for node, items in leases.items())


Prove = Callable[[tuple[Evidence, ...], str], str]
FREE: tuple[Prove, ...] = (prove_by_own_claim, prove_by_release, prove_by_word)
PROOFS: dict[ProofName, Prove] = {
    "power": prove_by_power,
    "reservation": prove_by_reservation,
    "lease": prove_by_lease,
    "attestation": prove_by_attestation,
}


def _proof(name: ProofName, names: tuple[ProofName, ...]) -> Prove:
    return prove_by_stale_lease if name == "lease" and len(names) > 1 else PROOFS[name]


def strong_proof(evidence: tuple[Evidence, ...], me: str) -> str:
    """That the old owner cannot act, and not only that it said so or is silent; "" where there is none."""
    still = without_signs(evidence)
    reasons = (prove(still, me) for prove in (prove_by_power, prove_by_reservation, prove_by_lease))
    return "" if vetoes(evidence, me) else next(filter(None, reasons), "")


# -- who may own it
def named_owner(evidence: tuple[Evidence, ...]) -> str:
    """The node in the claim, "" when the claim could not be read."""
    claim = _claim(evidence)
    return claim.about if claim is not None and claim.says in (Says.HELD, Says.RELEASED) else ""


def possible_owners(evidence: tuple[Evidence, ...], me: str) -> tuple[str, ...]:
    """The holder, where the claim names one that was looked at; else every other node that was looked at. And whoever
    this node gave its word to."""
    nodes = _other_nodes(evidence, me)
    claim = _claim(evidence)
    if claim is not None and claim.says is Says.HELD and claim.about in nodes:
        return tuple(sorted({claim.about, *_promised(evidence, me)}))
    return tuple(sorted(nodes | _promised(evidence, me)))


def _other_nodes(evidence: tuple[Evidence, ...], me: str) -> set[str]:
    return {item.about for item in evidence if item.source in ("peer", "management-address", "power", "lease")} - {me}


def _owner_is_known(evidence: tuple[Evidence, ...], me: str) -> bool:
    """The claim was read, and the node in it is one that was looked at, or this one, which let go: all who may own it
    are known by name."""
    return named_owner(evidence) in {*_other_nodes(evidence, me), me}


def _claim(evidence: tuple[Evidence, ...]) -> Evidence | None:
    """Several claims contradict each other: that is no claim."""
    claims = _about("claim", evidence)
    return claims[0] if len(claims) == 1 else None


def _about(source: Source, evidence: tuple[Evidence, ...], about: str = "") -> tuple[Evidence, ...]:
    return tuple(item for item in evidence if item.source == source and about in ("", item.about))


def _words(node: str, evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    return _about("peer", evidence, node)


def _gave_word(node: str, evidence: tuple[Evidence, ...]) -> bool:
    words = _words(node, evidence)
    return bool(words) and all(item.says is Says.INACTIVE for item in words)


def _is_quiet(node: str, evidence: tuple[Evidence, ...]) -> bool:
    addresses = _about("management-address", evidence, node)
    silent = bool(addresses) and all(item.says is Says.SILENT for item in addresses)
    return silent or _gave_word(node, evidence)


# -- words for people
def _answer_to(item: Evidence) -> str:
    match item.source:
        case "peer":
            return f"release it there first: tanist release, on {item.about}; or move it: tanist switchover"
        case "management-address":
            return f"let {item.about} say itself that it is not active (ssh to it must work), or switch it off"
        case "lease":
            return f"{item.about} renews its lease: release it there, or switch it off and try again"
        case "service-address":
            return f"find out who answers for {item.about}, and stop it there"
        case _:
            return f"end the use of {item.about}: {item.detail}"


def _what_was_seen(evidence: tuple[Evidence, ...]) -> tuple[str, ...]:
    return tuple(f"{item.source} {item.about}: {item.detail}" for item in evidence)


def _what_was_lifted(evidence: tuple[Evidence, ...]) -> tuple[str, ...]:
    """Where there is a proof: every sign of life was answered since."""
    signs = (item for item in evidence if item.says in SIGNS_OF_LIFE)
    return tuple(f"answered since: {item.source} {item.about}: {item.detail}" for item in signs)


def why_bound(evidence: tuple[Evidence, ...], me: str, *, free_suffices: bool) -> tuple[str, ...]:
    reasons = [f"{me} gave {node} its word, and has not heard {node} since" for node in unanswered(evidence, me)]
    if not free_suffices and _silent_beside_a_free_claim(evidence, me):
        silent = ", ".join(node for node in possible_owners(evidence, me) if not _is_out(node, evidence)) or "nobody"
        reasons.append(
            f"the claim is free, but {silent} gives no word and is not seen to be off; out of each other's reach both "
            "nodes could take it, so that here its power has to be off"
        )
    return tuple(reasons)


def _what_is_missing(evidence: tuple[Evidence, ...], me: str, suffices: Policy) -> tuple[str, ...]:
    owner = named_owner(evidence)
    name = owner or "the old owner"
    ways = [f"{name} lets go: tanist release, on {name}", f"{name} answers over ssh that it is not active"]
    if _is_free(evidence) or unanswered(evidence, me):
        silent = tuple(node for node in possible_owners(evidence, me) if not _is_out(node, evidence))
        ways = [f"{node} answers over ssh that it is not active" for node in silent]
        name = ", ".join(silent) or name
    if not any("attestation" in names for names in suffices):
        sets = " or ".join(" with ".join(names) for names in suffices)
        return (*ways, f"{sets}, as the definition asks; a person's word is not enough for it ([proof] suffices)")
    unseen = [item for item in evidence if item.says is Says.UNKNOWN and item.source.endswith("-address")]
    if unseen:
        ways += [
            f"mend the look at {item.about} ({item.detail}); silence counts only where one listened" for item in unseen
        ]
    if not any(item.says is Says.ATTESTED for item in evidence):
        when = "once these are mended, " if unseen else ""
        ways.append(f'{when}switch {name} off, see it off, and say so: --attest "who looked, and what was seen"')
    return tuple(ways)
