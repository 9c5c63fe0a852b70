"""The verdict on the old owner, drawn from evidence. Pure.

In: what was observed, one item for every claim, device, node and address that was to be looked at (an item that could
not be had says UNKNOWN; it is never left out), and this node's name. Out: a Verdict. An item about a node's word or
one of its management addresses has the node's name as `about`; one about the claim has the name of the node in it.

1. A sign of life vetoes: ALIVE, whatever else was seen. (A later, stronger fact will be what lifts a veto: it belongs
   into `vetoes`, which asks of each sign of life whether something stronger has answered it since.)
2. PROVED by the first of `PROOFS` that holds. Each is a conjunction of facts that were had; none counts an UNKNOWN.
3. Else NOT_PROVED, with what would suffice.

So no added sign of life and no fact that turns into "cannot tell" ever makes a verdict safer (tests/unit/proof).
"""

from __future__ import annotations

from collections.abc import Callable

from tanist.model.evidence import Evidence, Outcome, Says, Source, Verdict

SIGNS_OF_LIFE = (Says.ACTIVE, Says.ALIVE)


def decide(evidence: tuple[Evidence, ...], me: str) -> Verdict:
    alive = vetoes(evidence)
    if alive:
        return Verdict(
            outcome=Outcome.ALIVE,
            reasons=tuple(f"{item.source} {item.about}: {item.detail}" for item in alive),
            would_suffice=tuple(_answer_to(item) for item in alive),
        )
    for prove in PROOFS:
        reason = prove(evidence, me)
        if reason:
            return Verdict(outcome=Outcome.PROVED, reasons=(reason,))
    return Verdict(
        outcome=Outcome.NOT_PROVED, reasons=_what_was_seen(evidence), would_suffice=_what_is_missing(evidence)
    )


def vetoes(evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    return tuple(item for item in evidence if item.says in SIGNS_OF_LIFE)


# -- proofs: each gives the reason, or ""
def prove_by_own_claim(evidence: tuple[Evidence, ...], me: str) -> str:
    claim = _claim(evidence)
    if claim is None:
        return ""
    if claim.says is Says.MINE:
        return f"the claim is this node's own: {claim.detail}"
    if claim.says is Says.RELEASED and claim.about == me:
        return f"this node was the last owner, and released it: {claim.detail}"
    return ""


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


PROOFS: tuple[Callable[[tuple[Evidence, ...], str], str], ...] = (
    prove_by_own_claim,
    prove_by_release,
    prove_by_word,
    prove_by_attestation,
)


# -- who may own it
def named_owner(evidence: tuple[Evidence, ...]) -> str:
    """The node in the claim, "" when the claim could not be read."""
    claim = _claim(evidence)
    return claim.about if claim is not None and claim.says in (Says.HELD, Says.RELEASED) else ""


def possible_owners(evidence: tuple[Evidence, ...], me: str) -> tuple[str, ...]:
    """The holder, where the claim names one that was looked at; else every other node that was looked at."""
    nodes = {item.about for item in evidence if item.source in ("peer", "management-address")} - {me}
    claim = _claim(evidence)
    if claim is not None and claim.says is Says.HELD and claim.about in nodes:
        return (claim.about,)
    return tuple(sorted(nodes))


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
        case "service-address":
            return f"find out who answers for {item.about}, and stop it there"
        case _:
            return f"end the use of {item.about}: {item.detail}"


def _what_was_seen(evidence: tuple[Evidence, ...]) -> tuple[str, ...]:
    return tuple(f"{item.source} {item.about}: {item.detail}" for item in evidence)


def _what_is_missing(evidence: tuple[Evidence, ...]) -> tuple[str, ...]:
    owner = named_owner(evidence)
    name = owner or "the old owner"
    ways = [f"{name} lets go: tanist release, on {name}", f"{name} answers over ssh that it is not active"]
    unseen = [item for item in evidence if item.says is Says.UNKNOWN and item.source.endswith("-address")]
    if unseen:
        ways += [
            f"mend the look at {item.about} ({item.detail}); silence counts only where one listened" for item in unseen
        ]
    if not any(item.says is Says.ATTESTED for item in evidence):
        when = "once these are mended, " if unseen else ""
        ways.append(f'{when}switch {name} off, see it off, and say so: --attest "who looked, and what was seen"')
    return tuple(ways)
