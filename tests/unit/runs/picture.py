"""Everything about a fake machine that a person could see, as one value to be compared."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tanist.facts.storage import read_claim_offline
from tanist.journal.journal import runs_directory
from tanist.model.claim import Claim
from tanist.plan import places
from tests.unit.runs.world import TREE, Node, World

Picture = dict[str, object]
KEPT = ("/var/lib/tanist", "/run", "/etc/tanist/parked", f"{TREE}/.tanist")  # tanist's own records


def take(world: World, name: str) -> Picture:
    node = world.nodes[name]
    claim = read_claim_offline(node, world.controller.asset, TREE)
    return {
        "files": files_below(Path(node.root)),
        "disk": files_below(Path(world.disk.path)),
        "mounts": sorted((mount.target, mount.source, mount.root, mount.options) for mount in node.mounts()),
        "addresses": sorted(str(one) for interface in node.interfaces() for one in interface.addresses),
        "units": {unit: one.state for unit, one in node.units.items()},
        "hostname": node.hostname(),
        "exported": node.exported,
        "ssh keys shown": node.shown,
        "claim": (claim.node, claim.epoch, claim.state) if isinstance(claim, Claim) else claim,
        "active": node.files.exists(places.active_file("oc")),
        "open runs": open_runs(node),
        "covers": node.files.exists("/run/tanist/oc/sshd_config"),
    }


def open_runs(node: Node) -> int:
    directory = runs_directory("oc")
    if not node.files.exists(directory):
        return 0
    return sum(name.endswith(".jsonl") for name in node.files.list(directory))


def files_below(top: Path) -> dict[str, object]:
    """Kind, mode, owner, group, content; the time as well of what is no directory."""
    found: dict[str, object] = {}
    for here, directories, files in os.walk(top):
        place = "/" + os.path.relpath(here, top) if here != str(top) else ""
        directories[:] = [one for one in directories if f"{place}/{one}" not in KEPT and one != ".tanist"]
        for name in (*directories, *files):
            info = os.lstat(f"{here}/{name}")
            facts: tuple[object, ...] = (oct(info.st_mode), info.st_uid, info.st_gid)
            if stat.S_ISREG(info.st_mode):
                made = name.startswith("tanist-")  # anew each time, so that its time says nothing
                facts = (*facts, Path(here, name).read_bytes(), 0 if made else info.st_mtime_ns)
            found[f"{place}/{name}"] = facts
    return found


def differences(one: Picture, other: Picture) -> dict[str, object]:
    """By topic, what only one of them has."""
    found: dict[str, object] = {}
    for topic in one:
        before, after = one[topic], other[topic]
        if isinstance(before, dict) and isinstance(after, dict):
            for key in sorted({*before, *after}):
                if before.get(key) != after.get(key):
                    found[f"{topic} {key}"] = (before.get(key), after.get(key))
        elif before != after:
            found[topic] = (before, after)
    return found
