"""The machines' initial root: busybox and the few modules that the root disk needs, in an archive of 3 MiB."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from lab.vm.layout import GUEST

MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "virtio_console", "virtio_rng", "virtio_scsi", "sd_mod")


def build_initrd(tree: Path, version: str, target: Path) -> None:
    """`tree` holds kernel `version` and busybox. Writes the archive to `target`."""
    files = {"init": GUEST / "init", "bin/busybox": tree / "usr/bin/busybox"}
    order = []
    for module in _in_order(tree / "usr/lib/modules" / version):
        files[f"modules/{module.name}"] = module
        order.append(module.name)
    with target.open("wb") as out:
        for directory in ("bin", "dev", "root", "modules"):
            out.write(_entry(directory, stat.S_IFDIR | 0o755, b""))
        out.write(_entry("dev/console", stat.S_IFCHR | 0o600, b"", device=(5, 1)))
        out.write(_entry("modules/order", stat.S_IFREG | 0o644, "".join(f"{n}\n" for n in order).encode()))
        for name, path in files.items():
            out.write(_entry(name, stat.S_IFREG | 0o755, path.read_bytes()))
        out.write(_entry("TRAILER!!!", 0, b""))


def _in_order(modules: Path) -> Iterator[Path]:
    """The modules and what they depend on, each once, in the order of loading (modules.dep lists the deepest last)."""
    needs = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        path, _, wanted = line.partition(":")
        needs[Path(path).stem.replace("-", "_")] = [*reversed(wanted.split()), path]
    seen = set()
    for path in (p for name in MODULES for p in needs[name]):
        if path not in seen:
            seen.add(path)
            yield modules / path


def _entry(name: str, mode: int, content: bytes, device: tuple[int, int] = (0, 0)) -> bytes:
    """One file in the "newc" form that the kernel's buffer-format.rst describes."""
    numbers = (0, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08x" % n for n in numbers) + name.encode() + b"\0"
    return _padded(head) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
