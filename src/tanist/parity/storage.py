"""What the asset stands on: the same disks on both nodes, redundancy, ways to them, their health, room. Pair -> Found.

Each node tells of what it sees; what is known of a dead one is what it told last.
"""

from __future__ import annotations

from collections.abc import Iterator

from tanist.model.hardware import BlockDevice, Carrier, FileSystemHealth, StorageReadout
from tanist.model.pair import Pair
from tanist.model.readiness import Found, Seen
from tanist.model.readout import Readout
from tanist.model.replica import ReplicaReadout
from tanist.model.times import render_time
from tanist.model.unread import Unread
from tanist.parity.finding import few, good, untold, wrong
from tanist.parity.redundancy import GONE, Stack, working

FEW = 4
GIB = 1 << 30
Told = list[tuple[Readout, StorageReadout]]


def check_storage(pair: Pair) -> Iterator[Found]:
    told: Told = []
    for one in pair.known:
        if isinstance(one.storage, Unread):
            yield untold("shared disk", [(one.node, one.storage.why)], subject=one.node)
        elif one.storage is not None:
            told.append((one, one.storage))
    if not told:
        return
    if pair.controller.asset.kind != "directory":
        yield from _check_shared(pair, told)
    if pair.controller.asset.replicated is None:
        yield _check_redundancy(pair, told)
    else:
        yield from _check_copies(pair)
    for one, storage in told:
        yield from _check_arrays(one, storage)
        yield from _check_paths(one, storage)
        yield from _check_errors(one, storage)
        yield from _check_missing(one, storage)
        yield from _check_network(one, storage)
    yield _check_filesystem(told)


# -- the same disks on both nodes


def _check_shared(pair: Pair, told: Told) -> Iterator[Found]:
    """Each disk by the names that the disk itself gives (WWN, serial number), and by the marks that lie on it."""
    exclusive = pair.controller.asset.exclusive
    for one, storage in told:
        for disk in storage.opened:
            if disk.why and (one.active or not exclusive):
                says = f"{one.node} can't read {disk.path}: {disk.why}"
                yield wrong("shared disk", says, subject=f"{disk.path} on {one.node}")
    if len(told) < 2 or exclusive:
        return
    yield from (_compare_disk(path, told) for path in pair.controller.asset.disks if _all_read(path, told))
    for what in dict.fromkeys(mark.what for _, storage in told for mark in storage.identities):
        seen = [Seen(node=one.node, what=_mark(storage, what)) for one, storage in told]
        if len({item.what for item in seen}) > 1:
            said = ", ".join(f"{item.what} on {item.node}" for item in seen)
            yield wrong("shared disk", f"{what} is not the same on both nodes: {said}", subject=what, seen=seen)


def _mark(storage: StorageReadout, what: str) -> str:
    return next((mark.uuid for mark in storage.identities if mark.what == what), "nothing")


def _all_read(path: str, told: Told) -> bool:
    return all(one.path != path or not one.why for _, storage in told for one in storage.opened)


def _compare_disk(path: str, told: Told) -> Found:
    seen, names = [], []
    for one, storage in told:
        device = _device(storage, path)
        names.append((device.wwn, device.serial) if device else ("", ""))
        seen.append(Seen(node=one.node, what=_describe(device) if device else "not listed by lsblk"))
    said = ", ".join(f"{item.what} on {item.node}" for item in seen)
    for kind, (mine, theirs) in zip(("WWN", "serial number"), zip(*names, strict=True), strict=True):
        if mine and theirs and mine != theirs:
            return wrong("shared disk", f"{path} has another {kind} on each node: {said}", subject=path, seen=seen)
    if any(all(pairs) for pairs in zip(*names, strict=True)):
        return good("shared disk", f"both nodes read the same {path}: {said}", subject=path, seen=seen)
    says = f"both nodes read {path}; it has neither WWN nor serial number, and is told by what lies on it: {said}"
    return good("shared disk", says, subject=path, seen=seen)


def _device(storage: StorageReadout, path: str) -> BlockDevice | None:
    name = next((one.name for one in storage.opened if one.path == path), "")
    devices = () if isinstance(storage.devices, Unread) else storage.devices
    return next((one for one in devices if name and one.name == name), None)


def _describe(device: BlockDevice) -> str:
    names = [f"WWN {device.wwn}" if device.wwn else "", f"serial {device.serial}" if device.serial else ""]
    return " ".join(part for part in (device.title, *names, f"{device.size / GIB:.1f} GiB") if part)


def _label(device: BlockDevice) -> str:
    return f"{device.title} ({device.serial or device.wwn})" if device.serial or device.wwn else device.title


# -- what may fail alone


