"""Run as root inside `unshare --mount`: a file system as a power cut leaves it, checked as a takeover can ask for.

Usage: replayed.py FSTYPE DIRECTORY. Prints one JSON object; everything it made ends with it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Literal, cast

from tanist.facts.device import crc32c
from tanist.facts.kernellog import read_mount_log
from tanist.host.local import LocalHost
from tanist.model.definition import Controller
from tanist.model.errors import Failed
from tanist.model.steps import CheckFileSystem
from tanist.steps.context import Context
from tanist.steps.filesystem import apply_check_file_system
from tests.unit.steps.mmp_cut import call, loop

host = LocalHost()
MAKE = {"ext4": ("mkfs.ext4", "-q", "-F"), "xfs": ("mkfs.xfs", "-q", "-f")}
# an inode that something refers to is wiped out; the journal is empty by then
DAMAGE = {
    "ext4": ("debugfs", "-w", "-R", "clri /kept"),
    "xfs": ("xfs_db", "-x", "-c", "path /kept", "-c", "write -d core.nlinkv2 7"),
}


def overwrite_feature(device: str, fstype: str) -> None:
    """A bit that no kernel knows, with a right checksum."""
    size = 4096
    with open(device, "r+b", buffering=0) as file:
        head = bytearray(file.read(size))
        if fstype == "ext4":
            set_bit(head, 1024 + 0x60, "little")
            head[2044:2048] = crc32c(bytes(head[1024:2044])).to_bytes(4, "little")
        else:
            set_bit(head, 216, "big")
            head[224:228] = bytes(4)
            head[224:228] = (crc32c(bytes(head[:512])) ^ 0xFFFFFFFF).to_bytes(4, "little")
        file.seek(0)
        file.write(head)
        os.fsync(file.fileno())


def set_bit(head: bytearray, at: int, order: Literal["little", "big"]) -> None:
    head[at : at + 4] = (int.from_bytes(head[at : at + 4], order) | 1 << 30).to_bytes(4, order)


def check(fstype: str, device: str, target: Path) -> str:
    notes: list[str] = []
    context = Context(host=host, controller=cast("Controller", None), node="ec-b", note=notes.append)
    spec = CheckFileSystem(device=device, target=str(target), fstype=fstype, options=())
    try:
        apply_check_file_system(spec, context)
    except Failed as failed:
        return failed.message.replace(device, "DEVICE")
    return "; ".join(notes).replace(device, "DEVICE")


def main(fstype: str, directory: Path) -> dict[str, object]:
    image, cut, tree = directory / "asset.img", directory / "cut.img", directory / "tree"
    call("truncate", "-s", "320M", str(image))
    call(*MAKE[fstype], str(image))
    tree.mkdir()
    with loop(image) as device:
        call("mount", "-t", fstype, device, str(tree))
        (tree / "kept").write_text("kept")
        os.sync()
        (tree / "late").write_text("synced by its own call")
        with (tree / "late").open("rb") as file:
            os.fsync(file.fileno())
        call("cp", "--sparse=always", str(image), str(cut))
        seen: dict[str, object] = {"mounted": check(fstype, device, tree)}
        call("umount", str(tree))
    with loop(cut) as device:
        seen["checked"] = check(fstype, device, tree)
        log = read_mount_log(host, device)
        seen["log"] = list(log) if isinstance(log, tuple) else log.why
        seen["left mounted"] = any(mount.target == str(tree) for mount in host.mounts())
        subprocess.run([*DAMAGE[fstype], device], check=True, capture_output=True)
        seen["damaged"] = check(fstype, device, tree)
        overwrite_feature(device, fstype)
        seen["refused"] = check(fstype, device, tree)
    return seen


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
