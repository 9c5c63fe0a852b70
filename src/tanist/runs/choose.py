"""Which capture is put in force, and whether this node is fit for it."""

from __future__ import annotations

from tanist.capture.generations import newest_good
from tanist.capture.manifest import Manifest
from tanist.capture.ownership import missing_accounts
from tanist.capture.store import load_manifest, verify_store
from tanist.facts.accounts import read_accounts
from tanist.facts.node import read_node_facts
from tanist.model.codec import decode
from tanist.model.definition import Controller
from tanist.model.errors import BadCapture, Refused
from tanist.model.facts import NodeFacts
from tanist.parity.nodes import compare
from tanist.plan.assume import with_outputs
from tanist.runs.accept import load_accepted
from tanist.runs.session import Session


def choose_capture(session: Session, directory: str, wanted: str = "") -> tuple[str, Manifest]:
    """The newest generation, every byte checked. A bad newest one is refused by name and the next one offered."""
    if wanted:
        store = f"{directory}/{wanted}"
        if "/" in wanted or not session.host.files.exists(store):
            raise BadCapture(f"there is no capture {wanted!r}", next_step=f"tanist captures {session.name}")
        return store, verify_store(session.host, store)
    found = newest_good(session.host, directory)
    if found.refused:
        names = "; ".join(f"{one.name}: {one.reason}" for one in found.refused)
        offer = f"tanist takeover {session.name} --capture {found.generation.name}" if found.generation else ""
        kept = (
            f" The last good one is {found.generation.name} ({found.generation.created})." if found.generation else ""
        )
        raise BadCapture(f"the newest capture can't be used: {names}.{kept}", next_step=offer)
    if found.generation is None:
        raise BadCapture(
            f"there is no capture in {directory}",
            next_step=f"on the active node: habackup {session.name}\n"
            f"or, where its first run was cut off: tanist resume {session.name}   or   tanist undo {session.name}",
        )
    store = f"{directory}/{found.generation.name}"
    return store, load_manifest(session.host, store)  # every byte was read just now


def check_fitness(session: Session, manifest: Manifest, mine: NodeFacts | None = None) -> tuple[str, ...]:
    """Same processor class, system, product version and networks as the node that made the capture (A09-A13). What
    differs and was accepted is told, and answered. `mine`: the facts of this node, where they were read already."""
    here = read_accounts(session.host, session.controller.accounts)
    made = {f"user {one.name}" for one in here.new_users} | {f"group {one.name}" for one in here.new_groups}
    problems = [one for one in missing_accounts(session.host, manifest) if one not in made]
    try:
        theirs = decode(NodeFacts, manifest.facts, "facts")
    except ValueError as error:
        raise BadCapture(f"the facts of the capture {manifest.created} can't be read: {error}") from error
    mine = mine or read_node_facts(session.host, session.controller, session.node)
    accepted = {one.finding: one for one in load_accepted(session) if one.holds(session.host.now())}
    passed: list[str] = []
    for one in compare(theirs, mine, session.controller):
        if not one.ok and one.name in accepted and accepted[one.name].covers(one.says):
            passed.append(f"{one.says}; {accepted[one.name].describe()}")
            session.note(passed[-1])
        elif not one.ok:
            problems.append(f"{one.says} {one.mend}".strip())
    if problems:
        raise Refused(
            f"{session.node} does not fit the capture {manifest.created} of {manifest.node}:\n" + "\n".join(problems)
        )
    return tuple(passed)


def in_capture(session: Session, manifest: Manifest) -> Controller:
    """The definition, with those of its commands whose output the capture has."""
    controller = session.controller
    if not controller.commands:
        return controller
    known = with_outputs(controller, names_below(manifest, controller.outputs))
    for one in controller.commands:
        if one not in known.commands:
            session.note(f"warning: the capture {manifest.created} has no output of {one.name} ({one.argv[0]})")
    return known


def names_below(manifest: Manifest, directory: str) -> tuple[str, ...]:
    """File names that the capture has right below a directory."""
    return tuple(
        entry.path.rsplit("/", 1)[1]
        for entry in manifest.entries
        if entry.kind == "file" and entry.path.rsplit("/", 1)[0] == directory
    )
