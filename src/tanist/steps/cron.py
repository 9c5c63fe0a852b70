"""Cron entries: in force, parked where cron does not look, given back.

To park them is the first act of a release: what reads and writes captures is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Iterable

from tanist.model.errors import BadCapture
from tanist.model.steps import ArmCron
from tanist.plan import places
from tanist.steps.context import Context


def apply_arm_cron(spec: ArmCron, context: Context) -> None:
    from tanist.capture.restore import clear_remains, restore_path

    files = context.host.files
    for path in spec.paths:
        parked = places.parked_path(spec.parked, path)
        if files.exists(parked):
            files.move(parked, path)
            clear_remains(context.host, path)
        elif spec.store:
            restore_path(context.host, spec.store, path)


def undo_arm_cron(spec: ArmCron, context: Context) -> None:
    """The entry in force is parked, so that a release can be undone; then the node's own one comes back, if `own`
    says where it is."""
    park_cron(spec, context)
    if not spec.own or not context.host.files.exists(spec.own):
        return
    from tanist.capture.restore import restore_path
    from tanist.capture.store import load_manifest

    own = load_manifest(context.host, spec.own).asked
    for path in spec.paths:
        if any(one.path == path for one in own):
            restore_path(context.host, spec.own, path)


def is_arm_cron_applied(spec: ArmCron, context: Context) -> bool | None:
    """A boot parks armed entries, whatever the journal says. With nothing parked, nothing shows."""
    parked = (places.parked_path(spec.parked, path) for path in spec.paths)
    return False if any(context.host.files.exists(path) for path in parked) else None


def park_cron(spec: ArmCron, context: Context, *, armed: bool = True) -> None:
    """Where cron does not look. What is parked already is the controller's: it is not parked over.

    `armed` False: the step was cut off, and what is found may still be this node's own, which stays."""
    files = context.host.files
    files.make_directory(spec.parked, 0o700)
    for path in spec.paths:
        parked = places.parked_path(spec.parked, path)
        if files.exists(path) and not files.exists(parked) and (armed or not is_own(spec, path, context)):
            files.move(path, parked)


def is_own(spec: ArmCron, path: str, context: Context) -> bool:
    """Exactly as this node's own store has it."""
    from tanist.capture.restore import compare_path

    try:
        return not compare_path(context.host, spec.own, path)
    except (OSError, BadCapture):
        return False


def find_parked(entries: Iterable[tuple[str, str]], context: Context) -> dict[str, str]:
    """Cron entries that are parked now: a capture must have them as they are, or the next owner would not."""
    return {path: parked for path, parked in entries if context.host.files.exists(parked)}
