"""What the proof by reservation costs: the disk of an owner that hangs becomes another node's alone, and is read back.

Two real kernels and a real target, emulated. Each time the owner is paused, the other node registers, preempts and
aborts, and looks whose the disk is; then the owner goes on, and it is its turn. tanist's step and sg_persist in turn.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from bench.claims import Claim, Result, Series, paired_ratio
from bench.station import HERE
from lab.controllers.install import unpack_on
from lab.vm.lab import VmLab
from lab.vm.machine import why_no_vm_lab
from tanist.model.reservation import build_key
from tools.build_wheel import wheel

DISK = "/dev/lun0"
NODES = ("ec-a", "ec-b")
RATIO = 3  # it looks before, between and after, at all that the disk says; a person looks once
PYTHON = "/opt/tanist/bin/python"
# the first command after somebody else's is answered with a unit attention; 5: write exclusive, registrants only
BY_HAND = """
for n in 1 2 3; do sg_persist -n -o -I -S {own:#x} {disk} && break; done
sg_persist -n -o -A -K {own:#x} -S {old:#x} -T 5 {disk}
sg_persist -n -i -k {disk}
sg_persist -n -i -r {disk}
"""


def measure(rounds: int, progress: Callable[[str], None]) -> Result:
    if reason := why_no_vm_lab():
        return Result(claims=(), raw=(), notes=(f"not measured: {reason}",))
    raw: dict[str, list[float]] = {"tanist's step": [], "sg_persist": []}
    lab = VmLab(f"bench{os.getpid()}")
    try:
        lab.up((*NODES, "store"))
        for node in NODES:
            unpack_on(lab, node, wheel())
            lab.push(node, HERE, "/opt/bench")
            lab.exec(node, ["lab-store", "login"], check=True, timeout=120)
        take(lab, "ec-a", 1, "tanist")
        for turn in range(2 * rounds):
            way = list(raw)[(turn + turn // 2) % 2]  # each way in both directions
            owner, taker = NODES[turn % 2], NODES[(turn + 1) % 2]
            progress(f"reservation: {turn + 1} of {2 * rounds}: {way}, from {owner}")
            lab.freeze(owner)
            raw[way].append(
                take(lab, taker, turn + 2, "tanist" if way == "tanist's step" else by_hand(taker, turn + 2))
            )
            lab.thaw(owner)
    finally:
        lab.down()
    claim = Claim(
        name="reserve-from-an-owner-that-hangs",
        value=paired_ratio(raw["tanist's step"], raw["sg_persist"]),
        limit=RATIO,
        compared="the step Reserve / sg_persist --register-ignore, --preempt-abort, --read-keys, --read-reservation",
    )
    series = (Series(what=f"{way} (worst {max(found):.2f})", seconds=tuple(found)) for way, found in raw.items())
    return Result(claims=(claim,), raw=tuple(series), notes=NOTES)


def take(lab: VmLab, node: str, epoch: int, way: str) -> float:
    argv = [PYTHON, "/opt/bench/node/reserve.py", DISK, node, str(epoch), way]
    return float(lab.exec(node, argv, check=True, timeout=300).stdout)


def by_hand(taker: str, epoch: int) -> str:
    owner = NODES[1 - NODES.index(taker)]
    own, old = build_key("bench", taker, epoch), build_key("bench", owner, epoch - 1)
    return BY_HAND.format(own=own, old=old, disk=DISK)


NOTES = ("Emulated machines: the seconds are many times those of hardware; the ratio is what counts.",)
