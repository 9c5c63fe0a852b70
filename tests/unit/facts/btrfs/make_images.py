"""Run as root inside `unshare --mount`: real btrfs with a claim, copied while mounted (`-logged`: the newest claim is
in the log alone) and after the unmount. Prints {} as JSON; everything but the images ends with it.

Usage: make_images.py DIRECTORY
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from tanist.host.local import LocalHost
from tanist.journal.claimfile import create_claim, save_claim
from tanist.model.claim import Claim

FIRST = Claim(controller="opscenter", node="ec-a", epoch=1, state="held", since="2026-01-01T00:00:00Z", run="r1")
SECOND, THIRD = replace(FIRST, epoch=2), replace(FIRST, epoch=3, state="released")
CHECKSUMS = ("crc32c", "xxhash", "sha256", "blake2")
host = LocalHost()


def call(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def make(directory: Path, name: str, images: int, *words: str, options: str = "noatime") -> None:
    """Epoch 1 is committed, 2 logged, 3 committed again, each copied."""
    paths = [directory / f"{name}-{letter}.img" for letter in "ab"[:images]]
    for path in paths:
        call("truncate", "-s", "128M", str(path))
    call("mkfs.btrfs", "-q", *words, *map(str, paths))
    devices = [call("losetup", "--find", "--show", str(path)) for path in paths]
    tree = directory / "tree"
    tree.mkdir(exist_ok=True)
    try:
        options = ",".join((options, *(f"device={device}" for device in devices)))
        call("mount", "-t", "btrfs", "-o", options, devices[0], str(tree))
        try:
            fill(tree)
            create_claim(host, str(tree), FIRST)
            copy(paths, "created")
            save_claim(host, str(tree), SECOND)
            copy(paths, "logged")
            save_claim(host, str(tree), THIRD)
        finally:
            call("umount", str(tree))
        copy(paths, "unmounted")
    finally:
        for device in devices:
            call("losetup", "--detach", device)


def fill(tree: Path) -> None:
    """More than one leaf of names and files, so that there are nodes above them."""
    for number in range(400):
        (tree / f"a file with a name that takes some room in a leaf, as names do {number}").write_bytes(b"x" * 100)
    call("sync", "-f", str(tree))


def copy(paths: list[Path], state: str) -> None:
    for path in paths:
        call("cp", "--sparse=always", str(path), str(path.with_name(f"{path.stem}-{state}")))


if __name__ == "__main__":
    place = Path(sys.argv[1])
    for kind in CHECKSUMS:
        make(place, kind, 1, "--csum", kind)
    make(place, "packed", 1, options="compress-force=zstd")
    make(place, "mirror", 2, "-d", "raid1", "-m", "raid1")
    make(place, "striped", 2, "-d", "raid0", "-m", "raid1")
    print(json.dumps({}))
