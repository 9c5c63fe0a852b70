"""The captures in a directory (TREE/.tanist/captures, or a mirror): which there are, which is the newest good one.

A generation's name tells when, in which epoch and where it was made: 20260131T174447.123Z-e7-ec-a. Newer means a
higher epoch, then a later time: clocks of two nodes may differ, epochs do not.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from tanist.capture.names import ENTRIES, PARTIAL, store_files
from tanist.model.dataclasses import dataclass, replace
from tanist.model.errors import BadCapture

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Retention

NAME = re.compile(r"(\d{8}T\d{6})\.(\d{3})Z-e(\d{1,18})-([A-Za-z0-9][A-Za-z0-9._-]{0,99})")
CHECKED = "checked.json"  # when a capture last found that nothing had changed


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationInfo:
    name: str
    path: str
    created: str  # ISO 8601, UTC, milliseconds
    node: str
    epoch: int
    size: int  # bytes on disk
    state: Literal["good", "unknown", "bad"]  # good: every byte was verified just now; unknown: it looks whole
    reason: str = ""  # bad: what is wrong
    unchanged: bool = False  # a capture found nothing new, and this one still holds

    @property
    def created_seconds(self) -> float:
        """Seconds since the epoch."""
        return datetime.fromisoformat(self.created).timestamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The newest generation that is good in every byte, and the newer ones that are not (with their reasons)."""

    generation: GenerationInfo | None
    refused: tuple[GenerationInfo, ...] = ()


def generation_name(created: float, epoch: int, node: str) -> str:
    ms = round(created * 1000)  # a float has no exact milliseconds: cut off, two generations could have one name
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(ms // 1000))}.{ms % 1000:03d}Z-e{epoch}-{node}"


def parse_generation_name(name: str) -> tuple[str, int, str] | None:
    """(created as ISO 8601, epoch, node), or None for what is no generation."""
    found = NAME.fullmatch(name)
    if found is None or PARTIAL in name:
        return None
    stamp, ms, epoch, node = found.groups()
    created = f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:11]}:{stamp[11:13]}:{stamp[13:]}.{ms}Z"
    try:
        datetime.fromisoformat(created)
    except ValueError:
        return None
    return created, int(epoch), node


def list_generations(host: Host, directory: str) -> tuple[GenerationInfo, ...]:
    """All of them, newest first, after a look at names and sizes only. No directory: none."""
    if not host.files.exists(directory):
        return ()
    found = (read_generation(host, directory, name) for name in host.files.list(directory))
    return tuple(sorted((item for item in found if item), key=lambda it: (it.epoch, it.created), reverse=True))


def read_generation(host: Host, directory: str, name: str) -> GenerationInfo | None:
    parsed = parse_generation_name(name)
    if parsed is None:
        return None
    path = f"{directory}/{name}"
    sizes = _read_sizes(host, path)
    missing = [part for part in store_files(1) if part not in sizes or (sizes[part] == 0 and part != ENTRIES)]
    return GenerationInfo(
        name=name,
        path=path,
        created=parsed[0],
        epoch=parsed[1],
        node=parsed[2],
        size=sum(sizes.values()),
        state="bad" if missing else "unknown",
        reason=f"{', '.join(missing)}: missing or empty" if missing else "",
    )


def _read_sizes(host: Host, store: str) -> dict[str, int]:
    found = {}
    with suppress(OSError), os.scandir(host.files.real(store)) as names:
        for one in names:
            found[one.name] = one.stat(follow_symlinks=False).st_size
    return found


def verify_generation(host: Host, generation: GenerationInfo) -> GenerationInfo:
    """The same, good or bad: every byte was read."""
    from tanist.capture.store import verify_store

    try:
        manifest = verify_store(host, generation.path)
    except BadCapture as error:
        return replace(generation, state="bad", reason=error.message)
    if (manifest.node, manifest.epoch) != (generation.node, generation.epoch):
        return replace(generation, state="bad", reason=f"{generation.name} holds another generation's capture")
    return replace(generation, state="good", reason="")


def newest_good(host: Host, directory: str) -> Newest:
    refused: list[GenerationInfo] = []
    for generation in list_generations(host, directory):
        verified = verify_generation(host, generation)
        if verified.state == "good":
            return Newest(generation=verified, refused=tuple(refused))
        refused.append(verified)
    return Newest(generation=None, refused=tuple(refused))


def retire(host: Host, directory: str, retention: Retention, now: float) -> tuple[str, ...]:
    """Remove what is neither among the newest `keep` nor younger than `keep_days`; answers the names. The newest good
    one stays, however old; what a killed process left half done or half removed goes. `now`: seconds."""
    from tanist.capture.store import clean_partials

    if host.files.exists(directory):
        clean_partials(host, directory)
    oldest = now - retention.keep_days * 86400
    too_many = list_generations(host, directory)[max(retention.keep, 1) :]
    old = [item for item in too_many if item.created_seconds < oldest]
    if not old:
        return ()
    good = newest_good(host, directory).generation
    gone = tuple(item.name for item in old if good is None or item.name != good.name)
    for name in gone:
        away = f"{directory}/{name}{PARTIAL}{os.getpid()}"  # a half removed one must not look like a torn one
        host.files.move(f"{directory}/{name}", away)
        host.files.remove_tree(away)
    return gone


def note_checked(host: Host, directory: str, generation: str, now: float) -> None:
    """A capture at `now` found that `generation` still holds everything."""
    import json

    from tanist.capture.save import render_instant

    text = json.dumps({"format": 1, "generation": generation, "checked": render_instant(now)})
    host.files.write(f"{directory}/{CHECKED}", text.encode() + b"\n")


def read_checked(host: Host, directory: str) -> tuple[str, str] | None:
    """(generation, when it was last found to be current, ISO 8601), or None: a hint for people and `status`."""
    import json

    try:
        data = json.loads(host.files.read(f"{directory}/{CHECKED}", 4096))
        generation, checked = data["generation"], data["checked"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not isinstance(generation, str) or not isinstance(checked, str):
        return None
    return generation, checked