def _check_redundancy(pair: Pair, told: Told) -> Found:
    """Judged where the asset is put together; else by what its lowest layer is made of."""
    stated = pair.controller.storage.redundant_by
    if pair.controller.asset.kind == "nfs":
        filer = pair.controller.asset.device
        if stated:
            return good("redundancy", f"{filer}: {stated}, as the definition says")
        return untold("redundancy", [("both nodes", f"what {filer} lies on, its filer alone knows")])
    up = [(one, storage) for one, storage in told if storage.top] or told
    one, storage = next(((node, its) for node, its in up if node.active), up[0])
    if isinstance(storage.devices, Unread):
        return untold("redundancy", [(one.node, storage.devices.why)])
    if isinstance(storage.filesystem, FileSystemHealth) and storage.filesystem.profiles:
        return _judge_profiles(one.node, storage.filesystem, stated)
    arrays = () if isinstance(storage.arrays, Unread) else storage.arrays
    if isinstance(storage.arrays, Unread):
        return untold("redundancy", [(one.node, storage.arrays.why)])
    stack = Stack(storage.devices, arrays)
    if not storage.top and any(layer.copies for layer in pair.controller.asset.layers):
        names = {disk.name for disk in storage.opened if disk.name}
        left = list(stack.lowest(sorted(names)))
        weak = tuple(left) if len(left) < 2 else ()
    else:
        weak = stack.fails_with_disk((storage.top,) if storage.top else tuple(x.name for x in storage.opened if x.name))
    seen = [Seen(node=one.node, what=", ".join(_describe(item) for item in stack.lowest(_tops(storage))))]
    if weak and stated:
        return good("redundancy", f"{', '.join(map(_label, weak))}: {stated}, as the definition says", seen=seen)
    if weak:
        said = ", ".join(map(_label, weak))
        return wrong("redundancy", f"the data is gone if one of these fails, as {one.node} sees it: {said}", seen=seen)
    if not seen[0].what:
        return untold("redundancy", [(one.node, "no disk of the asset can be seen")])
    return good("redundancy", f"no single disk that {one.node} sees takes the data with it: {seen[0].what}", seen=seen)


def _check_copies(pair: Pair) -> Iterator[Found]:
    """Two nodes, two disks: one may fail as long as the other has everything."""
    replicas = [(one.node, one.replica.replica) for one in pair.known if isinstance(one.replica, ReplicaReadout)]
    if not replicas:
        yield untold("redundancy", [("both nodes", "nothing is known of the copies")])
    elif any(its.linked and its.peer_disk == "UpToDate" for _, its in replicas):
        yield good("redundancy", "each node has a whole copy on a disk of its own")
    else:
        said = "; ".join(f"{node}: {its.states}" for node, its in replicas)
        yield wrong("redundancy", f"only one copy is whole and of now: {said}", mend="see the finding replica")


def _tops(storage: StorageReadout) -> tuple[str, ...]:
    return (storage.top,) if storage.top else tuple(one.name for one in storage.opened if one.name)


def _judge_profiles(node: str, health: FileSystemHealth, stated: str) -> Found:
    weak = [one for one in health.profiles if one.split()[1] in ("single", "dup", "raid0")]
    said, name = ", ".join(health.profiles), f"{health.fstype} on {node}"
    if weak and stated:
        return good("redundancy", f"{name} keeps {said}: {stated}, as the definition says")
    if weak:
        return wrong("redundancy", f"{name} keeps {', '.join(weak)}: one disk that fails takes it along ({said})")
    return good("redundancy", f"{name} keeps {said}")


def _check_arrays(one: Readout, storage: StorageReadout) -> Iterator[Found]:
    if isinstance(storage.arrays, Unread):
        yield untold("array", [(one.node, storage.arrays.why)], subject=one.node)
        return
    devices = () if isinstance(storage.devices, Unread) else storage.devices
    titles = {device.name: device.title for device in devices}
    for array in storage.arrays:
        name = titles.get(array.name, array.name)
        subject = f"{name} on {one.node}"
        busy = f"; {array.action} {array.done}".rstrip() if array.action not in ("", "idle", "frozen") else ""
        says = f"{one.node}: {name} is {array.level}, {len(array.in_sync)} of {array.disks} disks in sync"
        if len(array.in_sync) < array.disks:
            lacks = "; ".join(array.others) or "a disk is missing"
            yield wrong("array", f"{says} ({lacks}){busy}", subject=subject)
        elif array.mismatches:
            mend = f"echo repair > /sys/class/block/{array.name}/md/sync_action, and look at the disks' health"
            found = f"{says}; the last check found {array.mismatches} sectors that differ between them"
            yield wrong("array", found, subject=subject, mend=mend)
        else:
            yield good("array", f"{says}{busy}", subject=subject)


