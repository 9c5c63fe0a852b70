"""Runs in a machine, with tanist's own environment: the reservation of a disk, by the step that a takeover uses.

Usage: on_paths.py DEVICE NODE EPOCH take|leave|look. Prints JSON: what the look at it says as evidence, in which words,
the keys and their holder, the paths, and the seconds that it took. Refused: why, status 1.
"""

from __future__ import annotations

import json
import sys

from tanist.definition.load import load_controller
from tanist.facts.reservation import read_reservation
from tanist.host.local import LocalHost
from tanist.model.errors import TanistError
from tanist.model.reservation import Reservation
from tanist.model.steps import Reserve
from tanist.proof.reservation import judge_reservation
from tanist.steps.context import Context
from tanist.steps.reservation import apply_reserve, undo_reserve

DEFINITION = """
format = 1
name = "ledger"
[asset]
kind = "filesystem"
device = "{device}"
fstype = "ext4"
[tree]
path = "/srv/ledger"
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
[[service]]
unit = "ledger.service"
[proof.reservation]
timeout = 30
"""


def main(device: str, node: str, epoch: str, verb: str) -> dict[str, object]:
    host = LocalHost()
    controller = load_controller(DEFINITION.format(device=device).encode(), "ledger.toml")
    nodes = tuple(one.name for one in controller.nodes)
    spec = Reserve(controller="ledger", node=node, nodes=nodes, epoch=int(epoch), devices=controller.disks, timeout=30)
    begun = host.monotonic()
    if verb != "look":
        act = apply_reserve if verb == "take" else undo_reserve
        act(spec, Context(host=host, controller=controller, node=node))
    seconds = host.monotonic() - begun
    found = read_reservation(host, device, 30)
    says, detail = judge_reservation(found, controller, node)
    kept = found if isinstance(found, Reservation) else Reservation(device=device, paths=(), keys=())
    return {
        "says": says.value,
        "detail": detail,
        "keys": kept.keys,
        "holder": kept.holder,
        "paths": kept.paths,
        "seconds": round(seconds, 3),
    }


if __name__ == "__main__":
    try:
        print(json.dumps(main(*sys.argv[1:])))
    except (TanistError, OSError) as error:
        print(error)
        sys.exit(1)
