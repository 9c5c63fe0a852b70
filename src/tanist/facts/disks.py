"""The whole disks of this node: their names, what is on them, who has them (lsblk(8), wipefs(8), fuser(1)).

In: a host. Out: SeenDisk, or Unread. Nothing is mounted, assembled or written. `exclusive` asks the kernel for the disk
alone (open(2), O_EXCL) and gives it back at once: the only way to see users in other mount namespaces.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tanist.facts.blank import read_edges, read_token, strip_token
from tanist.facts.claims import find_claims
from tanist.facts.device import drop_cache, read_number
from tanist.facts.reservation import read_reservation
from tanist.facts.sysfs import read_word
from tanist.facts.tool import read_text
from tanist.facts.users import parse_pids
from tanist.model.dataclasses import replace
from tanist.model.disks import UNSIGNED, DiskMark, SeenDisk
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

COLUMNS = "NAME,KNAME,MAJ:MIN,TYPE,SIZE,RO,SERIAL,WWN,MODEL,TRAN,MOUNTPOINT"
BY_ID = "/dev/disk/by-id"
SERIALS = ("device/serial", "serial")
NAMES = ("wwid", "device/wwid")
TRIES, PAUSE = 8, 0.25  # seconds between them
PATIENCE = 20.0  # seconds for one look; a disk that hangs is Unread


def read_disks(
    host: Host, paths: tuple[str, ...], *, every: bool, exclusive: bool = False
) -> tuple[tuple[SeenDisk, ...] | Unread, tuple[tuple[str, str], ...]]:
    """All disks, and the name of the disk at each of `paths`. A close look is taken at those, and with `every` at all
    that nobody has."""
    said = read_text(host, ("lsblk", "-J", "-b", "-o", COLUMNS), timeout=PATIENCE)
    if isinstance(said, Unread):
        return said, ()
    try:
        tree = json.loads(said)["blockdevices"]
        found = parse_disks(tree, read_links(host))
        numbers = {str(one["maj:min"]).strip(): str(one["kname"]) for one in walk(tree)}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Unread(f"lsblk: its answer can't be read: {error!r}"), ()
    asked = tuple((path, numbers.get(number_of(host, path), "")) for path in paths)
    named = {name for _, name in asked}
    parts = {one.name: find_parts(tree, one.name) for one in found}
    return tuple(
        look_closer(host, name_from_sysfs(host, one), parts[one.name], exclusive=exclusive and one.name in named)
        if one.name in named or (every and is_free(one))
        else name_from_sysfs(host, one)
        for one in found
    ), asked


def is_free(disk: SeenDisk) -> bool:
    return disk.kind != "path" and not disk.uses and not disk.holders


def parse_disks(tree: list[dict[str, Any]], links: dict[str, tuple[str, ...]]) -> tuple[SeenDisk, ...]:
    """`tree`: of `lsblk -J`, a disk with all that lies on it. `links`: kernel name -> stable names."""
    found: dict[str, SeenDisk] = {}
    for one in tree:
        if one["type"] not in ("disk", "loop") or str(one["kname"]).startswith(("ram", "zram", "fd", "nbd")):
            continue
        if one["type"] == "loop" and not one["size"]:
            continue
        paths = [child for child in one.get("children") or () if child["type"] == "mpath"]
        disk = _disk(one, "path" if paths else "disk", links)
        found[disk.name] = disk
        for child in paths:
            upper = _disk(child, "mpath", links)
            found[upper.name] = replace(
                upper, serial=disk.serial, wwn=disk.wwn, model=disk.model, transport=disk.transport
            )
    return tuple(found.values())


def _disk(one: dict[str, Any], kind: str, links: dict[str, tuple[str, ...]]) -> SeenDisk:
    name = str(one["kname"])
    uses = [f"{mount_words(node)}" for node in walk([one]) if node.get("mountpoint")]
    above = [node for node in walk(one.get("children") or []) if node["type"] != "part"]
    return SeenDisk(
        name=name,
        kind=kind,
        size=int(one["size"] or 0),
        wwn=_text(one, "wwn"),
        serial=_text(one, "serial"),
        model=_text(one, "model"),
        transport=_text(one, "tran"),
        read_only=str(one.get("ro", "0")).lower() in ("1", "true"),
        names=(*([f"/dev/mapper/{one['name']}"] if kind == "mpath" else []), *links.get(name, ())),
        uses=tuple(dict.fromkeys(uses)),
        holders=tuple(dict.fromkeys(f"{node['name']} ({node['type']})" for node in above)),
    )


def mount_words(node: dict[str, Any]) -> str:
    target = str(node["mountpoint"])
    return f"{node['name']} is swap space" if target == "[SWAP]" else f"{node['name']} is mounted at {target}"


def walk(nodes: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in nodes:
        yield one
        yield from walk(one.get("children") or ())


def find_parts(tree: list[dict[str, Any]], name: str) -> tuple[str, ...]:
    """Kernel names of a disk's partitions."""
    disk = next((one for one in walk(tree) if one["kname"] == name), {})
    return tuple(str(one["kname"]) for one in disk.get("children") or () if one["type"] == "part")


