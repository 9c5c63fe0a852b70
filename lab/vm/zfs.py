"""ZFS for the machines' kernel, which is not in Debian's main: modules and tools in an archive, unpacked where wanted.

In: the machines' tree, and contrib of the machine's own mirror (it need not be among its sources). Out: an archive in
CACHE, complete or absent. The saved machines are not touched: whoever wants ZFS unpacks it on them, in seconds.
"""

from __future__ import annotations

import hashlib
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.errors import LabError, LabRefused
from lab.image import BORROWED, build_base, cache_lock, remove_tree
from lab.layers import OVERLAY_OPTIONS
from lab.layout import CACHE
from lab.vm.lab import VmLab
from lab.vm.tree import ENTER, build_tree, kernel_version, tree_path

NOT_THERE = 90  # exit status: what is to be built can't be fetched
TOOLS = "zfsutils-linux libzfs4linux libzpool5linux libnvpair3linux libuutil3linux"
# $6 kernel version, $7 packages with the tools; the archive is the tree's /zfs.tar
BUILD = """
    sed -i 's/ main$/ main contrib/' "$4/etc/apt/sources.list"
    chroot "$4" sh -c 'apt-get -q update &&
        apt-get -q -y --no-install-recommends install make gcc libc6-dev "linux-headers-$1" &&
        mkdir -p /zfs/packages && cd /zfs/packages && apt-get -q download zfs-dkms $2' sh "$6" "$7" || exit 90
    chroot "$4" sh -ec 'cd /zfs
        mkdir source root
        dpkg-deb --fsys-tarfile packages/zfs-dkms_*.deb | tar -x -C source ./usr/src
        rm packages/zfs-dkms_*.deb
        for package in packages/*.deb; do dpkg-deb --fsys-tarfile "$package" | tar -x -C root; done
        rm -rf root/usr/share root/usr/lib/python3
        cd source/usr/src/zfs-*
        ./configure --quiet --disable-dependency-tracking --with-config=kernel \\
            --with-linux="$(realpath "/lib/modules/$1/source")" --with-linux-obj="/lib/modules/$1/build"
        make -s -j"$(nproc)"
        at=/zfs/root/lib/modules/$1/extra; mkdir -p "$at"
        find module -name "*.ko" -exec strip --strip-debug {} + -exec cp -t "$at" {} +
        tar -C /zfs/root -cf /zfs.tar .' sh "$6"
    """
# What an administrator has after `apt-get install zfsutils-linux`, and a host id of the node's own. $1: that id
UNPACK = """set -e
    tar -x -C / --keep-directory-symlink -f /root/zfs.tar; rm /root/zfs.tar
    ldconfig; depmod
    echo 'options zfs zfs_arc_max=67108864' >/etc/modprobe.d/zfs.conf
    modprobe zfs
    zgenhostid -f "$1"
    systemctl -q daemon-reload; systemctl -q enable zfs-import-cache zfs-mount zfs-import.target zfs.target
    udevadm control --reload"""


def archive_path() -> Path:
    recipe = " ".join([tree_path().name, BUILD, TOOLS])
    return CACHE / f"zfs-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}.tar"


def build_zfs() -> Path:
    """Return the archive; made where it is missing (three minutes). LabRefused: contrib can't be had here."""
    archive = archive_path()
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "build.log").open("a") as log:
        base = build_base(log)
        with cache_lock("vm.lock"):
            if archive.is_file():
                return archive
            tree = build_tree(base, log)
            work = archive.with_suffix(".building")
            for left in CACHE.glob("zfs-*"):  # what a build that was killed left, and archives for other kernels
                remove_tree(left) if left.is_dir() else left.unlink()
            for sub in ("upper", "work", "root"):
                (work / sub).mkdir(parents=True)
            (work / "upper").chmod(0o755)
            places = [f"{tree}:{base}", work / "upper", work / "work", work / "root", OVERLAY_OPTIONS]
            values = [*places, kernel_version(tree), TOOLS, " ".join(BORROWED)]
            argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER + BUILD, "sh"]
            log.write("+ building ZFS for the machines' kernel\n")
            log.flush()
            done = subprocess.run(
                [*argv, *map(str, values)], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, check=False
            )
            if done.returncode == NOT_THERE:
                raise LabRefused("ZFS is in Debian's contrib, and this machine's mirror does not give it")
            if done.returncode != 0:
                raise LabError(f"building ZFS failed with status {done.returncode}; see {log.name}")
            (work / "upper/zfs.tar").rename(archive)
            remove_tree(work)
    return archive


def install_zfs(lab: VmLab, *nodes: str) -> None:
    """On each node, the module loaded."""
    archive = build_zfs()

    def unpack(node: str) -> None:
        lab.push(node, archive, "/root/zfs.tar")
        lab.exec(node, ["sh", "-c", UNPACK, "sh", f"0a9e{nodes.index(node) + 1:04x}"], check=True, timeout=300)

    with ThreadPoolExecutor(max(1, len(nodes))) as pool:
        list(pool.map(unpack, nodes))
