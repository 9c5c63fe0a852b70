"""Disks as each node sees them: which can become the asset, and what is in the way. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from tanist.model.dataclasses import dataclass
from tanist.model.definition import Asset, Controller
from tanist.model.disks import DiskSurvey, Programs, SeenDisk
from tanist.model.unread import Unread
from tanist.plan.filesystems import version_key

Surveys = Mapping[str, DiskSurvey | Unread]  # this node's first
LAYERS = {"md": "mdadm", "lvm": "lvm"}  # kinds that are made here, and the program that makes them
FILE_SYSTEMS = {"ext4": "e2fsprogs", "xfs": "xfsprogs"}
SMALLEST = 300 << 20  # bytes of a disk: what mkfs.xfs asks for at least
ALIKE = 0.02  # by which the sizes of two members may differ unsaid
AUTOACTIVATION = "2.03.12"  # LVM that knows vgcreate --setautoactivation


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person said beside the definition."""

    erase: tuple[str, ...] = ()  # serial numbers, as typed
    quota: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A disk of the definition, as each node sees it."""

    path: str
    seen: tuple[tuple[str, SeenDisk], ...]  # (node, disk); this node's first

    @property
    def here(self) -> SeenDisk:
        return self.seen[0][1]


def find_obstacles(
    controller: Controller, surveys: Surveys, wanted: Wanted, others: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """Each with what mends it. `others`: name of another controller -> the disks that its definition names."""
    asset = controller.asset
    unread = [f"{node} can't be asked: {one.why}" for node, one in surveys.items() if isinstance(one, Unread)]
    if found := [*find_unmade(asset), *unread]:
        return tuple(found)
    read = tuple(one for one in surveys.values() if isinstance(one, DiskSurvey))
    for one in read:
        found += find_unready(asset, one)
    for path in asset.disks:
        found += find_not_there(path, read)
    chosen = choose(asset, read)
    for disk in chosen:
        elsewhere = find_other_uses(disk.path, controller, others)
        unfit = (*find_strangers(disk, read), *find_users(disk), *find_loss(disk, wanted), *elsewhere)
        found += [f"{disk.path}: {what}" for what in unfit]
    found += [*find_twins(chosen), *find_mistyped(chosen, wanted)]
    return tuple(dict.fromkeys(found))


def find_unready(asset: Asset, survey: DiskSurvey) -> Iterator[str]:
    """Of one node, whichever disks are meant."""
    for what in survey.active:
        yield f"{survey.node}: {what}; a server that is at work keeps its storage"
    for setting in survey.settings:
        yield f"{survey.node}: {setting.says}   (to mend it: {setting.mend})"
    yield from find_missing_programs(asset, survey)
    if isinstance(survey.disks, Unread):
        yield f"{survey.node}: its disks can't be listed: {survey.disks.why}"


def find_other_uses(path: str, controller: Controller, others: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """By definitions: of another controller, or of this one for something else."""
    yield from (f"the definition of {name} names it" for name, paths in others.items() if path in paths)
    if controller.proof.lease is not None and controller.proof.lease.device == path:
        yield "[proof.lease] is on it"


def find_mistyped(chosen: Sequence[Chosen], wanted: Wanted) -> Iterator[str]:
    known = {disk.here.word for disk in chosen} | {disk.here.wwn for disk in chosen}
    for word in wanted.erase:
        if word not in known:
            yield f"--erase {word}: no disk of this asset has that serial number"


def find_unmade(asset: Asset) -> Iterator[str]:
    """Kinds of storage that are made by other means."""
    if asset.kind != "filesystem" or not asset.device:
        yield f'the definition\'s asset is no disk (kind = "{asset.kind}"): there is nothing to prepare'
        return
    if asset.fstype not in FILE_SYSTEMS:
        yield f"a file system {asset.fstype} is not made by tanist: {', '.join(FILE_SYSTEMS)} are; make it by hand"
    for layer in asset.layers:
        if layer.kind not in LAYERS:
            yield f"a layer of kind {layer.kind} is not made by tanist: md and lvm are; set it up by hand"


def find_missing_programs(asset: Asset, survey: DiskSurvey) -> Iterator[str]:
    """On each node: who can't read it can't take it over."""
    programs = survey.programs
    if programs is None:
        return
    needed = {FILE_SYSTEMS[asset.fstype], *(LAYERS[layer.kind] for layer in asset.layers)}
    for name in sorted(needed):
        package = "lvm2" if name == "lvm" else name
        if not getattr(programs, name):
            yield f"{survey.node}: {package} is not installed   (apt install {package})"


def choose(asset: Asset, surveys: Sequence[DiskSurvey]) -> tuple[Chosen, ...]:
    """Those of the asset's disks that every node has."""
    found = []
    for path in asset.disks:
        seen = tuple((one.node, disk) for one in surveys if (disk := one.find(path)) is not None)
        if len(seen) == len(surveys):
            found.append(Chosen(path=path, seen=seen))
    return tuple(found)


