"""A whole check of the asset's file system before it is used: its journal is replayed by the kernel, then e2fsck(8),
xfs_repair(8) or btrfs-check(8) look at all of it and write nothing. Damage ends the run; mending is for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.facts.kernellog import read_mount_log
from tanist.facts.storage import mounted_here
from tanist.model.errors import Failed
from tanist.model.unread import Unread
from tanist.steps.busy import unmount_within
from tanist.steps.context import Context
from tanist.steps.storage import mount_asset

if TYPE_CHECKING:
    from tanist.model.host import Ran
    from tanist.model.steps import CheckFileSystem

PATIENCE = 6 * 3600.0  # seconds; about an hour for 8 TiB of a quick disk
FEW = 8  # lines of what a tool said
COMMANDS = {"ext4": ("e2fsck", "-f", "-n"), "xfs": ("xfs_repair", "-n"), "btrfs": ("btrfs", "check", "--readonly")}
MENDS = {
    "ext4": "while no node has it mounted, e2fsck -f {} mends it",
    "xfs": "while no node has it mounted, xfs_repair {} mends it",
    "btrfs": "btrfs-check(8) says what may be tried with {}; a repair can make it worse, save what can be read first",
}
NOISE = ("e2fsck 1.", "Phase ", "Pass ", "        -", "No modify flag", "Warning! ")


def apply_check_file_system(spec: CheckFileSystem, context: Context) -> None:
    here = mounted_here(context.host, spec.device)
    if isinstance(here, Unread):
        raise Failed(here.why)
    if here:
        raise Failed(f"{spec.device} is mounted at {', '.join(here)}: a check of it would tell nothing")
    replay_journal(spec, context)
    argv = [*COMMANDS[spec.fstype], spec.device]
    ran = context.host.run(argv, ok=None, timeout=PATIENCE)
    if ran.status == 127:
        raise Failed(f"{argv[0]} is not installed on this node: nothing was checked")
    if ran.status != 0:
        raise Failed(
            f"{spec.device} is damaged, or can't be checked: {' '.join(argv)} (status {ran.status}): {summarize(ran)}; "
            + MENDS[spec.fstype].format(spec.device)
        )
    context.note(f"{' '.join(argv)}: {summarize(ran) or 'no damage'}")


def replay_journal(spec: CheckFileSystem, context: Context) -> None:
    """By a mount and an unmount, as both tools demand (xfs) or would else count what is merely late (ext4)."""
    files = context.host.files
    files.make_directory(spec.target.rsplit("/", 1)[0], 0o700)
    files.make_directory(spec.target, 0o700)
    mount_asset(context.host, spec.device, spec.target, spec.fstype, spec.options, None)
    said = read_mount_log(context.host, spec.device)
    unmount_within(spec.target, context)
    if not isinstance(said, Unread):
        context.note(f"{spec.device}, as the kernel mounted it: {'; '.join(said)}")


def undo_check_file_system(spec: CheckFileSystem, context: Context) -> None:
    """Cut off between mount and unmount."""
    unmount_within(spec.target, context)


def summarize(ran: Ran) -> str:
    said = (ran.stdout + b"\n" + ran.stderr).decode("utf-8", "replace").splitlines()
    lines = [line.strip() for line in said if line.strip() and not line.startswith(NOISE)]
    left = f"; … {len(lines) - FEW} more lines" if len(lines) > FEW else ""
    return "; ".join(lines[:FEW]) + left
