"""Runs on a node, with tanist's own environment: the asset's disk reserved for it, by tanist's step or by sg_persist.

Usage: reserve.py DEVICE NODE EPOCH tanist|COMMANDS. Prints the seconds. The start of this process is no part of it, on
either side.
"""

from __future__ import annotations

import subprocess
import sys
import time

from tanist.facts.reservation import read_reservation
from tanist.host.local import LocalHost
from tanist.model.reservation import Reservation
from tanist.model.steps import Reserve
from tanist.steps.reservation import is_alone, own_key, take

NODES = ("ec-a", "ec-b")
TIMEOUT = 60  # seconds


def main(device: str, node: str, epoch: str, way: str) -> float:
    host = LocalHost()
    spec = Reserve(controller="bench", node=node, nodes=NODES, epoch=int(epoch), devices=(device,), timeout=TIMEOUT)
    began = time.monotonic()
    if way == "tanist":
        take(host, spec, device)
    else:
        subprocess.run(["sh", "-ec", way], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.monotonic() - began
    found = read_reservation(host, device, TIMEOUT)
    assert isinstance(found, Reservation) and is_alone(found, own_key(spec)), found
    return seconds


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
