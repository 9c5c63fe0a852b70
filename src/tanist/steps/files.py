"""Files outside the tree: the node's own saved first, the capture's put in force, the own ones given back."""

from __future__ import annotations

from collections.abc import Iterable

from tanist import __version__
from tanist.capture.habackup import capture
from tanist.capture.manifest import About
from tanist.capture.restore import clear_remains, compare_path, restore_path
from tanist.capture.store import load_manifest, save_store
from tanist.facts.node import read_node_facts
from tanist.model.errors import BadCapture, Busy
from tanist.model.steps import ArmCron, PutPath, SaveCapture, SaveOwn
from tanist.plan import places
from tanist.steps.context import Context

CAPTURE_PATIENCE = 60.0  # seconds that an hourly capture, at work when the release began, is given to end


def apply_save_own(spec: SaveOwn, context: Context) -> None:
    files = context.host.files
    files.make_directory(spec.into.rsplit("/", 1)[0], 0o700)
    save_store(context.host, spec.into, spec.paths, own_about(context))


def own_about(context: Context) -> About:
    """This node's own files; its accounts are whatever they are, so none are named."""
    return About(
        controller=context.controller.name,
        node=context.node,
        created=context.host.now(),
        version=__version__,
        facts={},
    )


def undo_save_own(spec: SaveOwn, context: Context) -> None:
    """What was saved stays: it is small, and a person may want to look at it."""


def apply_put_path(spec: PutPath, context: Context) -> None:
    restore_path(context.host, spec.store, spec.path)


def undo_put_path(spec: PutPath, context: Context) -> None:
    """Without an own store nothing was replaced: saving it comes first and is whole or absent."""
    if context.host.files.exists(spec.own):
        restore_path(context.host, spec.own, spec.path)


def apply_arm_cron(spec: ArmCron, context: Context) -> None:
    files = context.host.files
    for path in spec.paths:
        parked = places.parked_path(spec.parked, path)
        if files.exists(parked):
            files.move(parked, path)
            clear_remains(context.host, path)
        elif spec.store:
            restore_path(context.host, spec.store, path)


def undo_arm_cron(spec: ArmCron, context: Context) -> None:
    """The entry in force is parked, so that a release can be undone; then the node's own one comes back."""
    park_cron(spec, context)
    own = load_manifest(context.host, spec.own).asked if context.host.files.exists(spec.own) else ()
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
    try:
        return not compare_path(context.host, spec.own, path)
    except (OSError, BadCapture):
        return False


def apply_save_capture(spec: SaveCapture, context: Context) -> None:
    facts = read_node_facts(context.host, context.controller, context.node)
    parked = find_parked(spec.parked, context)
    deadline = context.host.monotonic() + CAPTURE_PATIENCE
    while True:
        try:
            capture(
                context.host,
                context.controller,
                context.node,
                epoch=spec.epoch,
                run=spec.run,
                facts=facts,
                elsewhere=parked,
            )
            return
        except Busy:
            if context.host.monotonic() >= deadline:
                raise
        context.host.sleep(0.05)


def find_parked(entries: Iterable[tuple[str, str]], context: Context) -> dict[str, str]:
    """Cron entries that are parked now: a capture must have them as they are, or the next owner would not."""
    return {path: parked for path, parked in entries if context.host.files.exists(parked)}


def undo_save_capture(spec: SaveCapture, context: Context) -> None:
    """Captures stay."""