def find_not_there(path: str, surveys: Sequence[DiskSurvey]) -> Iterator[str]:
    for one in surveys:
        name = dict(one.asked).get(path, "")
        if not name:
            yield f"{path} is no device on {one.node}"
        elif one.find(path) is None and not isinstance(one.disks, Unread):
            yield f"{path} is {name} on {one.node}, no whole disk: whole disks are prepared, no partitions or volumes"


def find_strangers(disk: Chosen, surveys: Sequence[DiskSurvey]) -> Iterator[str]:
    """Is it one and the same disk from everywhere, and is there one way to it?"""
    yield from find_differences(disk, surveys)
    seen = dict(disk.seen)
    for one in surveys:
        yield from find_ways(seen[one.node], one)


def find_differences(disk: Chosen, surveys: Sequence[DiskSurvey]) -> Iterator[str]:
    """From node to node."""
    mine, (first, here) = disk.here, disk.seen[0]
    if not mine.identity:
        yield f"it tells neither WWN nor serial number on {first}: nobody can say that the nodes mean the same disk"
    for node, there in disk.seen[1:]:
        if there.identity != mine.identity or there.size != mine.size:
            mend = common_name(mine, surveys)
            told = f"   (a name that is the same everywhere: {mend})" if mend else ""
            yield f"another disk on {node}: {describe(there)} there, {describe(here)} on {first}{told}"
        elif not isinstance(mine.marks, Unread) and not isinstance(there.marks, Unread) and keys(there) != keys(mine):
            yield f"{node} sees other things on it than {first}: {says(there)}, not {says(mine)}"


def find_ways(seen: SeenDisk, survey: DiskSurvey) -> Iterator[str]:
    """On one node: more than one, or a name of one of them."""
    if seen.kind == "path":
        yield f"on {survey.node} it is one way to {', '.join(seen.holders)}: name the multipath device"
        return
    disks = () if isinstance(survey.disks, Unread) else survey.disks
    twins = [
        other.name
        for other in disks
        if other.name != seen.name and seen.identity and other.identity == seen.identity and other.kind != "path"
    ]
    if twins:
        yield f"{survey.node} sees the same disk as {', '.join(twins)} too: two ways to it without multipath, or a copy"


def common_name(disk: SeenDisk, surveys: Sequence[DiskSurvey]) -> str:
    """A name of this disk that leads to it on every node."""
    for name in disk.names:
        owners = [
            [one for one in survey.disks if name in one.names]
            for survey in surveys
            if not isinstance(survey.disks, Unread)
        ]
        if all(found and found[0].identity == disk.identity for found in owners):
            return name
    return ""


