"""The machines' Debian tree: the container lab's base image and, in a layer over it, kernel, modules and storage tools.

In: the package list here and the base image. Out: a directory below CACHE, complete or absent. Never touches a lab.
"""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import TextIO

from lab.errors import LabError
from lab.image import BORROWED, base_path, remove_tree
from lab.layers import OVERLAY_OPTIONS
from lab.layout import CACHE

RECIPE = "1"  # raise it when the script below changes what comes out
KERNEL = "linux-image-cloud-amd64"
PACKAGES = (
    "udev dmsetup lvm2 mdadm drbd-utils open-iscsi multipath-tools nfs-kernel-server nfs-common rpcbind sg3-utils "
    "sanlock python3-sanlock smartmontools busybox-static iptables"
)
# $1 base, $2 upper, $3 work, $4 root, $5 overlay options, $8 the machine's way to the mirror: bound into the tree,
# so that nothing of it stays there
ENTER = """set -e
    mount -t overlay -o "lowerdir=$1,upperdir=$2,workdir=$3,$5" overlay "$4"
    mount -t proc proc "$4/proc"; mount --rbind /dev "$4/dev"; mount -t tmpfs tmpfs "$4/run"; mkdir "$4/run/lock"
    mount -t tmpfs tmpfs "$4/tmp"; mount -t tmpfs tmpfs "$4/var/lib/apt/lists"; mount -t tmpfs tmpfs "$4/var/cache/apt"
    mkdir "$4/tmp/apt.conf.d"; cp "$4"/etc/apt/apt.conf.d/* "$4/tmp/apt.conf.d/"
    for f in /etc/apt/apt.conf.d/*; do ! grep -q Acquire:: "$f" || cp "$f" "$4/tmp/apt.conf.d/"; done
    mount --bind "$4/tmp/apt.conf.d" "$4/etc/apt/apt.conf.d"
    for f in /etc/apt/auth.conf.d /etc/apt/auth.conf /etc/apt/apt.conf $8; do
        [ -e "$f" ] || continue
        [ -e "$4$f" ] || { [ -d "$f" ] && mkdir -p "$4$f" || { mkdir -p "$(dirname "$4$f")"; : >"$4$f"; }; }
        mount --bind "$f" "$4$f"
    done
    printf '#!/bin/sh\\nexit 101\\n' >"$4/usr/sbin/policy-rc.d"; chmod 755 "$4/usr/sbin/policy-rc.d"
    printf '%s\\n' force-unsafe-io 'path-exclude=/usr/share/doc/*' 'path-exclude=/usr/share/man/*' \\
        >"$4/etc/dpkg/dpkg.cfg.d/lab"
    export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin
    chroot "$4" apt-get -q update
    """
# $6 kernel package, $7 packages
SCRIPT = (
    ENTER
    + """chroot "$4" apt-get -q -y --no-install-recommends install $7
    # the kernel's files alone: its package wants a boot loader's and an initrd's tools
    chroot "$4" sh -ec 'cd /tmp
        image=$(apt-cache depends "$1" | sed -n "s/.*Depends: \\(linux-image-[0-9].*\\)/\\1/p" | head -1)
        apt-get -q download "$image"; dpkg-deb --fsys-tarfile "$image"_*.deb | tar -x -C / --keep-directory-symlink
        depmod "${image#linux-image-}"' sh "$6"
    rm "$4/usr/sbin/policy-rc.d" "$4/etc/dpkg/dpkg.cfg.d/lab"
    """
)


def tree_path() -> Path:
    recipe = " ".join([base_path().name, RECIPE, KERNEL, SCRIPT, *sorted(PACKAGES.split())])
    return CACHE / f"vmtree-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def build_tree(base: Path, log: TextIO) -> Path:
    """Return the layer over `base`, made where it is missing (half a minute, by the mirror). Hold vm.lock."""
    tree = tree_path()
    if tree.is_dir():
        return tree
    work = tree.with_name(f"{tree.name}.building")
    remove_tree(work)
    for sub in ("upper", "work", "root"):
        (work / sub).mkdir(parents=True)
    (work / "upper").chmod(0o755)
    paths = [base, work / "upper", work / "work", work / "root"]
    run_logged(
        SCRIPT, [*paths, OVERLAY_OPTIONS, KERNEL, PACKAGES, " ".join(BORROWED)], log, "building the machines' tree"
    )
    (work / "upper").rename(tree)
    remove_tree(work)
    return tree


def kernel_version(tree: Path) -> str:
    return next((tree / "usr/lib/modules").iterdir()).name


def run_logged(script: str, values: list[str | Path], log: TextIO, what: str) -> None:
    """Run a shell script in a mount namespace of its own: killed, it leaves no mount behind."""
    log.write(f"+ {what}\n")
    log.flush()
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *map(str, values)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise LabError(f"{what} failed with status {done.returncode}; see {log.name}")
