"""Save a new store: all of it, or what has changed since an older one, whose layers it shares (hard links).

It is written as NAME.partial-PID, synced, then renamed; whatever goes wrong, nothing of it is kept.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, BinaryIO

from tanist.capture.acl import ids_of
from tanist.capture.layer import Layer, WriteFailed, Written
from tanist.capture.manifest import About, Manifest, Numbers, Part
from tanist.capture.manifest_format import parse_manifest, render_manifest
from tanist.capture.names import CHECKSUM, CONTENT, LAYERS, MANIFEST, PARTIAL, README, layer_parts
from tanist.capture.readme import render_readme
from tanist.capture.scan import Scan, scan_paths
from tanist.capture.seen import Blocks, Noting, read_stamps
from tanist.capture.store import LIMITS, NOWHERE_ELSE, clean_partials, opened, sha256_of
from tanist.capture.tarball import Named
from tanist.model.codec import encode
from tanist.model.dataclasses import dataclass, field, replace
from tanist.model.errors import Failed

if TYPE_CHECKING:
    from tanist.host.host import Host

SHARE_FROM = 4 << 20  # bytes: smaller stores share nothing, so that damage to one is damage to one alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The store that a new one goes on from, and what the files looked like then."""

    store: str
    manifest: Manifest
    seen: BinaryIO
    share_from: int = SHARE_FROM

    def is_small(self) -> bool:
        return sum(part.size for _, part in self.manifest.parts) < self.share_from


class SmallBase(Exception):
    """Something has changed, and what it would go on from is so small that the new store is to stand for itself."""


@dataclass(slots=True)
class Saving:
    """A store that has not got its name yet. Its directory is made when there is something to write."""

    host: Host
    into: str
    base: Base | None
    noting: Noting
    layer: Layer | None = None
    directory: int = -1
    written: list[Written] = field(default_factory=list)

    @property
    def partial(self) -> str:
        return f"{self.into}{PARTIAL}{os.getpid()}"

    def make_layer(self, user: Named, group: Named) -> Layer:
        if self.base is not None and self.base.is_small():
            raise SmallBase
        try:
            files = self.host.files
            files.make_directory(os.path.dirname(self.into), 0o700)
            clean_partials(self.host, os.path.dirname(self.into))
            place = files.real(self.partial)
            os.mkdir(place, 0o700)  # not synced: that comes with its name
            os.chmod(place, 0o700)
            self.directory = files.open_directory(self.partial)
            number = self.base.manifest.layers if self.base else 0
            self.layer = Layer(self.directory, number, user, group)
        except OSError as error:
            raise WriteFailed(error) from error
        return self.layer

    def finish(self, manifest: Manifest) -> Manifest:
        """The store has its name, and is on disk. All is written before the first sync, so that a file system with a
        journal commits once for all of it."""
        assert self.layer is not None
        new = dict(self.layer.finish())
        old = dict(self.base.manifest.parts) if self.base else {}
        if self.base is not None:
            self._link(self.base, [name for name in old if name != README])
        readme = render_readme(manifest, self.layer.number + 1)
        layers = {name: {**old, **new}[name] for n in range(self.layer.number + 1) for name in layer_parts(n)}
        parts = {README: self._write(README, readme), **layers}
        text = render_manifest(replace(manifest, parts=tuple(parts.items())))
        if len(text) > LIMITS[MANIFEST]:
            raise ValueError(f"its manifest is longer than {LIMITS[MANIFEST] >> 20} MiB")
        self._write(MANIFEST, text)
        self._write(CHECKSUM, f"{sha256_of(text)}  {MANIFEST}\n".encode())
        loaded = parse_manifest(text)  # what cannot be loaded again must not be kept
        self.noting.ready({"generation": os.path.basename(self.into), "stamps": read_stamps(self.host, self.partial)})
        self.layer.sync()
        for file in self.written:
            file.sync()
        os.fsync(self.directory)
        self.noting.sync()
        self.host.files.move(self.partial, self.into)
        self.noting.take_place()
        return loaded

    def _link(self, base: Base, names: Sequence[str]) -> None:
        with opened(self.host, base.store) as there:
            for name in names:
                os.link(name, name, src_dir_fd=there, dst_dir_fd=self.directory, follow_symlinks=False)

    def _write(self, name: str, data: bytes) -> Part:
        file = Written(self.directory, name)
        self.written.append(file)
        file.write(data)
        return file.part()

    def close(self) -> None:
        for file in self.written:
            file.close()
        if self.layer is not None:
            self.layer.close()
        if self.directory >= 0:
            os.close(self.directory)
        with contextlib.suppress(OSError):  # else the next save removes it
            self.host.files.remove_tree(self.partial)


