"""Runs on a node, with tanist's own environment: the asset taken and let go, by tanist's steps or by bare commands.

Usage: asset.py DEFINITION take|release tanist|COMMANDS. Prints the seconds; the caches of the disk are dropped before.
The start of this process is no part of it, on either side.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tanist.definition.load import load_controller
from tanist.host.local import LocalHost
from tanist.plan.acquire import mount_tree
from tanist.plan.layers import build_layers
from tanist.steps.context import Context
from tanist.steps.registry import handler_for

DROP = "sync; echo 3 >/proc/sys/vm/drop_caches; blockdev --flushbufs {}; udevadm settle"


def main(path: str, verb: str, way: str) -> float:
    controller = load_controller(Path(path).read_bytes(), path)
    for disk in controller.disks if verb == "take" else ():
        subprocess.run(["sh", "-c", DROP.format(disk)], check=True)
    if way != "tanist":
        return timed(lambda: subprocess.run(["sh", "-ec", way], check=True, stdout=subprocess.DEVNULL))
    context = Context(host=LocalHost(), controller=controller, node=controller.nodes[0].name)
    specs = [*(spec for _, spec in build_layers(controller.asset)), mount_tree(controller)]
    acts = [handler_for(type(spec)) for spec in specs]

    def take() -> None:
        for spec, handler in zip(specs, acts, strict=True):
            handler.apply(spec, context)

    def release() -> None:
        for spec, handler in zip(reversed(specs), reversed(acts), strict=True):
            handler.undo(spec, context)

    return timed(take if verb == "take" else release)


def timed(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
