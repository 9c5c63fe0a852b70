"""A restart of the machine in the middle of a run (A39, A60): the run goes on after the boot."""

from __future__ import annotations

from tanist.model.errors import Rebooting
from tanist.model.steps import Reboot
from tanist.steps.context import Context


def apply_reboot(spec: Reboot, context: Context) -> None:
    if is_reboot_applied(spec, context):
        return
    context.host.run(["systemctl", "--no-block", "reboot"], timeout=60)
    raise Rebooting


def is_reboot_applied(spec: Reboot, context: Context) -> bool:
    return context.host.boot_id() != spec.boot_id
