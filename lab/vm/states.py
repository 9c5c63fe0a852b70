"""The saved machines in the cache: kernel, root disks, and each machine's memory as it was just after its boot.

In: the base image and this package. Out: CACHE/vm-HASH, complete or absent. Made once, in about two minutes, with the
help of a lab of its own that is gone afterwards.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

from lab import cleanup
from lab.errors import LabError
from lab.image import build_base, cache_lock, remove_tree
from lab.layout import CACHE, GUEST_FILES, Layout
from lab.run import run, wait_until
from lab.vm import wires
from lab.vm.guestfiles import vm_files
from lab.vm.layout import GUEST, ROOT_BYTES, VM_NODES
from lab.vm.node import VmNode
from lab.vm.qemu import machine_shape, qmp_socket
from lab.vm.qmp import open_qmp
from lab.vm.roots import MAKE_IMAGE, PERSONALIZE, build_roots
from lab.vm.tree import build_tree, tree_path

RECIPE = "1"  # raise it when the code here builds something else from the same files
BUILDER = "vmbuild"  # the name of the lab in which the machines boot for the first time
BOOT_TIMEOUT = 300.0
UNUSED_DAYS = 3
SETTLE = "udevadm settle; systemctl start lab-agent; sync; echo 3 >/proc/sys/vm/drop_caches"


def saved_path() -> Path:
    """Where the machines of this recipe lie."""
    digest = hashlib.sha256("\0".join([tree_path().name, RECIPE, MAKE_IMAGE, PERSONALIZE, str(ROOT_BYTES)]).encode())
    for path in (GUEST_FILES / "setup.sh", GUEST / "setup.sh", GUEST / "init"):
        digest.update(path.read_bytes())
    for spec in VM_NODES.values():
        digest.update(repr((spec, sorted(vm_files(spec).items()))).encode())
    digest.update((machine_shape() + qemu_version()).encode())
    return CACHE / f"vm-{digest.hexdigest()[:12]}"


def qemu_version() -> str:
    return subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout


def is_built() -> bool:
    return saved_path().is_dir()


def build(log: TextIO) -> Path:
    """Return the directory of the saved machines; builds what is missing. One builder at a time."""
    saved = saved_path()
    base = build_base(log)
    with cache_lock("vm.lock"):  # containers need not wait for machines
        if saved.is_dir():
            saved.touch()
            return saved
        work = saved.with_name(f"{saved.name}.building")
        remove_tree(work)
        work.mkdir()
        build_roots(base, build_tree(base, log), work, log)
        _save_all(work, log)
        work.rename(saved)
        _remove_unused()
    return saved


def _save_all(work: Path, log: TextIO) -> None:
    layout = Layout(BUILDER)
    cleanup.remove_everything(layout)
    try:
        wires.create_switch(layout)
        with ThreadPoolExecutor(len(VM_NODES)) as pool:
            list(pool.map(lambda spec: _boot_and_save(VmNode(layout, spec, work), log), VM_NODES.values()))
    finally:
        cleanup.remove_everything(layout)


def _boot_and_save(node: VmNode, log: TextIO) -> None:
    began = time.monotonic()
    node.boot_from(node.saved / f"{node.name}.qcow2")
    state = node.wait_booted(BOOT_TIMEOUT)
    failed = node.exec(["systemctl", "list-units", "--failed", "--plain", "--no-legend"]).stdout.decode()
    if state != "running":
        raise LabError(f"{node.name} booted {state}: {failed.strip()}")
    node.exec(["sh", "-c", SETTLE], timeout=BOOT_TIMEOUT)
    save(node, node.saved / f"{node.name}.state")
    log.write(f"+ {node.name} booted and saved in {time.monotonic() - began:.1f} s\n")


def save(node: VmNode, target: Path) -> None:
    """Stop the machine, write its memory to a file and take its power away."""
    with open_qmp(qmp_socket(node.layout, node.name), timeout=120) as qmp:
        qmp.ask("stop")
        qmp.ask("migrate-set-parameters", **{"max-bandwidth": 10_000_000_000})
        qmp.ask("migrate", uri=f"exec:cat >{target}")
        wait_until(
            f"{node.name} is saved",
            lambda: _migrated(qmp.ask("query-migrate")["status"]),
            timeout=120,
            pause=0.02,
        )
    node.kill()


def _migrated(status: str) -> bool:
    if status in ("failed", "cancelled"):
        raise LabError(f"saving the machine: {status}")
    return status == "completed"


def _remove_unused() -> None:
    """Saved machines that no lab took for some days and none runs on now, and what a killed build left."""
    for path in CACHE.glob("vm-*.building"):
        shutil.rmtree(path, ignore_errors=True)
    in_use = run(["sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '"]).stdout
    for path in CACHE.glob("vm-*"):
        if path.stat().st_mtime < time.time() - UNUSED_DAYS * 86400 and str(path) not in in_use:
            shutil.rmtree(path, ignore_errors=True)
