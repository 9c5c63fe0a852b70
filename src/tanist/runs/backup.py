"""habackup: capture on the active node, mirror to the others; silence on a standby (A30-A38)."""

from __future__ import annotations

from tanist.capture.generations import list_generations
from tanist.capture.habackup import capture
from tanist.facts.node import read_node_facts
from tanist.facts.storage import load_claim_here
from tanist.model.claim import Claim
from tanist.model.errors import Refused
from tanist.plan.release import parked_entries
from tanist.runs.commands import runnable
from tanist.runs.exchange import exchange_with_peers
from tanist.runs.glance import note_captured, read_fingerprint
from tanist.runs.mirrored import capture_directory
from tanist.runs.mirroring import mirror_to_peers
from tanist.runs.seen import note_claim
from tanist.runs.session import Session, load_run, read_active
from tanist.steps.cron import find_parked
from tanist.steps.storage import mounted_at


def backup(session: Session, *, mirror: bool, commands: bool = True) -> None:
    """Refused when the tree is a bare mount point, or the claim is not this node's. `commands`: run those of the
    definition as well; else what they said last is captured."""
    active = read_active(session)
    if not active:
        return
    tree = session.controller.tree
    if session.controller.asset.mounted and mounted_at(session.host, tree) is None:
        raise Refused(
            f"{tree} is not mounted: nothing is written into a bare mount point",
            next_step=f"tanist status {session.name}",
        )
    claim = load_claim_here(session.host, session.controller.asset, tree)
    if not isinstance(claim, Claim) or not claim.is_held_by(session.node):
        found = claim.describe() if isinstance(claim, Claim) else claim.why
        raise Refused(f"{session.node} does not hold the claim of {session.name} ({found}): it must not capture")
    before = read_fingerprint(session.host.files, session.controller.own_paths)
    facts = read_node_facts(session.host, session.controller, session.node)
    made = capture(
        session.host,
        session.controller,
        session.node,
        epoch=claim.epoch,
        run=active,
        facts=facts,
        elsewhere=find_parked(parked_entries(load_run(session, active).steps), session.context),
        commands=runnable(session) if commands else (),
    )
    note_captured(session, made.name, before)
    session.note(f"{made.name}: {'nothing changed since' if made.unchanged else 'captured'}")
    note_claim(session)
    if mirror:
        same = mirror_to_peers(session)
        others = {node.name for node in session.controller.peers(session.node)} - same
        exchange_with_peers(session, others)


def list_captures(session: Session) -> tuple[str, ...]:
    found = list_generations(session.host, capture_directory(session))
    where = "mirrored" if not read_active(session) else "on the tree"
    rows = tuple(
        f"{one.name}  epoch {one.epoch}  {one.node}  {one.size / 1024:.0f} KiB  {one.reason or 'looks whole'}"
        for one in found
    )
    return rows or (f"no captures ({where})",)
