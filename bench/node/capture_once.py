"""One thing done with captures, in a process of its own; says how it ended and the peak of its memory in KiB.

capture_once.py capture|restore|verify|diff|compare TREE DATA NAME. `diff`: the newest two captures; `compare`: the
newest one with DATA as it is now.
"""

from __future__ import annotations

import resource
import sys

from tanist.capture.generations import list_generations, verify_generation
from tanist.capture.habackup import capture, captures_directory
from tanist.host.local import LocalHost
from tanist.model.definition import Asset, Controller, Identity, Node, Outside


def main() -> int:
    what, tree, data, name = sys.argv[1:]
    controller = Controller(
        name=name,
        asset=Asset(kind="directory"),
        tree=tree,
        identity=Identity(mode="alias", hostname="bench", addresses=(), ssh_host_keys=f"{tree}.keys"),
        nodes=(Node(name="here", ssh="here", management=()),),
        outside=Outside(directories=(data,)),
    )
    print(act(what, LocalHost(), controller, data), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return 0


def act(what: str, host: LocalHost, controller: Controller, data: str) -> str:
    """What came of it, in a word."""
    if what == "capture":
        made = capture(host, controller, "here", epoch=1, run="bench", facts={})
        return "unchanged" if made.unchanged else "made"
    found = list_generations(host, captures_directory(controller))
    if what == "verify":
        return verify_generation(host, found[0]).state
    from tanist.capture.differ import diff_manifests
    from tanist.capture.restore import compare_path, restore_path
    from tanist.capture.store import load_manifest

    if what == "diff":
        old, new = (load_manifest(host, one.path) for one in (found[1], found[0]))
        return str(sum(1 for _ in diff_manifests(old, new)))
    if what == "compare":
        return str(len(compare_path(host, found[0].path, data)))
    return str(bool(restore_path(host, found[0].path, data)))


if __name__ == "__main__":
    sys.exit(main())