def _text(one: dict[str, Any], key: str) -> str:
    value = one.get(key)
    return str(value).strip() if value is not None else ""


def read_links(host: Host) -> dict[str, tuple[str, ...]]:
    """Kernel name -> its names below /dev/disk/by-id, the WWN's first."""
    found: dict[str, list[str]] = {}
    try:
        entries = host.files.list(BY_ID)
    except OSError:
        return {}
    for entry in sorted(entries, key=lambda one: (not one.startswith(("wwn-", "nvme-eui", "nvme-nvme")), one)):
        try:
            name = host.files.read_link(f"{BY_ID}/{entry}").rpartition("/")[2]
        except OSError:
            continue
        found.setdefault(name, []).append(f"{BY_ID}/{entry}")
    return {name: tuple(links) for name, links in found.items()}


def number_of(host: Host, path: str) -> str:
    try:
        return read_number(host, path)
    except OSError:
        return ""


def name_from_sysfs(host: Host, disk: SeenDisk) -> SeenDisk:
    """Where udev is not there to tell."""
    return replace(
        disk, wwn=disk.wwn or _first(host, disk.name, NAMES), serial=disk.serial or _first(host, disk.name, SERIALS)
    )


def _first(host: Host, name: str, files: Iterable[str]) -> str:
    return next((word for file in files if (word := read_word(host, f"/sys/class/block/{name}/{file}"))), "")


def look_closer(host: Host, disk: SeenDisk, parts: tuple[str, ...], *, exclusive: bool) -> SeenDisk:
    device = f"/dev/{disk.name}"
    marks, token = read_content(host, device, parts)
    claims = find_claims(host, device, parts) if marks and not isinstance(marks, Unread) else ()
    uses = [*disk.uses, *read_openers(host, device)]
    if exclusive:
        uses += read_reserved(host, device)
        if not uses and not disk.holders and (busy := try_alone(host, device)):
            uses.append(busy)
    return replace(disk, looked=True, marks=marks, claims=claims, token=token, uses=tuple(uses))


def read_content(host: Host, device: str, parts: tuple[str, ...]) -> tuple[tuple[DiskMark, ...] | Unread, str]:
    """Every mark, and the token of a prepare. "data" where there is no mark, and the first or the last MiB are not
    zeros."""
    found: list[DiskMark] = []
    for part in ("", *parts):
        where = f"/dev/{part}" if part else device
        said = drop_cache(host, where) or read_text(host, ("wipefs", "-p", where), timeout=PATIENCE)
        if isinstance(said, Unread):
            return said, ""
        number = re.search(r"(\d+)$", part)
        found += parse_wipefs(said, int(number[1]) if number else 0)
    if found:
        return tuple(dict.fromkeys(found)), ""
    edges = read_edges(host, device)
    if isinstance(edges, Unread):
        return edges, ""
    token = read_token(edges)
    return (DiskMark(kind=UNSIGNED),) if strip_token(edges, token).strip(b"\0") else (), token


def parse_wipefs(text: str, part: int) -> tuple[DiskMark, ...]:
    """`wipefs -p`: offset,uuid,label,type in each line."""
    lines = [line.split(",") for line in text.splitlines() if line.startswith("0x")]
    return tuple(
        DiskMark(kind=words[3].strip(), uuid=words[1].strip(), label=words[2].strip(), part=part)
        for words in lines
        if len(words) >= 4
    )


def read_openers(host: Host, device: str) -> tuple[str, ...]:
    """Programs that have it open: a virtual machine, a database on a raw disk, an iSCSI target in user space."""
    try:
        ran = host.run(["fuser", device], ok=None, timeout=PATIENCE)
    except OSError:
        return ()
    found = []
    for pid in parse_pids(ran.text):
        if pid == str(os.getpid()):
            continue  # that has claimed it to look
        name = read_word(host, f"/proc/{pid}/comm")
        if name and not name.startswith(("systemd-udevd", "(udev-worker")):
            found.append(f"{name} (process {pid}) has it open")
    return tuple(found)


def read_reserved(host: Host, device: str) -> tuple[str, ...]:
    """Hosts that have registered at the disk, this cluster's or another one's. A disk that can't be asked has none."""
    found = read_reservation(host, device)
    if isinstance(found, Unread) or not (found.keys or found.holder):
        return ()
    keys = ", ".join(dict.fromkeys(f"{key:#x}" for key in (*found.keys, found.holder) if key))
    return (
        f"hosts have registered at it for a reservation, by the keys {keys}   (own ones: tanist proofs NAME --clear)",
    )


def try_alone(host: Host, device: str) -> str:
    """ "" where the kernel would let one have it alone. A program of udev may have it for a moment."""
    for _ in range(TRIES):
        try:
            host.claim_device(device).close()
            return ""
        except OSError as error:
            if error.errno != errno.EBUSY:
                return f"it can't be opened: {error.strerror or error}"
        host.sleep(PAUSE)
    return "the kernel lets nobody have it alone: it is in use (another mount namespace, an exported disk, a layer)"
