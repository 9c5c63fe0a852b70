"""The machines' root disks: one image for all, and a small overlay for each that holds what makes it itself."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

from lab.image import remove_tree
from lab.layers import OVERLAY_OPTIONS, make_keys, write_setup
from lab.layout import NodeSpec
from lab.run import run
from lab.vm.guestfiles import vm_files
from lab.vm.initrd import build_initrd
from lab.vm.layout import GUEST, ROOT_BYTES, VM_NODES
from lab.vm.tree import kernel_version, run_logged

# $1 base, $2 layer over it, $3 mount point, $4 overlay options, $5 image
MAKE_IMAGE = """set -e
    mount -t overlay -o "lowerdir=$2:$1,$4" overlay "$3"
    mkfs.ext4 -q -F -m 0 -J size=16 -E lazy_itable_init=0,root_owner=0:0 -d "$3" "$5" """
# $1 image, $2 mount point, $3 set-up directory, $4 node, $5 number of the group uceadm
PERSONALIZE = """set -e
    mount -o loop "$1" "$2"
    mkdir "$2/lab-setup"; mount --bind "$3" "$2/lab-setup"
    mount -t proc proc "$2/proc"; mount -t tmpfs tmpfs "$2/run"; mount --rbind /dev "$2/dev"; mkdir "$2/run/lock"
    chroot "$2" /bin/bash /lab-setup/setup.sh "$4" "$5"
    chroot "$2" /bin/bash /lab-setup/vm.sh "$4"
    umount "$2/lab-setup"; rmdir "$2/lab-setup"
    umount -R "$2/dev"; umount "$2/run" "$2/proc" "$2" """


def build_roots(base: Path, tree: Path, out: Path, log: TextIO) -> None:
    """Write base.img, kernel, initrd and NODE.qcow2 for each machine into `out`."""
    version, image = kernel_version(tree), out / "base.img"
    with image.open("wb") as f:
        f.truncate(ROOT_BYTES)
    merged = out / "merged"
    merged.mkdir()
    run_logged(MAKE_IMAGE, [base, tree, merged, OVERLAY_OPTIONS, image], log, "making the machines' root image")
    merged.rmdir()
    shutil.copyfile(tree / f"boot/vmlinuz-{version}", out / "kernel")
    build_initrd(tree, version, out / "initrd")
    make_keys(out / "keys", VM_NODES)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda spec: _build_root(out, spec, log), VM_NODES.values()))
    remove_tree(out / "keys")


def _build_root(out: Path, spec: NodeSpec, log: TextIO) -> None:
    work = out / f"{spec.name}.work"
    setup, root, image = work / "setup", work / "root", work / "root.img"
    for path in (setup / "files", root):
        path.mkdir(parents=True)
    write_setup(setup, spec, out / "keys", vm_files(spec))
    (setup / "vm.sh").write_bytes((GUEST / "setup.sh").read_bytes())
    run(["cp", "--sparse=always", "--reflink=auto", out / "base.img", image], timeout=300)
    run_logged(
        PERSONALIZE, [image, root, setup, spec.name, str(spec.uceadm_gid)], log, f"making the root of {spec.name}"
    )
    # an empty overlay over the node's image, then moved onto the common one: what stays in it is the difference
    overlay = out / f"{spec.name}.qcow2"
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image, overlay])
    run(
        ["qemu-img", "rebase", "-q", "-t", "unsafe", "-f", "qcow2", "-F", "raw", "-b", "base.img", overlay], timeout=300
    )
    remove_tree(work)
