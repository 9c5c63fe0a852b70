"""What the VM tier adds to the lab's names, paths and numbers. Nothing here touches the machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabRefused
from lab.layout import NETWORKS, NODES, SAN, Layout, NodeSpec

GUEST = Path(__file__).resolve().parent / "guest"
STORE = NodeSpec(name="store", number=21, has_disks=False, accounts=(), uceadm_gid=963)
VM_NODES: dict[str, NodeSpec] = {**NODES, "store": STORE}
NETWORKS_OF = {"ec-a": (*NETWORKS, SAN), "ec-b": (*NETWORKS, SAN), "client": NETWORKS, "store": (*NETWORKS, SAN)}
DEFAULT_NODES = ("ec-a", "ec-b")
MEMORY_MIB = {"ec-a": 640, "ec-b": 640, "client": 384, "store": 384}
TCG_CACHE_MIB = 128  # QEMU's default lets each machine grow by 1 GiB
ROOT_BYTES = 3 << 30
EXEC_PORTS = 8  # programs that may be run in one machine at the same time


@dataclass(frozen=True, slots=True)
class VmDisk:
    """A disk on a machine's SCSI bus. The same `wwn` on two machines is the same disk."""

    name: str
    wwn: int
    size: int

    @property
    def by_id(self) -> str:
        """Its name in the machines: the same on each, whatever the kernel calls the device."""
        return f"/dev/disk/by-id/wwn-0x{self.wwn:016x}"


def _disk(name: str, number: int, mib: int) -> VmDisk:
    return VmDisk(name, 0x5000C50015EA0000 + number, mib << 20)


# asset0, asset1 and lease0 are shared by both controllers; local0 is each controller's own (DRBD); the store's lun0 and
# lun1 are what it exports by iSCSI
SHARED = (_disk("asset0", 0, 1024), _disk("asset1", 1, 1024), _disk("lease0", 2, 64))
TARGET = "iqn.2026-01.test.lab:store"
LUNS = (_disk("lun0", 0x20, 1024), _disk("lun1", 0x21, 64))


def disks_of(node: str) -> tuple[VmDisk, ...]:
    match node:
        case "ec-a" | "ec-b":
            return (*SHARED, _disk("local0", 0x10 + VM_NODES[node].number, 512))
        case "store":
            return LUNS
        case _:
            return ()


def disk_of(node: str, name: str) -> VmDisk:
    found = [d for d in disks_of(node) if d.name == name]
    if not found:
        raise LabRefused(f"{node} has no disk {name!r}; it has {', '.join(d.name for d in disks_of(node)) or 'none'}")
    return found[0]


def vm_spec(name: str) -> NodeSpec:
    if name not in VM_NODES:
        raise LabRefused(f"no node {name!r}; there are {', '.join(VM_NODES)}")
    return VM_NODES[name]


def initiator(node: str) -> str:
    return f"iqn.2026-01.test.lab:{node}"


def disk_image(layout: Layout, node: str, disk: VmDisk) -> Path:
    """A shared disk has one file for the lab; any other lies with its machine."""
    if disk in SHARED:
        return layout.directory / "disks" / f"{disk.name}.img"
    return layout.node_dir(node) / f"{disk.name}.img"


def tier_mark(layout: Layout) -> Path:
    """This file says that the lab is one of virtual machines, and which saved machines it was made from."""
    return layout.directory / "vm"


def saved_of(layout: Layout) -> Path:
    """Where the machines that this lab was made from lie in the cache."""
    try:
        return Path(tier_mark(layout).read_text())
    except FileNotFoundError:
        raise LabRefused(f"lab {layout.lab} is not up") from None


def is_vm_lab(layout: Layout) -> bool:
    return tier_mark(layout).exists()
