"""A real ext4 on a loop device whose kernel is told to find errors: what is read of it, as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tanist.definition.load import load_controller
from tanist.facts.hardware import read_hardware
from tanist.host.local import LocalHost
from tanist.model.dataclasses import replace
from tanist.model.definition import Asset
from tanist.model.hardware import FileSystemHealth, StorageReadout

PROFILE = Path(__file__).parents[4] / "profiles/opscenter.toml"


def call(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def main(directory: str) -> None:
    image, tree = Path(directory, "image"), Path(directory, "tree")
    tree.mkdir()
    with image.open("wb") as f:
        f.truncate(32 << 20)
    call("mkfs.ext4", "-q", "-F", str(image))
    device = call("losetup", "--find", "--show", str(image))
    try:
        name = device.removeprefix("/dev/")
        found = {"whole": look(device, str(tree))}
        call("mount", "-o", "errors=continue", device, str(tree))
        found["mounted"] = look(device, str(tree))
        Path(f"/sys/fs/ext4/{name}/trigger_fs_error").write_text("one")
        wait_for_count(Path(f"/sys/fs/ext4/{name}/errors_count"))
        found["after an error"] = look(device, str(tree))
        call("umount", str(tree))
        found["unmounted"] = look(device, str(tree))
    finally:
        subprocess.run(["umount", str(tree)], check=False, capture_output=True)
        call("losetup", "--detach", device)
    found["dumpe2fs"] = {line.partition(":")[0]: line.partition(":")[2].strip() for line in dump(image)}
    print(json.dumps(found))


def wait_for_count(file: Path) -> None:
    """The kernel counts it in a work queue of its own (fs/ext4/super.c, flush_stashed_error_work)."""
    end = time.monotonic() + 60
    while file.read_text().strip() == "0" and time.monotonic() < end:
        time.sleep(0.02)


def dump(image: Path) -> list[str]:
    return subprocess.run(
        ["dumpe2fs", "-h", str(image)],
        env={**os.environ, "TZ": "UTC", "LC_ALL": "C"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()


def look(device: str, tree: str) -> dict[str, Any]:
    controller = load_controller(PROFILE.read_bytes(), PROFILE.name)
    controller = replace(controller, tree=tree, asset=Asset(kind="filesystem", device=device, fstype="ext4"))
    found = read_hardware(LocalHost(), controller, "ec-a")
    assert isinstance(found, StorageReadout), found
    health = found.filesystem
    assert isinstance(health, FileSystemHealth), health
    assert not found.opened[0].why and found.top == device.removeprefix("/dev/"), found
    room = None if found.room is None else [found.room.path, found.room.free > 0]  # type: ignore[union-attr]
    return {"errors": health.errors, "marked": health.marked, "checked": health.checked, "room": room}


if __name__ == "__main__":
    main(sys.argv[1])
