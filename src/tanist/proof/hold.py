"""Does this node still hold the controller? What was seen while it is active -> an opinion. Pure.

Three answers, and "cannot tell" is one of them: it is never taken for "lost" at once, and never for "kept" for ever
(the definition says how long). A readable claim decides alone, because a stale node always loses: a higher epoch is
another owner, whatever else is seen, and with this node's own claim on a shared disk another machine that answers for
its address is the stale one. A plain directory is not shared, so there the address and the other nodes' word count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tanist.model.claim import Claim
from tanist.model.dataclasses import dataclass
from tanist.model.host import Answer
from tanist.model.peer import PeerWord
from tanist.model.unread import Unread

Says = Literal["kept", "untold", "lost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """`foreign`: another owner may write to the asset, so that nothing more of this node's may reach it."""

    says: Says
    why: str = ""
    foreign: bool = False


KEPT = Opinion(says="kept")


def judge_claim(found: Claim | Unread, me: str, epoch: int, *, unfinished: bool) -> Opinion:
    """`epoch`: the one that this node holds, or works for in a run that was cut off (`unfinished`): such a run may have
    the claim before it, or its own released, and is a person's to end."""
    if isinstance(found, Unread):
        return Opinion(says="untold", why=f"the claim can't be read: {found.why}")
    if found.epoch > epoch or (found.epoch == epoch and found.node != me):
        return Opinion(says="lost", why=f"the claim is {found.describe()}", foreign=True)
    if unfinished:
        return KEPT
    if found.epoch < epoch:
        return Opinion(says="untold", why=f"the disk shows an old claim ({found.describe()}), epoch {epoch} is held")
    if found.state == "released":
        return Opinion(says="lost", why=f"the claim is {found.describe()}", foreign=True)
    return KEPT


def judge_tree(tree: str, *, mounted: bool, read_only: bool, write_error: str) -> Opinion:
    if not mounted:
        return Opinion(says="untold", why=f"{tree} is not mounted")
    if read_only:
        return Opinion(says="lost", why=f"{tree} became read-only")
    if write_error:
        return Opinion(says="untold", why=f"{tree} can't be written: {write_error}")
    return KEPT


def judge_others(
    answers: Sequence[Answer], claim: Opinion, words: Sequence[PeerWord | Unread], epoch: int, *, shared: bool
) -> Opinion:
    """`answers`: other machines that have a service address. `words`: of the other nodes, asked where it matters."""
    if not answers:
        return KEPT
    who = ", ".join(sorted({f"{one.mac} answers for {one.address}" for one in answers}))
    if claim.says == "untold":
        return Opinion(says="lost", why=f"{who}, and {claim.why}", foreign=True)
    if shared or claim.says == "lost":
        return KEPT
    for word in words:
        if not isinstance(word, Unread) and word.state == "active" and word.epoch_seen > epoch:
            return Opinion(says="lost", why=f"{who}; {word.node} says that it is active, epoch {word.epoch_seen}")
    if any(isinstance(word, Unread) for word in words):
        return Opinion(says="lost", why=f"{who}, and not every other node can be asked who owns it")
    return KEPT


def combine(opinions: Sequence[Opinion]) -> Opinion:
    """One loss is a loss; without one, one that can't tell is enough not to tell."""
    for says in ("lost", "untold"):
        found = [one for one in opinions if one.says == says]
        if found:
            why = "; ".join(one.why for one in found)
            return Opinion(says=found[0].says, why=why, foreign=any(one.foreign for one in found))
    return KEPT
