"""What each kind of asset costs: the seconds to take it, to let it go, and to take what a dead owner left.

tanist's steps and a person's bare commands in turn, each in one process whose start is no part of it, on two real
kernels, emulated. What an owner under acknowledged writes leaves on the shared disks is kept while it is paused, which
is what a power cut leaves, and put back for each turn; where a disk is a node's own, its power is cut.
What comes before (looks, a proof) is measured by bench.proofs, bench.reservation and bench.takeover.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.claims import Claim, Result, Series, paired_ratio
from lab.run import run
from lab.vm.lab import VmLab
from lab.vm.layout import SHARED
from lab.vm.machine import why_no_vm_lab
from tests.vm import test_asset_contract, test_drbd, test_nfs_asset, test_program, test_zfs
from tests.vm.contract import NODES, WRITER, Kind, Pair, cut_while_writing, install
from tests.vm.definitions import TREE
from tests.vm.typed import LONG

RATIO = 1.3
LEFT = "take from a dead owner"
MOUNT = f"mkdir -p {TREE}; mount {{device}} {TREE}"
# an id that is this node's already is refused
TAKE_GROUP = (
    'vgchange -qq -y --config \'local/extra_system_ids=["ec-a","ec-b"]\' --systemid $(uname -n) ledger || :; '
    "lvchange -qq -ay ledger/tree; "
)
ASSEMBLE = (
    f"mdadm --assemble /dev/md/ledger --run --uuid={test_asset_contract.UUID} "
    f"{test_asset_contract.ASSET0} {test_asset_contract.ASSET1} 2>&1; udevadm settle; "
)
IMPORT = f"zpool import -N -o cachefile=none -d {test_zfs.PARTS[0]} -d {test_zfs.PARTS[1]} ledger; "
ASK = f"echo '{test_program.SETTINGS}' | {test_program.PROGRAM}"
ATTACH, DETACH = f"{ASK} acquire; udevadm settle; ", f"{ASK} release"
Prepare = Callable[[VmLab], None]


def nothing(_: VmLab) -> None:
    pass


def connect(lab: VmLab) -> None:
    for node in NODES:
        test_drbd.prepare_resource(lab, node)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One kind, and what a person types for it: below the mount on the way up, and on the way down."""

    kind: Kind
    up: str = ""
    forced: str | None = None  # from a dead owner, where it is not the same
    mount: str = MOUNT
    down: str = ""
    prepare: Prepare = nothing
    settle: str | None = None  # until there can be a power cut again, where what it leaves can't be put back

    def hand(self, what: str) -> str:
        if what == "release":
            return f"umount {TREE}; {self.down}"
        below = self.up if what == "acquire" or self.forced is None else self.forced
        return f"{below}{self.mount}".replace("{device}", self.kind[0])


KINDS: dict[str, Bench] = {
    "ext4": Bench(kind=test_asset_contract.KINDS["ext4"], forced="tune2fs -f -E clear_mmp {device}; "),
    "xfs": Bench(kind=test_asset_contract.KINDS["xfs"]),
    "btrfs on two disks": Bench(kind=test_asset_contract.KINDS["btrfs on two disks"], up="btrfs device scan; "),
    "xfs on lvm": Bench(
        kind=test_asset_contract.KINDS["xfs on lvm"], up=TAKE_GROUP, down="lvchange -qq -an ledger/tree"
    ),
    "ext4 on md": Bench(
        kind=test_asset_contract.KINDS["ext4 on md"], up=ASSEMBLE, down="mdadm --stop /dev/md/ledger 2>&1"
    ),
    "xfs on lvm on md": Bench(
        kind=test_asset_contract.KINDS["xfs on lvm on md"],
        up=f"{ASSEMBLE}{TAKE_GROUP}",
        down="lvchange -qq -an ledger/tree; mdadm --stop /dev/md/ledger 2>&1",
    ),
    "zfs": Bench(
        kind=test_zfs.MIRROR,
        up=IMPORT,
        forced=IMPORT.replace("-N", "-N -f"),
        mount=f"mkdir -p {TREE}; mount -t zfs {{device}} {TREE}",
        down="zpool export ledger",
        prepare=test_zfs.partition,
    ),
    "drbd": Bench(
        kind=("/dev/drbd0", "ext4", test_drbd.LAYER, test_drbd.MAKE.strip(), "true"),
        up="drbdadm primary r0; ",
        down="drbdadm secondary r0",
        prepare=connect,
        settle='until [ "$(drbdadm dstate r0)" = UpToDate/UpToDate ]; do sleep 1; done',
    ),
    "program": Bench(
        kind=(test_program.KIND[0], test_program.KIND[1], test_program.KIND[2], ATTACH + test_program.KIND[3], DETACH),
        up=ATTACH,
        forced=ATTACH.replace(" acquire", " force-acquire"),
        down=DETACH,
        prepare=test_program.start_cloud,
        settle="true",
    ),
    "nfs": Bench(
        kind=(f"{test_nfs_asset.AT}:{test_nfs_asset.STORY}", "nfs4", "", "true", "true"),
        mount=f"mkdir -p {TREE}; mount -t nfs4 -o hard,proto=tcp,vers=4.2 {{device}} {TREE}",
        prepare=test_nfs_asset.start_filer,
    ),
}


