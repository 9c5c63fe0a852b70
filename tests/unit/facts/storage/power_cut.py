"""Run as root inside `unshare --mount`: a file system on an image, a claim in it, and copies of the image as a power
cut would leave them, looked at through another loop device. Prints one JSON object; everything it made ends with it.

Usage: power_cut.py FSTYPE DIRECTORY
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tanist.facts.storage import check_claim_in_place, read_claim_offline, read_marks
from tanist.host.local import LocalHost
from tanist.journal.claimfile import create_claim, save_claim, settle
from tanist.model.claim import Claim
from tanist.model.definition import Asset, FsType
from tanist.model.host import Ran
from tanist.model.storage import StorageMarks
from tanist.model.unread import Unread

MAKE = {
    "ext4": ["mkfs.ext4", "-q", "-F", "-O", "mmp", "-E", "mmp_update_interval=1"],
    "xfs": ["mkfs.xfs", "-q", "-f"],
    "btrfs": ["mkfs.btrfs", "-q"],
}
FIRST = Claim(controller="opscenter", node="ec-a", epoch=1, state="held", since="2026-01-01T00:00:00Z", run="r1")
host = LocalHost()


def call(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def loop(image: Path) -> Any:
    device = call("losetup", "--find", "--show", str(image))
    try:
        yield device
    finally:
        call("losetup", "--detach", device)


def main(fstype: FsType, directory: Path) -> dict[str, object]:
    image, copy, tree = directory / "asset.img", directory / "cut.img", directory / "tree"
    call("truncate", "-s", "320M", str(image))
    call(*MAKE[fstype], str(image))
    tree.mkdir()
    seen: dict[str, object] = {}

    def cut(name: str, look: Callable[[Asset], object] | None = None) -> None:
        """What a standby reads of the image as it is on the disk now."""
        call("cp", "--sparse=always", str(image), str(copy))
        with loop(copy) as device:
            asset = Asset(kind="filesystem", device=device, fstype=fstype)
            seen[name] = describe(look(asset) if look else read_claim_offline(host, asset))

    with loop(image) as device:
        asset = Asset(kind="filesystem", device=device, fstype=fstype)
        call("mount", "-t", fstype, device, str(tree))
        try:
            create_claim(host, str(tree), FIRST)
            cut("created")
            for number in range(50):  # the owner is at work: its journal is full of things that are not at home
                (tree / f"file{number}").write_bytes(b"x" * 10000)
            second = replace(FIRST, node="ec-b", epoch=2, state="released")
            save_claim(host, str(tree), second)
            cut("saved")
            cut("marks mounted", lambda asset: read_marks(host, asset, watch_seconds=0))
            seen["here"] = describe(read_marks(host, asset, watch_seconds=0))
            (tree / "moved").write_bytes((tree / ".tanist/claim").read_bytes())
            call("sync", "-d", str(tree / "moved"))
            (tree / "moved").rename(tree / ".tanist/claim")  # what must never be done
            third = replace(second, epoch=3, state="held")
            save_claim(host, str(tree), third)
            cut("moved by rename", lambda asset: check_claim_in_place(host, asset, third))
            settle(host, str(tree))
            cut("settled", lambda asset: check_claim_in_place(host, asset, third))
            if fstype != "ext4":
                call("cp", "--reflink=always", str(tree / ".tanist/claim"), str(tree / "share"))
                fourth = replace(third, epoch=4)
                save_claim(host, str(tree), fourth)
                cut("shared", lambda asset: check_claim_in_place(host, asset, fourth))
                settle(host, str(tree))
                cut("shared and settled", lambda asset: check_claim_in_place(host, asset, fourth))
            seen["killed"] = killed_while_settling(tree)
            if fstype == "ext4":
                seen["moving"] = describe(watch_other_node(asset))
        finally:
            call("umount", str(tree))
    cut("unmounted")
    cut("marks unmounted", lambda asset: read_marks(host, asset, watch_seconds=0))
    cut("milliseconds", lambda asset: [round(took(partial(read, asset)), 1) for read in READS])
    return seen


READS: tuple[Callable[[Asset], object], ...] = (
    lambda asset: read_marks(host, asset, watch_seconds=0),
    lambda asset: read_claim_offline(host, asset),
)


def killed_while_settling(tree: Path) -> str:
    """The time limit strikes anywhere between freeze and thaw: the file system is never left frozen."""
    cut_off = 0
    for milliseconds in range(1, 60, 4):
        impatient = LocalHost()
        impatient.run = partial(run_in, milliseconds / 1000)  # type: ignore[method-assign]
        try:
            settle(impatient, str(tree))
        except OSError:
            cut_off += 1
        subprocess.run(["sync", "-f", str(tree)], check=True, timeout=60)
        subprocess.run(["touch", str(tree / "thawed")], check=True, timeout=60)
    return f"thawed, cut off {'at times' if cut_off else 'never'}"


def run_in(seconds: float, argv: Sequence[str], **_: Any) -> Ran:
    return LocalHost().run(argv, timeout=seconds)


def watch_other_node(asset: Asset) -> object:
    """As another node would see the mounted file system: without its line in the mount table."""

    elsewhere = LocalHost()
    elsewhere.mounts = lambda: ()  # type: ignore[method-assign]
    return read_marks(elsewhere, asset, watch_seconds=1.6)


def took(work: Callable[[], object]) -> float:
    times = []
    for _ in range(7):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return sorted(times)[3] * 1000


def describe(found: object) -> object:
    match found:
        case Claim():
            return f"{found.node} {found.epoch} {found.state}"
        case StorageMarks():
            return f"{found.state}: {found.detail}"
        case Unread():
            return f"unread: {found.why}"
    return found


if __name__ == "__main__":
    assert sys.argv[1] in MAKE
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2])), indent=1))  # type: ignore[arg-type]
