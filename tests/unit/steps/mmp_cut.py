"""Run as root inside `unshare --mount`: an ext4 with MMP, copied while mounted as a power cut leaves it, and set free.

Usage: mmp_cut.py DIRECTORY. Prints one JSON object; everything it made ends with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from tanist.facts.storage import read_marks
from tanist.host.local import LocalHost
from tanist.model.definition import Asset, Controller
from tanist.model.steps import FreeMmp
from tanist.model.storage import StorageMarks
from tanist.steps.context import Context
from tanist.steps.storage import apply_free_mmp

host = LocalHost()


def call(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def loop(image: Path) -> Iterator[str]:
    device = call("losetup", "--find", "--show", str(image))
    try:
        yield device
    finally:
        call("losetup", "--detach", device)


@contextmanager
def mounted(device: str, tree: Path) -> Iterator[None]:
    call("mount", "-t", "ext4", device, str(tree))
    try:
        yield
    finally:
        call("umount", str(tree))


def is_clean(device: str) -> Any:
    marks = read_marks(host, Asset(kind="filesystem", device=device, fstype="ext4"), watch_seconds=0.0)
    return marks.mmp is not None and marks.mmp.clean if isinstance(marks, StorageMarks) else marks.why


def main(directory: Path) -> dict[str, Any]:
    image, copy, tree = directory / "asset.img", directory / "cut.img", directory / "tree"
    call("truncate", "-s", "64M", str(image))
    call("mkfs.ext4", "-q", "-F", "-O", "mmp", "-E", "mmp_update_interval=1", str(image))
    tree.mkdir()
    context = Context(host=host, controller=cast("Controller", None), node="ec-b")
    with loop(image) as device, mounted(device, tree):
        (tree / "written").write_text("and synced")
        call("sync", "-f", str(tree))
        call("cp", "--sparse=always", str(image), str(copy))
        apply_free_mmp(FreeMmp(device=device), context)
        here = is_clean(device)
    with loop(copy) as device:
        before = is_clean(device)
        apply_free_mmp(FreeMmp(device=device), context)
        after = is_clean(device)
        apply_free_mmp(FreeMmp(device=device), context)
        with mounted(device, tree):
            found = (tree / "written").read_text()
        check = subprocess.run(["e2fsck", "-fn", device], capture_output=True, check=False).returncode
    return {"mounted here": here, "cut": before, "freed": after, "found": found, "e2fsck": check}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
