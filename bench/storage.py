"""The asset changes hands: tanist's steps beside the bare commands, for each kind, on two real kernels.

For each kind the file system is made on ec-a and its disks are kept as two images: as a release leaves them, and as a
power cut does (ec-a's processors stopped in the middle of its writes). Each measurement on ec-b begins from such an
image, with cold caches; tanist and the bare commands in turn. What a proof costs is another bench (proofs).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.claims import Claim, Result, Series, paired_ratio
from bench.station import HERE
from lab.controllers.install import unpack_on
from lab.vm.lab import VmLab
from lab.vm.layout import SHARED
from tools.build_wheel import wheel

RATIO = 1.3
TREE = "/srv/bench"
ASSET0, ASSET1 = (disk.by_id for disk in SHARED[:2])
DISKS = ("asset0", "asset1")
NODES = ("ec-a", "ec-b")
UUID = "01234567:89abcdef:01234567:89abcdef"
PYTHON = "/opt/tanist/bin/python"
SETUP = r"""
sed -i 's/^[# \t]*system_id_source = .*/\tsystem_id_source = "uname"/' /etc/lvm/lvm.conf
printf 'AUTO -all\nHOMEHOST <none>\n' >/etc/mdadm/mdadm.conf
mkdir -p /srv/bench
"""
WRITE = f"for n in $(seq 200); do echo $n >{TREE}/$n; done; sync; echo more >>{TREE}/1; sync {TREE}/1"
DEFINITION = """
format = 1
name = "bench"
[asset]
kind = "filesystem"
device = "{device}"
fstype = "{fstype}"
{layers}
[tree]
path = "/srv/bench"
[identity]
mode = "host"
hostname = "ec"
[[identity.address]]
address = "10.88.0.60/24"
interface = "svc0"
[[node]]
name = "ec-a"
ssh = "root@10.99.0.11"
management = ["10.99.0.11"]
[[node]]
name = "ec-b"
ssh = "root@10.99.0.12"
management = ["10.99.0.12"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """`take` and `release`: what a person types below the mount, nothing where there are no layers."""

    device: str
    fstype: str
    make: str
    layers: str = ""
    take: str = "true"
    release: str = "true"

    @property
    def by_hand(self) -> dict[str, str]:
        mount = f"mount -t {self.fstype} {self.device} {TREE}"
        return {"take": f"{self.take}; {mount}", "release": f"umount {TREE}; {self.release}"}


KINDS = {
    "ext4": Kind(device=ASSET0, fstype="ext4", make=f"mkfs.ext4 -q -F {ASSET0}"),
    "xfs": Kind(device=ASSET0, fstype="xfs", make=f"mkfs.xfs -q -f {ASSET0}"),
    "xfs on lvm": Kind(
        device="/dev/bench/tree",
        fstype="xfs",
        make=f"pvcreate -qq -y {ASSET0} && vgcreate -qq bench {ASSET0} && lvcreate -qq -y -n tree -l 100%FREE bench; "
        "udevadm settle; mkfs.xfs -q -f /dev/bench/tree",
        layers=f'[[asset.layer]]\nkind = "lvm"\ngroup = "bench"\nvolume = "tree"\ndisk = "{ASSET0}"\n',
        # lvmsystemid(7): look whose it is, make it this node's, activate it
        take="vgs --foreign --readonly -o vg_systemid,vg_missing_pv_count bench; vgchange -y --config "
        "'local/extra_system_ids=[\"ec-a\"]' --systemid $(uname -n) bench; lvchange -y -ay bench/tree",
        release="lvchange -y -an bench/tree",
    ),
    "ext4 on md": Kind(
        device="/dev/md/bench",
        fstype="ext4",
        make=f"mdadm --create /dev/md/bench --run --level=1 --raid-devices=2 --uuid={UUID} --assume-clean "
        f"--homehost=none {ASSET0} {ASSET1} 2>&1; udevadm settle; mkfs.ext4 -q -F /dev/md/bench",
        layers=f'[[asset.layer]]\nkind = "md"\ndevice = "/dev/md/bench"\nuuid = "{UUID}"\n'
        f'members = ["{ASSET0}", "{ASSET1}"]\n',
        take=f"mdadm --assemble /dev/md/bench --uuid={UUID} --run {ASSET0} {ASSET1}",
        release="mdadm --stop /dev/md/bench",
    ),
}


def measure(rounds: int, progress: Callable[[str], None]) -> Result:
    raw: dict[tuple[str, str, str], list[float]] = {}
    lab = VmLab(f"bench{os.getpid()}")
    try:
        lab.up()
        prepare(lab)
        for name, kind in KINDS.items():
            progress(f"storage: {name} is made")
            make(lab, kind)
            for number in range(rounds):
                progress(f"storage: {name}: round {number + 1} of {rounds}")
                measure_round(lab, raw, name, kind, first=number % 2)
            sh(lab, "ec-b", f"wipefs -q -a -f {ASSET0} {ASSET1}")
    finally:
        lab.down()
    return Result(claims=build_claims(raw), raw=build_series(raw), notes=NOTES)


def prepare(lab: VmLab) -> None:
    built = wheel()
    for node in NODES:
        unpack_on(lab, node, built)
        lab.push(node, HERE, "/opt/bench")
        sh(lab, node, SETUP)


def make(lab: VmLab, kind: Kind) -> None:
    """Its disks as a power cut leaves them while ec-a writes, and then as a release does."""
    definition = DEFINITION.format(device=kind.device, fstype=kind.fstype, layers=kind.layers)
    for node in NODES:
        lab.exec(node, ["sh", "-c", "cat >/root/bench.toml"], input=definition.encode(), check=True)
    sh(lab, "ec-a", f"wipefs -q -a -f {ASSET0} {ASSET1}; {kind.make}; mount {kind.device} {TREE}; {WRITE}")
    lab.freeze("ec-a")
    keep(lab, "cut")
    lab.thaw("ec-a")
    sh(lab, "ec-a", kind.by_hand["release"])
    keep(lab, "released")


def measure_round(
    lab: VmLab, raw: dict[tuple[str, str, str], list[float]], name: str, kind: Kind, *, first: int
) -> None:
    for image in ("released", "cut"):
        for who in ("tanist", "by hand") if first == 0 else ("by hand", "tanist"):
            put_back(lab, image)
            for verb in ("take", "release"):
                way = "tanist" if who == "tanist" else kind.by_hand[verb]
                argv = [PYTHON, "/opt/bench/node/asset.py", "/root/bench.toml", verb, way]
                done = lab.exec("ec-b", argv, check=True, timeout=300)
                what = f"take after {'a power cut' if image == 'cut' else 'release'}" if verb == "take" else "release"
                raw.setdefault((name, what, who), []).append(float(done.stdout))


def keep(lab: VmLab, image: str) -> None:
    for disk in DISKS:
        copy(lab.disk_path(disk), kept(lab, disk, image))


def put_back(lab: VmLab, image: str) -> None:
    for disk in DISKS:
        copy(kept(lab, disk, image), lab.disk_path(disk))


def kept(lab: VmLab, disk: str, image: str) -> Path:
    return lab.disk_path(disk).with_suffix(f".{image}")


def copy(source: Path, target: Path) -> None:
    """In place: the machines have the target open."""
    subprocess.run(["cp", "--sparse=always", source, target], check=True)


def sh(lab: VmLab, node: str, script: str) -> None:
    lab.exec(node, ["sh", "-c", script], check=True, timeout=300)


NOTES = (
    "Emulated machines: the seconds are 5 to 10 times those of hardware, the ratio is what counts. Taken from another "
    "node's hands each time, with cold caches. Verdict, claim and the start of Python are no part of it (takeover, "
    "proofs).",
)


def build_claims(raw: dict[tuple[str, str, str], list[float]]) -> tuple[Claim, ...]:
    claims = []
    for name, what in dict.fromkeys((name, what) for name, what, _ in raw):
        verb = "release" if what == "release" else "take"
        claims.append(
            Claim(
                name=f"storage-{name}-{what}".replace(" ", "-"),
                value=paired_ratio(raw[name, what, "tanist"], raw[name, what, "by hand"]),
                limit=RATIO,
                compared=f"tanist's steps | {KINDS[name].by_hand[verb]}",
            )
        )
    return tuple(claims)


def build_series(raw: dict[tuple[str, str, str], list[float]]) -> tuple[Series, ...]:
    return tuple(Series(what=", ".join(key), seconds=tuple(found)) for key, found in raw.items())