@dataclass(slots=True)
class Raw:
    """Seconds of each kind, move and way; each is told as it is had."""

    progress: Callable[[str], None]
    found: dict[tuple[str, str], dict[str, list[float]]] = field(default_factory=dict)

    def add(self, kind: str, move: str, way: str, seconds: float) -> None:
        self.found.setdefault((kind, move), {}).setdefault(way, []).append(seconds)
        self.progress(f"storage: {kind}: {move}, {way}: {seconds:.2f} s")


def measure(rounds: int, progress: Callable[[str], None]) -> Result:
    if reason := why_no_vm_lab():
        return Result(claims=(), raw=(), notes=(f"not measured: {reason}",))
    raw = Raw(progress=progress)
    lab = VmLab(f"bench{os.getpid()}")
    try:
        lab.up(NODES)
        install(lab)
        for name, bench in KINDS.items():
            pair = begin(lab, bench)
            measure_moves(pair, name, bench, rounds, raw, progress)
            after = measure_after_pause if bench.settle is None else measure_after_cut
            after(pair, name, bench, rounds, raw, progress)
    finally:
        lab.down()
    claims = [
        Claim(
            name=f"{move} {name}".replace(" ", "-"),
            value=paired_ratio(ways["tanist"], ways["by hand"]),
            limit=RATIO,
            compared=f"{name}: {move} by tanist's steps / by the bare commands",
        )
        for (name, move), ways in raw.found.items()
    ]
    series = [
        Series(what=f"{name}: {move}, {way} (worst {max(seconds):.2f})", seconds=tuple(seconds))
        for (name, move), ways in raw.found.items()
        for way, seconds in ways.items()
    ]
    return Result(claims=tuple(claims), raw=tuple(series), notes=NOTES)


NOTES = ("Emulated machines: the seconds are many times those of hardware; the ratio is what counts.",)


def begin(lab: VmLab, bench: Bench) -> Pair:
    """The asset made anew, and taken by nobody."""
    disks = f"{test_asset_contract.ASSET0} {test_asset_contract.ASSET1}"
    lab.exec("ec-a", ["sh", "-c", f"wipefs -q -a -f {disks}; sync"], check=True)
    bench.prepare(lab)
    pair = Pair(lab, bench.kind)
    pair.sh("ec-a", f"{pair.make.replace('{device}', pair.device)}; {pair.put_away}; sync", timeout=LONG)
    return pair


def time_it(pair: Pair, node: str, bench: Bench, what: str, way: str) -> float:
    return float(pair.do(node, "seconds", what if way == "tanist" else bench.hand(what)))


def measure_moves(pair: Pair, name: str, bench: Bench, rounds: int, raw: Raw, progress: Callable[[str], None]) -> None:
    """On one node after the other."""
    for turn in range(rounds):
        progress(f"storage: {name}: {turn + 1} of {rounds}")
        node = NODES[turn % 2]
        for way in in_turn(turn):
            raw.add(name, "take", way, time_it(pair, node, bench, "acquire", way))
            raw.add(name, "release", way, time_it(pair, node, bench, "release", way))


def in_turn(turn: int) -> list[str]:
    return ["tanist", "by hand"][:: -1 if turn % 2 else 1]


def measure_after_cut(
    pair: Pair,
    name: str,
    bench: Bench,
    rounds: int,  # noqa: ARG001 - one cut each: a boot takes longer than all else
    raw: Raw,
    progress: Callable[[str], None],
) -> None:
    for way in in_turn(0):
        progress(f"storage: {name}: after a power cut, {way}")
        pair.sh("ec-b", str(bench.settle), timeout=LONG)
        pair.do("ec-a", "acquire")
        cut_while_writing(pair.lab)
        raw.add(name, LEFT, way, time_it(pair, "ec-b", bench, "force", way))
        pair.do("ec-b", "release")
        pair.lab.boot("ec-a")


def measure_after_pause(
    pair: Pair, name: str, bench: Bench, rounds: int, raw: Raw, progress: Callable[[str], None]
) -> None:
    pair.do("ec-a", "acquire")
    pair.sh("ec-a", f"echo '{WRITER}' >/root/writer; setsid sh /root/writer </dev/null >/root/acked 2>&1 &")
    pair.sh("ec-a", "until [ -s /root/acked ]; do sleep 0.1; done")
    pair.lab.freeze("ec-a")
    left = keep(pair.lab)
    for turn in range(rounds):
        progress(f"storage: {name}: what a dead owner left, {turn + 1} of {rounds}")
        for way in in_turn(turn):
            put_back(pair, left)
            raw.add(name, LEFT, way, time_it(pair, "ec-b", bench, "force", way))
            pair.do("ec-b", "release")
    put_back(pair, left)
    pair.lab.thaw("ec-a")
    pair.sh("ec-a", "pkill -f '^sh /root/writer'")
    pair.do("ec-a", "release")


def keep(lab: VmLab) -> dict[Path, Path]:
    """The shared disks as they are."""
    kept = {lab.disk_path(disk.name): lab.layout.directory / f"{disk.name}.kept" for disk in SHARED}
    for image, copy in kept.items():
        run(["cp", "--sparse=always", image, copy])
    return kept


def put_back(pair: Pair, kept: dict[Path, Path]) -> None:
    for image, copy in kept.items():
        run(["fallocate", "--punch-hole", "--offset", "0", "--length", str(image.stat().st_size), image])
        subprocess.run(["dd", f"if={copy}", f"of={image}", "bs=1M", "conv=notrunc,sparse", "status=none"], check=True)
    pair.sh("ec-b", "echo 3 >/proc/sys/vm/drop_caches")