def find_users(disk: Chosen) -> Iterator[str]:
    """On any node: no word of a person lifts these."""
    for node, seen in disk.seen:
        for use in seen.uses:
            yield f"in use on {node}: {use}"
        if seen.holders:
            yield f"in use on {node}: {', '.join(seen.holders)} is assembled on it"
        for claim in seen.claims:
            yield f"it belongs to a controller ({claim}), seen on {node}"
        if seen.read_only:
            yield f"it is read-only on {node}"
        if seen.size < SMALLEST:
            yield f"it has {size(seen.size)}; at least {size(SMALLEST)} are needed"
        if isinstance(seen.marks, Unread):
            yield f"what is on it can't be read on {node}: {seen.marks.why}"


def find_loss(disk: Chosen, wanted: Wanted) -> Iterator[str]:
    """What is on it may go when its serial number was typed."""
    mine = disk.here
    if mine.word in wanted.erase or (mine.wwn and mine.wwn in wanted.erase):
        return
    if not isinstance(mine.marks, Unread) and mine.marks:
        what = "serial number" if mine.serial else "WWN (it has no serial number)"
        yield f"it is not blank: {says(mine)}   (to have it erased for good, type its {what}: --erase ...)"


def find_twins(chosen: Sequence[Chosen]) -> Iterator[str]:
    for number, one in enumerate(chosen):
        for other in chosen[number + 1 :]:
            if one.here.name == other.here.name or (one.here.identity and one.here.identity == other.here.identity):
                yield f"{one.path} and {other.path} are one disk: a mirror on it would mirror nothing"


def keys(disk: SeenDisk) -> frozenset[str]:
    return frozenset() if isinstance(disk.marks, Unread) else frozenset(one.key for one in disk.marks)


def says(disk: SeenDisk) -> str:
    if isinstance(disk.marks, Unread):
        return f"can't be read: {disk.marks.why}"
    return "; ".join(one.says for one in disk.marks) or ("blank" if disk.looked else "not looked at")


def describe(disk: SeenDisk) -> str:
    words = [disk.model, f"serial number {disk.serial}" if disk.serial else "", f"WWN {disk.wwn}" if disk.wwn else ""]
    return ", ".join(word for word in (disk.name, size(disk.size), *words) if word)


def size(count: int) -> str:
    """In binary units, as mdadm and lsblk tell them."""
    for unit, power in (("TiB", 40), ("GiB", 30)):
        if count >= 1 << power:
            return f"{count / (1 << power):.1f} {unit}"
    return f"{count >> 20} MiB"


# -- advice: nothing of it stops anybody
def find_advice(controller: Controller, chosen: Sequence[Chosen], programs: Sequence[Programs]) -> Iterator[str]:
    asset = controller.asset
    if len(chosen) == 1 and not controller.storage.redundant_by:
        yield "one disk: it dies with all that is on it, unless its array keeps copies ([storage] redundant_by says so)"
    sizes = [disk.here.size for disk in chosen]
    if len(sizes) > 1 and max(sizes) > min(sizes) * (1 + ALIKE):
        yield f"the members differ: only {size(min(sizes))} of each are used"
    if any(layer.kind == "md" for layer in asset.layers):
        yield (
            "the mirror's first comparison goes on whenever it is assembled, and was not waited for; what is written "
            "is on both disks from the first moment on"
        )
    if asset.fstype == "xfs":
        yield "xfs has no multiple mount protection (ext4 has): only a reservation, power or the claim guards the disk"
    if any(layer.kind == "lvm" for layer in asset.layers):
        if any(version_key(one.lvm) < version_key(AUTOACTIVATION) for one in programs):
            yield f"LVM before {AUTOACTIVATION} knows no group that is left alone at boot: the system id alone keeps it"
        yield "where a node has /etc/lvm/devices/system.devices, LVM sees only what lvmdevices --adddev has put there"


def render_seen(chosen: Iterable[Chosen]) -> str:
    """The chosen disks as each node sees them, and what is on them."""
    lines = []
    for disk in chosen:
        lines.append(f"  {disk.path}")
        lines += [f"    {node}: {describe(seen)}" for node, seen in disk.seen]
        lines.append(f"    on it: {says(disk.here)}")
    return "\n".join(lines)
