"""Host -> Beside: unit files, account entries, exports, mounts and the features of the asset's file system.

Changes nothing, never raises OSError. Only what stays the same from one capture to the next while nobody changes it.
"""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING

from tanist.facts.entries import read_account_entries
from tanist.facts.features import read_features
from tanist.facts.unitfiles import read_unit_files
from tanist.model.beside import Beside, MountPoint
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Controller

EXPORTS, EXPORTS_D = "/etc/exports", "/etc/exports.d"
PASSING = ("idmapped", "remount")  # what is tanist's own doing


def read_beside(host: Host, controller: Controller) -> Beside:
    return Beside(
        units=read_unit_files(host, [one.unit for one in controller.services]),
        accounts=read_account_entries(host, controller.accounts),
        exports=read_exports(host, f"tanist-{controller.name}.exports"),
        mounts=read_mount_points(host, controller),
        features=read_features(host, controller.asset),
    )


def read_exports(host: Host, ours: str) -> tuple[str, ...] | Unread:
    """Lines of the node's own files, a continued one as one; `ours` is what a takeover writes."""
    found: list[str] = []
    try:
        names = host.files.list(EXPORTS_D) if host.files.exists(EXPORTS_D) else ()
        own = [f"{EXPORTS_D}/{name}" for name in names if name.endswith(".exports") and name != ours]
        for path in (EXPORTS, *own):
            if host.files.exists(path):
                text = host.files.read(path, 1 << 20).decode("utf-8", "replace").replace("\\\n", " ")
                lines = (line.partition("#")[0].split() for line in text.splitlines())
                found += [" ".join(words) for words in lines if words]
    except OSError as error:
        return Unread(f"{error.filename or EXPORTS}: {error.strerror or error}")
    return tuple(sorted(found))


def read_mount_points(host: Host, controller: Controller) -> tuple[MountPoint, ...] | Unread:
    """Each mount that holds the directory above the tree, or above a path outside it."""
    try:
        mounts = host.mounts()
    except OSError as error:
        return Unread(f"mounts: {error.strerror or error}")
    top = {one.target: one for one in mounts}  # the last one at a place is the one on top
    found = {}
    for path in (controller.tree, *controller.own_paths):
        place = os.path.dirname(path)
        while place not in top and place != "/":
            place = os.path.dirname(place)
        if place in top:
            one = top[place]
            options = tuple(sorted(set(one.options) - set(PASSING)))
            found[place] = MountPoint(target=place, fstype=one.fstype, options=options)
    return tuple(found[place] for place in sorted(found))
