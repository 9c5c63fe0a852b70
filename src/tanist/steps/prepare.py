"""Bare disks become an asset: erased, proved to be shared, a mirror, a volume, a file system.

What is made has UUIDs of its own, chosen with the plan: by these a step that was cut off knows its own work, and does
it again from the beginning. Nothing here ever touches what has other ones, or what somebody has in use.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tanist.facts import lvm, md
from tanist.facts.blank import SECTOR, build_token
from tanist.facts.device import Place, is_block_device, parse_export, read_blocks, read_export, read_size
from tanist.facts.disks import read_disks
from tanist.facts.tool import read_text
from tanist.model.asset_steps import ERASED
from tanist.model.disks import UNSIGNED, SeenDisk
from tanist.model.errors import Failed
from tanist.model.layer_steps import AssembleArray
from tanist.model.layers import MdLayer
from tanist.model.unread import Unread
from tanist.steps.context import Context
from tanist.steps.md import undo_assemble_array
from tanist.steps.tool import run_tool

if TYPE_CHECKING:
    from tanist.host.host import Host, Lock
    from tanist.model.asset_steps import EraseDisk, MakeArray, MakeFileSystem, MakeVolume, ProveShared

PATIENCE = 120.0  # seconds for one of the small programs
LONGEST = 3600.0  # seconds for a mkfs
FREED = 60.0  # seconds that a program which outlived a killed run is given to end
MIB = 1 << 20


class Untouched(Failed):
    """The step wrote nothing."""


# -- a disk
def apply_erase_disk(spec: EraseDisk, context: Context) -> None:
    """Looked at once more with the disk claimed, so that nobody can mount or assemble it any more."""
    host = context.host
    with claimed(host, spec.device):
        demand_same(find_disk(host, spec.device), spec)
        zero_ends(host, spec.device, spec.size)
    host.run(["blockdev", "--rereadpt", spec.device], ok=None, timeout=PATIENCE)  # its partitions are gone
    settle(host)


def demand_same(disk: SeenDisk, spec: EraseDisk) -> None:
    if (disk.wwn, disk.serial, disk.size) != (spec.wwn, spec.serial, spec.size):
        raise Untouched(f"{spec.device} is another disk now: {disk.name}, {disk.identity}, {disk.size} bytes")
    if in_use := [*disk.uses, *disk.holders]:
        raise Untouched(f"{spec.device} is in use: {'; '.join(in_use)}")
    if isinstance(disk.marks, Unread):
        raise Untouched(f"what is on {spec.device} can't be read: {disk.marks.why}")
    allowed = {*spec.marks, *((UNSIGNED,) if spec.marks else ())}
    if more := [one.says for one in disk.marks if one.key not in allowed]:
        raise Untouched(f"{spec.device} has something on it that it had not before: {'; '.join(more)}")
    if disk.claims:
        raise Untouched(f"{spec.device} belongs to a controller: {'; '.join(disk.claims)}")


def find_disk(host: Host, path: str) -> SeenDisk:
    disks, asked = read_disks(host, (path,), every=False)
    name = dict(asked).get(path, "")
    found = None if isinstance(disks, Unread) else next((one for one in disks if one.name == name and name), None)
    if found is None:
        why = disks.why if isinstance(disks, Unread) else "it is no whole disk any more"
        raise Untouched(f"{path} can't be looked at: {why}")
    return found


@contextlib.contextmanager
def claimed(host: Host, device: str) -> Iterator[None]:
    """The device for this process alone. What a killed run left behind may still be at work on it: waited for."""
    lock = claim(host, device)
    try:
        yield
    finally:
        lock.close()


def claim(host: Host, device: str) -> Lock:
    deadline = host.monotonic() + FREED
    while True:
        try:
            return host.claim_device(device)
        except OSError as error:
            if error.errno != errno.EBUSY or host.monotonic() >= deadline:
                raise Untouched(f"{device} can't be had alone: {error.strerror or error}") from error
        host.sleep(0.2)


def zero_ends(host: Host, device: str, size: int) -> None:
    zero(host, device, 0, ERASED // MIB)
    zero(host, device, size - ERASED, ERASED // MIB)


def zero_own(host: Host, device: str) -> None:
    """What this run has made there, and nobody has by now: blank again, as after the erasing."""
    size = read_size(host, device)
    if isinstance(size, Unread):
        raise Failed(f"{device}: {size.why}")
    with claimed(host, device):
        zero_ends(host, device, size)


def zero(host: Host, device: str, start: int, count: int) -> None:
    """`count` MiB from byte `start` on, past the page cache, on the disk when this returns."""
    where = ("oflag=direct,seek_bytes", f"seek={start}", "conv=notrunc,nocreat,fsync", "status=none")
    host.run(["dd", "if=/dev/zero", f"of={device}", "bs=1M", f"count={count}", *where], timeout=LONGEST)


def write_block(host: Host, device: str, data: bytes) -> None:
    where = ("oflag=direct", "conv=notrunc,nocreat,fsync", "status=none")
    host.run(["dd", f"of={device}", f"bs={SECTOR}", "count=1", "iflag=fullblock", *where], stdin=data, timeout=PATIENCE)


def settle(host: Host) -> None:
    host.run(["udevadm", "settle", "--timeout=30"], ok=None, timeout=PATIENCE)


# -- the same disk everywhere
def apply_prove_shared(spec: ProveShared, context: Context) -> None:
    host = context.host
    if context.read_tokens is None:
        raise Failed("no other node can be asked")
    with contextlib.ExitStack() as stack:
        for device in spec.devices:
            stack.enter_context(claimed(host, device))
        tokens = {device: build_token(spec.run, device) for device in spec.devices}
        for device, token in tokens.items():
            write_block(host, device, token)
        seen = context.read_tokens()
        wipe_tokens(spec, host)
    wanted = {device: token.strip(b"\0").decode().strip() for device, token in tokens.items()}
    wrong = [
        f"{device}: {node} reads {found or 'nothing'} where this node has written {wanted[device]!r}"
        for node, device, found in seen
        if found != wanted.get(device)
    ]
    if wrong or not seen:
        raise Failed("the nodes do not mean the same disk: " + "; ".join(wrong or ["no node told what it reads"]))


def undo_prove_shared(spec: ProveShared, context: Context) -> None:
    for device in spec.devices:
        data = read_blocks(context.host, device, 0, 1, SECTOR)
        if data == build_token(spec.run, device):
            with claimed(context.host, device):
                write_block(context.host, device, bytes(SECTOR))


def wipe_tokens(spec: ProveShared, host: Host) -> None:
    for device in spec.devices:
        write_block(host, device, bytes(SECTOR))


# -- a mirror
def apply_make_array(spec: MakeArray, context: Context) -> None:
    host = context.host
    if is_block_device(host, spec.device):
        if read_array_uuid(host, spec.device) != plain(spec.uuid):
            raise Failed(f"{spec.device} is another array on this node: mdadm --detail {spec.device}")
        undo_make_array(spec, context)
    wait_free(host, spec.members)
    ran = host.run(spec.argv, ok=None, timeout=PATIENCE)
    settle(host)
    if ran.status != 0 or not is_block_device(host, spec.device):
        raise Failed(f"mdadm --create {spec.device}: {ran.complaint}")


def undo_make_array(spec: MakeArray, context: Context) -> None:
    host = context.host
    if is_block_device(host, spec.device) and read_array_uuid(host, spec.device) == plain(spec.uuid):
        undo_assemble_array(AssembleArray(device=spec.device, uuid=spec.uuid, members=spec.members), context)
    layer = MdLayer(device=spec.device, uuid=spec.uuid, members=spec.members)
    for member in md.read_members(host, layer)[0]:
        zero_own(host, member.device)


def is_make_array_applied(spec: MakeArray, context: Context) -> bool:
    layer = MdLayer(device=spec.device, uuid=spec.uuid, members=spec.members)
    return len(md.read_members(context.host, layer)[0]) == len(spec.members)


def read_array_uuid(host: Host, device: str) -> str:
    said = read_text(host, ("mdadm", "--detail", "--export", device))
    return "" if isinstance(said, Unread) else plain(parse_export(said).get("MD_UUID", ""))


def plain(uuid: str) -> str:
    return "".join(one for one in uuid if one.isalnum()).lower()


def wait_free(host: Host, devices: tuple[str, ...]) -> None:
    for device in devices:
        with claimed(host, device):
            pass


# -- a volume
def apply_make_volume(spec: MakeVolume, context: Context) -> None:
    host = context.host
    undo_make_volume(spec, context)
    wait_free(host, (spec.disk,))
    for argv in spec.commands:
        run_tool(host, argv, PATIENCE, title=f"{argv[0]} {argv[-1]}")
    settle(host)


def undo_make_volume(spec: MakeVolume, context: Context) -> None:
    """The group of this very physical volume, and no other one of that name."""
    host = context.host
    if not is_block_device(host, spec.disk) or read_mark(host, spec.disk) != ("LVM2_member", plain(spec.uuid)):
        return
    group = lvm.read_group(host, Place(device=spec.disk, offset=0, size=0))
    if not isinstance(group, Unread):
        host.run(["vgremove", "-q", "-y", "-f", spec.group], timeout=PATIENCE)
    host.run(["pvremove", "-q", "-y", "-ff", spec.disk], timeout=PATIENCE)
    settle(host)


def is_make_volume_applied(spec: MakeVolume, context: Context) -> bool | None:
    """None: what it lies on is not put together."""
    host = context.host
    if not is_block_device(host, spec.disk):
        return None
    group = lvm.read_group(host, Place(device=spec.disk, offset=0, size=0))
    return not isinstance(group, Unread) and spec.volume in group.tree.get("logical_volumes", {})


def read_mark(host: Host, device: str) -> tuple[str, str]:
    """Type and UUID of what blkid(8) finds there."""
    fields = read_export(host, device)
    return fields.get("TYPE", ""), plain(fields.get("UUID", ""))


# -- a file system
def apply_make_file_system(spec: MakeFileSystem, context: Context) -> None:
    host = context.host
    wait_free(host, (spec.device,))
    run_tool(host, spec.argv, LONGEST, title=f"{spec.argv[0]} {spec.device}")
    host.run(["blockdev", "--flushbufs", spec.device], timeout=PATIENCE)


def undo_make_file_system(spec: MakeFileSystem, context: Context) -> None:
    host = context.host
    if is_block_device(host, spec.device) and read_mark(host, spec.device) == (spec.fstype, plain(spec.uuid)):
        zero_own(host, spec.device)


def is_make_file_system_applied(spec: MakeFileSystem, context: Context) -> bool | None:
    """None: the layers below it are not put together."""
    host = context.host
    if not is_block_device(host, spec.device):
        return None
    return read_mark(host, spec.device) == (spec.fstype, plain(spec.uuid))
