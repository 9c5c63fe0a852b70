"""Files outside the tree: the node's own saved first, the capture's put in force, the own ones given back."""

from __future__ import annotations

from functools import partial

from tanist import __version__
from tanist.capture.habackup import capture
from tanist.capture.manifest import About
from tanist.capture.restore import restore_path
from tanist.capture.store import save_store
from tanist.facts.node import read_node_facts
from tanist.model.dataclasses import replace
from tanist.model.steps import PutPath, SaveCapture, SaveOwn
from tanist.steps.context import Context
from tanist.steps.cron import find_parked
from tanist.steps.waiting import wait_while_busy

UNIT_PLACES = ("/etc/systemd/", "/usr/lib/systemd/", "/lib/systemd/", "/usr/local/lib/systemd/")


def apply_save_own(spec: SaveOwn, context: Context) -> None:
    files = context.host.files
    files.make_directory(spec.into.rsplit("/", 1)[0], 0o700)
    save_store(context.host, spec.into, spec.paths, replace(own_about(context), devices=spec.devices))


def own_about(context: Context) -> About:
    """This node's own files; its accounts are whatever they are, so none are named."""
    return About(
        controller=context.controller.name,
        node=context.node,
        created=context.host.now(),
        version=__version__,
        facts={},
    )


def apply_put_path(spec: PutPath, context: Context) -> None:
    restore_path(context.host, spec.store, spec.path, spec.devices)
    _tell_systemd(spec, context)


def undo_put_path(spec: PutPath, context: Context) -> None:
    """Without an own store nothing was replaced: saving it comes first and is whole or absent."""
    if context.host.files.exists(spec.own):
        restore_path(context.host, spec.own, spec.path, spec.devices)
        _tell_systemd(spec, context)


def _tell_systemd(spec: PutPath, context: Context) -> None:
    """Unit files count once systemd has read them, however far a restore came that was cut off."""
    if spec.path.startswith(UNIT_PLACES):
        context.host.run(["systemctl", "daemon-reload"], timeout=60)


def apply_save_capture(spec: SaveCapture, context: Context) -> None:
    read = context.read_facts or (lambda: read_node_facts(context.host, context.controller, context.node))
    facts = read()
    capturing = partial(
        capture,
        context.host,
        context.controller,
        context.node,
        epoch=spec.epoch,
        run=spec.run,
        facts=facts,
        elsewhere=find_parked(spec.parked, context),
    )
    wait_while_busy(context.host, capturing)
