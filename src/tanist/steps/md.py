"""A mirror across movable disks: assembled from the members that are there, degraded when one is dead, and said so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.facts.device import is_block_device
from tanist.model.errors import Failed
from tanist.steps.context import Context

if TYPE_CHECKING:
    from tanist.model.steps import AssembleArray

PATIENCE = 60.0  # seconds for one call of mdadm
APPEARS = 30.0  # seconds until udev has made the array's name, beyond those that mdadm waits for it
CLOSES = 5.0  # seconds that the last user of the array is given


def apply_assemble_array(spec: AssembleArray, context: Context) -> None:
    host = context.host
    if is_block_device(host, spec.device):
        return
    there = [device for device in spec.members if is_block_device(host, device)]
    # --run: a mirror with one disk dead is what it is there for; only members of this array are taken
    ran = host.run(
        ["mdadm", "--assemble", spec.device, f"--uuid={spec.uuid}", "--run", *there], ok=None, timeout=PATIENCE
    )
    deadline = host.monotonic() + APPEARS
    while ran.status == 0 and not is_block_device(host, spec.device) and host.monotonic() < deadline:
        host.sleep(0.1)
    if ran.status != 0 or not is_block_device(host, spec.device):
        raise Failed(f"mdadm --assemble {spec.device}: {ran.complaint}")


def undo_assemble_array(spec: AssembleArray, context: Context) -> None:
    host = context.host
    deadline = host.monotonic() + CLOSES
    while is_block_device(host, spec.device):
        ran = host.run(["mdadm", "--stop", spec.device], ok=None, timeout=PATIENCE)
        if ran.status == 0:
            host.run(["udevadm", "settle", "--timeout=5"], ok=None, timeout=PATIENCE)
            continue
        if host.monotonic() >= deadline:
            raise Failed(f"{spec.device} can't be stopped: {ran.complaint}")
        host.sleep(0.1)


def is_assemble_array_applied(spec: AssembleArray, context: Context) -> bool:
    return is_block_device(context.host, spec.device)
