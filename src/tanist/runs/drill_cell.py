"""The cell of a drill, made: in namespaces of its own already (plan/cell.py, build_enter), so that nobody else sees
what is mounted here, and nothing of it outlives the process.

In: the CellPlan beside the exchange directory. Out: the exit status of systemd-nspawn, and what the cell itself left
in the exchange directory.
"""

from __future__ import annotations

import json

from tanist.host.files import Files
from tanist.host.host import Host
from tanist.model.codec import decode
from tanist.model.drill import CellPlan
from tanist.plan import cell

NSPAWN_RUN = "/run/systemd/nspawn"  # where it would leave a directory of its own on the node


def run_cell(host: Host, controller: str, path: str) -> int:
    plan = decode(CellPlan, json.loads(host.files.read(path)), "the cell")
    make_root(host, controller, plan)
    binds = [
        (plan.exchange, cell.EXCHANGE, True),
        (plan.captures, cell.CAPTURES, False),
        (*plan.tree, True),
    ]
    argv = cell.build_nspawn(f"{plan.directory}/root", plan.machine, plan.hostname, binds, own_users=plan.own_users)
    ran = host.run(argv, timeout=plan.seconds, ok=None)
    host.files.write(f"{plan.exchange}/console", ran.stdout + ran.stderr, 0o600)
    return ran.status


def make_root(host: Host, controller: str, plan: CellPlan) -> None:
    """The node's root as it is now, in a twin that forgets."""
    base = plan.directory
    host.run(["mount", "-t", "tmpfs", "-o", "mode=0700", "tanist-drill", base])
    host.files.make_directory(f"{base}/root")
    _cover(host, base, 0, "/", f"{base}/root")
    for number, target in enumerate(plan.clones, 1):
        _cover(host, base, number, target, f"{base}/root{target}")
    host.files.make_directory(NSPAWN_RUN, 0o700)
    host.run(["mount", "-t", "tmpfs", "-o", "mode=0700", "tanist-drill", NSPAWN_RUN])
    own = Files(host.files.real(f"{base}/root"))  # links in it lead inside it
    texts = cell.render_files(controller, plan.ssh_unit, plan.program)
    masked = {f"/etc/systemd/system/{unit}": "" for unit in cell.MASKED}  # an empty file masks (systemd.unit(5))
    for path, text in {**masked, **texts}.items():
        own.make_directory(path.rsplit("/", 1)[0])
        own.write(path, text.encode(), 0o644)


def _cover(host: Host, base: str, number: int, lower: str, target: str) -> None:
    layer = f"{base}/layers/{number}"
    for part in ("upper", "work"):
        host.files.make_directory(f"{layer}/{part}")
    host.run(cell.build_overlay(lower, layer, target))
