"""What test_capture_counts.py runs under strace(1): one capture of a small tree with many files."""

from __future__ import annotations

import os
import sys

from tanist.capture.habackup import capture
from tanist.host.fake import FakeHost
from tanist.model.definition import Asset, Controller, Identity, Node, Outside

FILES, TOGETHER = 3000, 100
DATA = "/etc/many"


def main(root: str) -> None:
    host = FakeHost(root, "ec-a", users={"root": 0}, groups={"root": 0})
    controller = Controller(
        name="counted",
        asset=Asset(kind="directory"),
        tree="/tree",
        identity=Identity(mode="alias", hostname="counted", addresses=(), ssh_host_keys="/keys"),
        nodes=(Node(name="ec-a", ssh="ec-a", management=()),),
        outside=Outside(directories=(DATA,)),
    )
    made = capture(host, controller, "ec-a", epoch=1, run="counted", facts={})
    print("unchanged" if made.unchanged else "made")


def make_tree(root: str) -> None:
    """Large enough that generations share their layers."""
    for number in range(FILES):
        directory = f"{root}{DATA}/{number // TOGETHER:02d}"
        os.makedirs(directory, exist_ok=True)
        with open(f"{directory}/{number}.conf", "wb") as file:
            file.write(b"%d\n" % number * 400)
    os.makedirs(f"{root}/tree/.tanist")
    with open(f"{root}/tree/.tanist/claim", "w") as file:
        file.write("{}")


if __name__ == "__main__":
    main(sys.argv[1])
