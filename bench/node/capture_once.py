"""One capture, or one restore of it, in a process of its own: capture_once.py capture|restore TREE DATA NAME"""

from __future__ import annotations

import resource
import sys

from tanist.capture.generations import list_generations
from tanist.capture.habackup import capture, captures_directory
from tanist.capture.restore import restore_path
from tanist.host.local import LocalHost
from tanist.model.definition import Asset, Controller, Identity, Node, Outside


def main() -> int:
    what, tree, data, name = sys.argv[1:]
    host = LocalHost()
    controller = Controller(
        name=name,
        asset=Asset(kind="directory"),
        tree=tree,
        identity=Identity(mode="alias", hostname="bench", addresses=(), ssh_host_keys=f"{tree}.keys"),
        nodes=(Node(name="here", ssh="here", management=()),),
        outside=Outside(directories=(data,)),
    )
    if what == "capture":
        made = capture(host, controller, "here", epoch=1, run="bench", facts={})
        print("unchanged" if made.unchanged else "made", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    else:
        newest = list_generations(host, captures_directory(controller))[0]
        restore_path(host, newest.path, data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
