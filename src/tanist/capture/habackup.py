"""Capture all that a controller needs outside its tree, into its tree. Only the active node does this.

The caller has checked that this node holds the claim and that the asset is mounted; that the tree is not a bare mount
point is checked here once more. What did not change is not written again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from tanist import __version__
from tanist.capture.generations import (
    GenerationInfo,
    generation_name,
    list_generations,
    newest_good,
    note_checked,
    read_generation,
    retire,
)
from tanist.capture.manifest import About
from tanist.capture.scan import NOWHERE_ELSE, scan_paths
from tanist.capture.store import build_manifest, load_manifest, save_store
from tanist.capture.tarball import Nowhere
from tanist.model.dataclasses import replace
from tanist.model.definition import Controller
from tanist.model.errors import Busy, Failed, Refused

if TYPE_CHECKING:
    from tanist.host.host import Host


def captures_directory(controller: Controller) -> str:
    return f"{controller.tree}/.tanist/captures"


def capture(
    host: Host,
    controller: Controller,
    node: str,
    *,
    epoch: int,
    run: str,
    facts: object,
    elsewhere: Mapping[str, str] = NOWHERE_ELSE,
) -> GenerationInfo:
    """A new generation, or the newest good one marked `unchanged`. `facts`: a dataclass (model/codec.py) or a dict;
    what stands in them is part of what may have changed. `elsewhere`: captured paths that lie in another place for now.
    Old generations are retired afterwards.

    Refused when the tree is bare, Busy when another capture is at work; in both cases, and when it is Failed, the last
    good generation stays.
    """
    _check_tree(host, controller)
    lock = host.lock(f"/run/tanist/{controller.name}/capture.lock", f"a capture by process {os.getpid()} on {node}")
    if isinstance(lock, str):
        raise Busy(f"{controller.name} is being captured already: {lock}", next_step="wait for it to end")
    with closing(lock):
        generation = _capture(host, controller, node, epoch, run, facts, elsewhere)
        try:
            retire(host, captures_directory(controller), controller.retention, host.now())
        except OSError as error:
            raise Failed(f"{generation.name} is complete, but old captures could not be removed: {error}") from error
        return generation


def _check_tree(host: Host, controller: Controller) -> None:
    if host.files.stat(f"{controller.tree}/.tanist/claim", follow=False) is None:
        raise Refused(
            f"{controller.tree} is not the asset of {controller.name}: it has no .tanist/claim, so the asset is "
            "not mounted here and nothing may be captured into the bare directory",
            next_step=f"tanist status {controller.name}",
        )


def _capture(
    host: Host,
    controller: Controller,
    node: str,
    epoch: int,
    run: str,
    facts: object,
    elsewhere: Mapping[str, str],
) -> GenerationInfo:
    directory, now = captures_directory(controller), host.now()
    about = About(
        controller=controller.name,
        node=node,
        created=now,
        epoch=epoch,
        run=run,
        version=__version__,
        users=controller.accounts.users,
        groups=controller.accounts.groups,
        facts=facts,
    )
    unchanged = _find_unchanged(host, controller, about, elsewhere)
    if unchanged is not None:
        with suppress(OSError):  # a hint for people: a full asset must not spoil a capture that has nothing to write
            note_checked(host, directory, unchanged.name, now)
        return unchanged
    name = generation_name(_after_the_last(host, directory, about), epoch, node)
    save_store(host, f"{directory}/{name}", controller.captured_paths, about, elsewhere)
    generation = read_generation(host, directory, name)
    assert generation is not None
    return replace(generation, state="good")


def _find_unchanged(
    host: Host, controller: Controller, about: About, elsewhere: Mapping[str, str]
) -> GenerationInfo | None:
    newest = newest_good(host, captures_directory(controller))
    if newest.generation is None or newest.refused:
        return None  # beside a bad one a new one is wanted
    scan = scan_paths(host, controller.captured_paths, Nowhere(), elsewhere)
    if scan.unsteady or not load_manifest(host, newest.generation.path).same_state(build_manifest(host, scan, about)):
        return None
    return replace(newest.generation, unchanged=True)


def _after_the_last(host: Host, directory: str, about: About) -> float:
    """The time, but later than that of the last generation in this epoch, even when the clock went back."""
    last = max((g.created_seconds for g in list_generations(host, directory) if g.epoch == about.epoch), default=0.0)
    return max(about.created, last + 0.001)