@contextlib.contextmanager
def saving(host: Host, into: str, base: Base | None, noting: Noting) -> Iterator[Saving]:
    """Nothing is left of it when the block is left before finish()."""
    work = Saving(host, into, base, noting)
    try:
        yield work
    except (WriteFailed, OSError, ValueError) as error:
        if isinstance(error, ValueError):
            raise Failed(f"what was found cannot be stored: {error}") from error
        cause = error.error if isinstance(error, WriteFailed) else error
        why = cause.strerror or cause
        raise Failed(f"{into} could not be written: {why}; nothing of it is kept") from error
    finally:
        work.close()


def save_whole(
    host: Host,
    into: str,
    paths: Sequence[str],
    about: About,
    elsewhere: Mapping[str, str] = NOWHERE_ELSE,
    noting: Noting | None = None,
) -> Manifest:
    """Everything at `paths`, whatever was saved before."""
    noting = noting or Noting()
    with saving(host, into, None, noting) as work:
        scan = Scan(
            host=host,
            make_layer=work.make_layer,
            blocks=Blocks(),
            noting=noting,
            elsewhere=elsewhere,
            devices_allowed=frozenset(about.devices),
        )
        scan.layer = work.make_layer(scan.user, scan.group)
        scan_paths(scan, paths)
        return work.finish(build_manifest(host, scan, about))


def save_changes(
    host: Host,
    into: str,
    paths: Sequence[str],
    about: About,
    elsewhere: Mapping[str, str],
    noting: Noting,
    base: Base,
) -> Manifest | None:
    """What has changed since `base` was saved, as one more layer; None when nothing has. SmallBase: save it whole."""
    with saving(host, into, base, noting) as work:
        scan = Scan(
            host=host,
            make_layer=work.make_layer,
            blocks=Blocks(base.seen),
            noting=noting,
            elsewhere=elsewhere,
            devices_allowed=frozenset(about.devices),
        )
        for known, numbers in zip(scan.names, (base.manifest.owners, base.manifest.owner_groups), strict=True):
            known.update(numbers)
        scan_paths(scan, paths)
        manifest = _go_on(build_manifest(host, scan, about), base.manifest)
        if not scan.is_changed() and manifest.same_state(base.manifest):
            return None
        if work.layer is None:
            work.make_layer(scan.user, scan.group)
        return work.finish(manifest)


def _go_on(manifest: Manifest, base: Manifest) -> Manifest:
    """With the numbers of the entries that were not looked at again."""
    return replace(
        manifest,
        owners=_merged(base.owners, manifest.owners),
        owner_groups=_merged(base.owner_groups, manifest.owner_groups),
        acl_users=_merged(base.acl_users, manifest.acl_users),
        acl_groups=_merged(base.acl_groups, manifest.acl_groups),
    )


def _merged(old: Numbers, new: Numbers) -> Numbers:
    return tuple(sorted({**dict(old), **dict(new)}.items()))


def can_go_on(host: Host, base: Manifest, paths: Sequence[str]) -> bool:
    """Does what is known of the older store still hold: the same paths, the same names for all numbers?"""
    return (
        base.layers < LAYERS
        and _later_layers(base) <= dict(base.parts)[CONTENT].size + SHARE_FROM
        and {item.path for item in base.asked} == set(paths)
        and all((host.user_name(number) or "") == name for number, name in (*base.owners, *base.acl_users))
        and all((host.group_name(number) or "") == name for number, name in (*base.owner_groups, *base.acl_groups))
    )


def _later_layers(manifest: Manifest) -> int:
    """Bytes of content."""
    return sum(part.size for name, part in manifest.parts if name.startswith(CONTENT) and name != CONTENT)


def build_manifest(host: Host, scan: Scan, about: About) -> Manifest:
    """What a scan found, as a manifest whose parts are not written yet."""
    users, groups = ids_of(scan.acls)
    return Manifest(
        controller=about.controller,
        node=about.node,
        created=render_instant(about.created),
        epoch=about.epoch,
        run=about.run,
        version=about.version,
        asked=tuple(scan.asked),
        parents=tuple(scan.parents.values()),
        users=tuple((name, host.user_id(name)) for name in sorted(set(about.users))),
        groups=tuple((name, host.group_id(name)) for name in sorted(set(about.groups))),
        owners=tuple(sorted(scan.owners.items())),
        owner_groups=tuple(sorted(scan.owner_groups.items())),
        acl_users=tuple((number, scan.user(number)) for number in users if scan.user(number)),
        acl_groups=tuple((number, scan.group(number)) for number in groups if scan.group(number)),
        unsteady=tuple(sorted(set(scan.unsteady))),
        facts=json.loads(json.dumps(about.facts if isinstance(about.facts, dict) else encode(about.facts))),
        count=scan.count,
    )


def render_instant(seconds: float) -> str:
    ns = round(seconds * 1e6) * 1000
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ns // 10**9)) + f".{ns % 10**9:09d}Z"
