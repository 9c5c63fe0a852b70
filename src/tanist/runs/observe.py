"""Evidence and verdict about the old owner, gathered side by side within a second."""

from __future__ import annotations

from tanist.facts.storage import ClaimSeen, read_claim_seen
from tanist.model.claim import Claim
from tanist.model.dataclasses import dataclass, replace
from tanist.model.errors import NotProved, Refused
from tanist.model.evidence import Evidence, Outcome, Says, Verdict
from tanist.model.peer import PeerWord
from tanist.model.unread import Unread
from tanist.plan.fence import describe_offer, fences
from tanist.plan.render import render_evidence, render_verdict
from tanist.proof.decide import Policy, decide, possible_owners, unanswered, why_bound, without_signs
from tanist.proof.probes import gather
from tanist.runs.behind import refuse_older_claim
from tanist.runs.peers import ask_peer
from tanist.runs.promise import judge_kept, read_promised, request_promise, settle
from tanist.runs.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    evidence: tuple[Evidence, ...]
    verdict: Verdict
    claim: Claim
    words: tuple[PeerWord, ...] = ()


def observe(session: Session, attestation: str) -> Observation:
    """Refused when the claim can't be read: it tells which epoch comes and what numbers the disk has."""
    asset = session.controller.asset
    seen = read_claim_seen(session.host, asset, session.controller.tree)
    if isinstance(seen, Unread) and any(layer.kind == "program" for layer in asset.layers):
        return observe_detached(session, attestation)
    return observe_claim(session, attestation, seen)


def observe_detached(session: Session, attestation: str) -> Observation:
    """Of an asset whose disk is not attached to this node. Where another node has it, it is judged by the claim that
    was seen last, and taken away from that node only once it is proved to be stopped: then judged again by its own."""
    from tanist.runs import attach  # few assets need it

    proof, held = "", attach.describe_held(session)
    if held:
        last = attach.load_claim_seen(session)
        if last is None:
            raise Refused(f"{held}, and no claim of {session.name} was ever seen here", next_step="detach it there")
        session.note(f"{held}: judged by the claim that was seen last, {last.describe()}")
        first = look(session, last, attestation, glance=False, held=held)
        if first.verdict.outcome is not Outcome.PROVED:
            return first
        proof = "; ".join(first.verdict.reasons)
    done = attach.attach(session, proof)
    found: Observation | None = None
    try:
        seen = read_claim_seen(session.host, session.controller.asset, session.controller.tree)
        found = observe_claim(session, attestation, seen)
        return found
    finally:
        if found is None or found.verdict.outcome is not Outcome.PROVED:
            attach.detach(session, done)


def observe_claim(session: Session, attestation: str, seen: ClaimSeen | Unread) -> Observation:
    if isinstance(seen, Unread):
        raise Refused(
            f"the claim on the asset can't be read: {seen.why}",
            next_step=f"is the asset connected to this node, and was it made with: tanist init {session.name}?",
        )
    claim = seen.claim
    if claim.controller != session.name:
        raise Refused(f"the asset belongs to the controller {claim.controller!r}, not to {session.name!r}")
    refuse_older_claim(session, claim)
    if claim.state == "released":
        glance = look(session, claim, attestation, glance=True)
        if proved_by_facts(session, glance.evidence):
            return glance
    return look(session, claim, attestation, glance=False)


def held_elsewhere(session: Session, evidence: tuple[Evidence, ...], held: str) -> tuple[Evidence, ...]:
    """A disk that is attached to another node says as much as a claim that this one holds, where there is one only."""
    others = session.controller.peers(session.node)
    if len(others) != 1:
        return evidence
    claim = Evidence(source="claim", about=others[0].name, says=Says.HELD, detail=f"could not be read: {held}")
    return tuple(claim if item.source == "claim" and item.says is Says.UNKNOWN else item for item in evidence)


def look(session: Session, claim: Claim, attestation: str, *, glance: bool, held: str = "") -> Observation:
    """`held`: that the disk is attached to another node, so that its claim can't be read; "" where it can."""
    words: list[PeerWord] = []
    proof = session.controller.proof
    keeps = bool(session.asks_for) and not proof.free_suffices
    request = request_promise(session, claim) if keeps else ""
    promised = read_promised(session, claim)

    def ask(name: str) -> PeerWord | Unread:
        word = ask_peer(session, name, request)
        if isinstance(word, Unread):
            return word
        words.append(word)
        return judge_kept(session, word) if keeps else word

    evidence = gather(
        session.host,
        session.controller,
        session.node,
        ask_peer=ask,
        attestation=attestation,
        who=session.who,
        glance=glance,
        bound=bool(promised),
    )
    evidence = held_elsewhere(session, evidence, held) if held else evidence
    evidence = (*evidence, *promised)
    verdict = with_offers(session, claim, evidence, attestation, judge(session, evidence))
    return Observation(evidence=evidence, verdict=verdict, claim=claim, words=tuple(words))


def judge(session: Session, evidence: tuple[Evidence, ...], suffices: Policy | None = None) -> Verdict:
    """By the definition's policy, or by another one."""
    proof = session.controller.proof
    chosen = proof.suffices if suffices is None else suffices
    return decide(evidence, session.node, chosen, free_suffices=proof.free_suffices)


def with_offers(
    session: Session, claim: Claim, evidence: tuple[Evidence, ...], attested: str, verdict: Verdict
) -> Verdict:
    """What could be done about it from here, and what it costs, before what others could do."""
    if verdict.outcome is Outcome.PROVED:
        return verdict
    suspects = possible_owners(evidence, session.node)
    if not session.may_fence:
        powered = [node for node in suspects if session.controller.proof.devices(node)]
        ways = (f"{node} is switched off, however that is done: its power is looked at each time" for node in powered)
        return replace(verdict, would_suffice=(*verdict.would_suffice, *ways))
    sets = fences(session.controller, suspects, attested=bool(attested.strip()))
    epoch = claim.epoch + 1
    offers = tuple(
        describe_offer(session.controller, names, suspects, node=session.node, epoch=epoch) for names in sets
    )
    return replace(verdict, would_suffice=(*dict.fromkeys(offers), *verdict.would_suffice))


def proved_by_facts(session: Session, evidence: tuple[Evidence, ...]) -> bool:
    """A release or the owner's own word proves it. Any other proof would need the silence that a glance lacks."""
    facts = tuple(item for item in evidence if item.source != "attestation")
    return judge(session, facts, ()).outcome is Outcome.PROVED


def tell(session: Session, evidence: tuple[Evidence, ...], verdict: Verdict) -> None:
    session.note("evidence:\n" + render_evidence(evidence))
    session.note(render_verdict(verdict))


def demand_proof(session: Session, observation: Observation) -> None:
    """NotProved unless the verdict is PROVED: silence is never death. What this node owed others and was answered is
    forgotten then: it holds the lock of a run."""
    evidence, me = without_signs(observation.evidence), session.node
    tell(session, observation.evidence, observation.verdict)
    if observation.verdict.outcome is Outcome.PROVED:
        settle(session, unanswered(evidence, me))
        return
    life = observation.verdict.outcome is Outcome.ALIVE
    bound = why_bound(evidence, me, free_suffices=session.controller.proof.free_suffices)
    what = "the old owner shows life" if life else "; ".join(bound) or "it is not proved that the old owner is down"
    raise NotProved(
        f"{what} (the evidence is above). Nothing was changed on {session.node}",
        next_step="\n".join(observation.verdict.would_suffice),
    )
