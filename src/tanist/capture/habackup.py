"""Capture all that a controller needs outside its tree, into its tree. Only the active node does this.

The caller has checked that this node holds the claim and that the asset is mounted; that the tree is not a bare mount
point is checked here once more. What did not change is not written again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

from tanist import __version__
from tanist.capture.generations import (
    GenerationInfo,
    generation_name,
    list_generations,
    note_checked,
    read_generation,
    retire,
    verify_generation,
)
from tanist.capture.manifest import About
from tanist.capture.save import Base, SmallBase, can_go_on, save_changes, save_whole
from tanist.capture.seen import Noting, TornNote, open_seen, read_stamps, seen_path
from tanist.capture.store import NOWHERE_ELSE, load_head
from tanist.model.dataclasses import replace
from tanist.model.definition import Controller, SavedCommand
from tanist.model.errors import BadCapture, Busy, Failed, Refused

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
    commands: Sequence[SavedCommand] = (),
) -> GenerationInfo:
    """A new generation, or the newest good one marked `unchanged`. `facts`: a dataclass (model/codec.py) or a dict;
    what stands in them is part of what may have changed. `elsewhere`: captured paths that lie in another place for now.
    `commands`: those of the definition that are run now; of the others, what they said last is captured. Old
    generations are retired afterwards.

    Refused when the tree is bare, Busy when another capture is at work; in both cases, and when it is Failed, the last
    good generation stays.
    """
    with _failing(controller.name):
        _check_tree(host, controller)
    with capturing(host, controller.name, node):
        with _failing(controller.name):
            if controller.commands:
                from tanist.capture.commands import take_outputs

                take_outputs(host, controller, commands)
            generation = _capture(host, controller, node, epoch, run, facts, elsewhere)
        try:
            retire(host, captures_directory(controller), controller.retention, host.now())
        except OSError as error:
            raise Failed(f"{generation.name} is complete, but old captures could not be removed: {error}") from error
        return generation


@contextmanager
def capturing(host: Host, controller: str, node: str) -> Iterator[None]:
    """One at a time, on this node; Busy else."""
    lock = host.lock(f"/run/tanist/{controller}/capture.lock", f"a capture by process {os.getpid()} on {node}")
    if isinstance(lock, str):
        raise Busy(f"{controller} is being captured already: {lock}", next_step="wait for it to end")
    with closing(lock):
        yield


@contextmanager
def _failing(controller: str) -> Iterator[None]:
    """The asset itself cannot be read or written."""
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise Failed(
            f"{controller} could not be captured: {error.strerror}{where}; the captures that were there stay",
            next_step=f"look at the disk (dmesg), then: tanist captures {controller} --verify",
        ) from error


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
        devices=controller.devices,
    )
    listed = list_generations(host, directory)
    about = replace(about, created=_after_the_last(listed, about))  # what it says of itself is what it is called after
    into = f"{directory}/{generation_name(about.created, epoch, node)}"
    paths, seen = controller.captured_paths, ""
    with suppress(OSError):  # this node's own disk is in trouble: all the more is a capture wanted, a whole one
        seen = seen_path(host, controller.name)
    with closing(Going(host, seen, listed[0] if listed else None, paths)) as going:
        if going.base is None:
            return _save_whole(host, into, paths, about, elsewhere, seen)
        with closing(Noting(seen, going.base.seen)) as noting:
            try:
                made = save_changes(host, into, paths, about, elsewhere, noting, going.base)
            except (SmallBase, TornNote):
                return _save_whole(host, into, paths, about, elsewhere, seen)
            if made is not None:
                return _made(host, into)
            generation = listed[0]
            if noting.is_changed() or not going.believed:
                noting.save({"generation": generation.name, "stamps": read_stamps(host, generation.path)})
    with suppress(OSError):  # a hint for people: a full asset must not spoil a capture that has nothing to write
        note_checked(host, directory, generation.name, now)
    return replace(generation, unchanged=True)


def _save_whole(
    host: Host, into: str, paths: tuple[str, ...], about: About, elsewhere: Mapping[str, str], seen: str
) -> GenerationInfo:
    with closing(Noting(seen)) as noting:
        save_whole(host, into, paths, about, elsewhere, noting)
        return _made(host, into)


class Going:
    """The newest generation, if a new one can go on from it; close() it."""

    def __init__(self, host: Host, seen: str, newest: GenerationInfo | None, paths: tuple[str, ...]) -> None:
        self.base: Base | None = None
        self.believed = False  # its parts are the files that this node wrote; else every byte was read
        self._file: BinaryIO | None = None
        found = open_seen(seen)
        if found is None:
            return
        self._file, head = found
        if newest is not None and newest.state != "bad" and head.get("generation") == newest.name:
            self.believed = head.get("stamps") == read_stamps(host, newest.path)
            self.base = self._find_base(host, newest, paths, self._file)

    def _find_base(self, host: Host, newest: GenerationInfo, paths: tuple[str, ...], seen: BinaryIO) -> Base | None:
        """None beside a bad one: then everything is wanted anew."""
        if not self.believed and verify_generation(host, newest).state != "good":
            return None
        try:
            manifest = load_head(host, newest.path)
        except BadCapture:
            return None
        if not can_go_on(host, manifest, paths):
            return None
        return Base(store=newest.path, manifest=manifest, seen=seen)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _made(host: Host, store: str) -> GenerationInfo:
    generation = read_generation(host, *os.path.split(store))
    assert generation is not None
    return replace(generation, state="good")


def _after_the_last(listed: tuple[GenerationInfo, ...], about: About) -> float:
    """The time, but later than that of the last generation in this epoch, even when the clock went back."""
    last = max((g.created_seconds for g in listed if g.epoch == about.epoch), default=0.0)
    return max(about.created, last + 0.001)
