"""How files come to belong to this node's accounts: seen through an id map, or re-owned by a walk. Pure.

docs/design/ownership.md says what each is worth.
"""

from __future__ import annotations

from tanist.model.claim import Claim
from tanist.model.dataclasses import dataclass
from tanist.model.definition import Controller
from tanist.model.errors import Refused
from tanist.model.host import IdMap, Renumber
from tanist.model.standing import Standing
from tanist.model.steps import Reown
from tanist.plan.idmap import Moved, describe_ids, find_moves, why_too_large

NOTHING = Renumber(users=(), groups=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    idmap: IdMap | None  # what the tree is seen through in the end
    mapped: tuple[Moved, ...]  # the same by name
    walk: bool  # the disk's own numbers change first, or a walk that was cut off is taken back first
    walked: tuple[Moved, ...]
    renumber: Renumber
    why: str  # why there is a walk
    after: tuple[tuple[tuple[str, int], ...], tuple[tuple[str, int], ...]]  # the disk's users and groups then

    def says(self, tree: str) -> str:
        if not self.walked:
            return f"give the files of {tree} the disk's numbers again: {self.why}"
        return f"re-own the files of {tree}{describe_ids(self.walked)}: {self.why}"

    def build_step(self, tree: str, claim: Claim, run: str) -> Reown:
        return Reown(
            tree=tree,
            run=run,
            renumber=self.renumber,
            users_before=claim.users,
            groups_before=claim.groups,
            users_after=self.after[0],
            groups_after=self.after[1],
        )


def choose_ownership(controller: Controller, standing: Standing, claim: Claim) -> Ownership:
    """Refused when the definition wants the map and it can't be, or when an account is missing here."""
    moves = find_moves(claim.users, standing.users, claim.groups, standing.groups)
    idmap = moves.build_idmap()
    why = "" if idmap is None else _why_no_map(controller, standing, idmap)
    half = f"a walk was cut off ({claim.reowning})" if claim.reowning else ""
    if why:
        users, groups = dict(standing.users), dict(standing.groups)
        return Ownership(
            idmap=None,
            mapped=(),
            walk=True,
            walked=moves.all,
            renumber=moves.renumber,
            why="; ".join(filter(None, (why, half))),
            after=(
                tuple((name, users[name]) for name, _ in claim.users),
                tuple((name, groups[name]) for name, _ in claim.groups),
            ),
        )
    return Ownership(
        idmap=idmap,
        mapped=moves.all,
        walk=bool(half),
        walked=(),
        renumber=NOTHING,
        why=half,
        after=(claim.users, claim.groups),
    )


def _why_no_map(controller: Controller, standing: Standing, idmap: IdMap) -> str:
    """ "" where the tree is seen through the map."""
    method = controller.accounts.ownership
    if method == "walk":
        return "the definition wants the disk's numbers changed"
    why = standing.no_idmap or why_too_large(idmap)
    if why and method == "map":
        raise Refused(
            f"{why}, and the definition allows nothing else",
            next_step='ownership = "auto" under [accounts] re-owns the files; or give accounts here its numbers',
        )
    return why
