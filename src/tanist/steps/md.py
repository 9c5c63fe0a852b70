"""A mirror across movable disks: assembled from the members that are there, degraded when one is dead, and said so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.facts.device import is_block_device
from tanist.model.errors import Failed
from tanist.steps.context import Context
from tanist.steps.tool import try_tool
from tanist.steps.waiting import let_go, wait_for_device

if TYPE_CHECKING:
    from tanist.model.layer_steps import AssembleArray

PATIENCE = 60.0  # seconds for one call of mdadm
APPEARS = 30.0  # seconds until udev has made the array's name, beyond those that mdadm waits for it


def apply_assemble_array(spec: AssembleArray, context: Context) -> None:
    host = context.host
    if is_block_device(host, spec.device):
        return
    there = [device for device in spec.members if is_block_device(host, device)]
    # --run: a mirror with one disk dead is what it is there for; only members of this array are taken
    ran = host.run(
        ["mdadm", "--assemble", spec.device, f"--uuid={spec.uuid}", "--run", *there], ok=None, timeout=PATIENCE
    )
    if ran.status != 0 or not wait_for_device(host, spec.device, APPEARS):
        raise Failed(f"mdadm --assemble {spec.device}: {ran.complaint}")


def undo_assemble_array(spec: AssembleArray, context: Context) -> None:
    host = context.host

    def stop() -> str:
        why = try_tool(host, ["mdadm", "--stop", spec.device], PATIENCE)
        if not why:
            host.run(["udevadm", "settle", "--timeout=5"], ok=None, timeout=PATIENCE)
        return why

    let_go(host, f"{spec.device} can't be stopped", lambda: is_block_device(host, spec.device), stop)


def is_assemble_array_applied(spec: AssembleArray, context: Context) -> bool:
    return is_block_device(context.host, spec.device)