def _check_paths(one: Readout, storage: StorageReadout) -> Iterator[Found]:
    """This node's own ways to the disks: what fails here is a takeover, not the end of the data."""
    if isinstance(storage.devices, Unread):
        yield untold("paths", [(one.node, storage.devices.why)], subject=one.node)
        return
    arrays = () if isinstance(storage.arrays, Unread) else storage.arrays
    stack, tops = Stack(storage.devices, arrays), _tops(storage)
    disks = stack.lowest(tops)
    if not disks:
        return
    real = [disk for disk in disks if not disk.virtual]
    seen = [Seen(node=one.node, what="; ".join(f"{disk.title}: {_ways(disk)}" for disk in disks))]
    found = []
    dead = [
        f"{path.name} of {disk.title} is {path.state}" for disk in real for path in disk.paths if path.state in GONE
    ]
    found += dead
    found += [
        f"{path.name} leads to {disk.title}, too, and is not used"
        for disk in real
        for path in disk.paths
        if not path.used
    ]
    found += [f"{_label(disk)} has one path" for disk in stack.fails_with_path(tops) if not disk.virtual]
    if any(len(working(disk)) > 1 for disk in real) or len(real) > 1:
        found += [f"every path goes by the adapter {adapter}" for adapter in stack.fails_with_adapter(tops)]
    if found:
        yield wrong("paths", f"{one.node}: {few(found, FEW)}", subject=one.node, seen=seen)
    elif not real:
        says = (
            f"{one.node}: {', '.join(disk.title for disk in disks)} is virtual: what lies below can't be seen from here"
        )
        yield wrong("paths", says, subject=one.node, seen=seen, mend="look at the machine that serves it")
    else:
        yield good("paths", f"{one.node}: no single path or adapter carries all: {seen[0].what}", subject=one.node)


def _ways(disk: BlockDevice) -> str:
    said = [
        " ".join(x for x in (path.name, path.state, f"by {path.adapter}" if path.adapter else "") if x)
        for path in disk.paths
    ]
    return f"{disk.transport} {', '.join(said)}".strip()


def _check_network(one: Readout, storage: StorageReadout) -> Iterator[Found]:
    if isinstance(storage.carriers, Unread):
        yield untold("network path", [(one.node, storage.carriers.why)], subject=one.node)
        return
    for carrier in storage.carriers:
        subject = f"{carrier.interface} of {one.node}"
        said = _judge_carrier(carrier)
        seen = [Seen(node=one.node, what=", ".join(f"{port.name} {port.adapter}".strip() for port in carrier.ports))]
        if said:
            yield wrong("network path", f"{subject}: {said}", subject=subject, seen=seen)
        else:
            names = ", ".join(port.name for port in carrier.ports)
            yield good("network path", f"{subject} goes by {names}, on several cards", subject=subject, seen=seen)


def _judge_carrier(carrier: Carrier) -> str:
    """What is not redundant; "" when nothing can be seen that is not."""
    if carrier.kind == "virtual":
        return "virtual: what carries its packets can't be seen from here"
    if carrier.kind == "nic":
        return f"one card carries the service addresses ({', '.join(port.name for port in carrier.ports)})"
    up = [port for port in carrier.ports if port.up]
    if len(carrier.ports) < 2:
        return f"a bond of {len(carrier.ports)}: {', '.join(port.name for port in carrier.ports) or 'nothing in it'}"
    if len(up) < 2:
        return f"a bond, and only {', '.join(port.name for port in up) or 'none'} of it has a link"
    cards = {port.adapter for port in up}
    return f"a bond whose ports are all on the card {cards.pop()}" if len(cards) == 1 and "" not in cards else ""


# -- health


def _check_errors(one: Readout, storage: StorageReadout) -> Iterator[Found]:
    devices = () if isinstance(storage.devices, Unread) else storage.devices
    bad = [f"{device.io_errors} of {_label(device)}" for device in devices if device.io_errors]
    if bad:
        says = f"{one.node}: commands to disks that ended in an error since its boot: {few(bad, FEW, ', ')}"
        yield wrong("I/O errors", says, subject=one.node)
    elif devices:
        yield good("I/O errors", f"{one.node}: its kernel counts no error of the asset's disks", subject=one.node)


def _check_missing(one: Readout, storage: StorageReadout) -> Iterator[Found]:
    for name in storage.missing:
        says = f"{one.node}: the volume group has lost {name}"
        yield wrong(
            "volume group",
            says,
            subject=f"{name} on {one.node}",
            mend="vgextend --restoremissing, or: vgreduce --removemissing",
        )


def _check_filesystem(told: Told) -> Found:
    """Both read the same super block: the one that has it mounted knows best."""
    read = [(one, storage.filesystem) for one, storage in told if isinstance(storage.filesystem, FileSystemHealth)]
    if not read:
        gaps = [(one.node, storage.filesystem.why) for one, storage in told if isinstance(storage.filesystem, Unread)]
        return untold("file system errors", gaps or [(told[0][0].node, "nothing is mounted")])
    one, health = next(((node, its) for node, its in read if node.active), read[0])
    if not health.tells and (not health.profiles or health.fstype == "zfs"):
        return good("file system errors", f"{health.fstype or 'this file system'} keeps no count of errors")
    when = f", the last one {render_time(health.last_error)}" if health.last_error else ""
    if health.errors or health.marked:
        marked = "; it is marked as having errors" if health.marked else ""
        return wrong(
            "file system errors", f"{health.errors} errors on {health.fstype}{when}{marked} (seen on {one.node})"
        )
    return good("file system errors", f"{health.fstype} counts no error (seen on {one.node})")
