"""The layers below the file system as this node sees them: members of an md array, whose volume group, who assembles.

Never assembles, activates or writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tanist.facts.md import read_members
from tanist.facts.selfstart.stacks import md_assembles
from tanist.facts.tool import read_text
from tanist.model.definition import LvmLayer, MdLayer
from tanist.model.readout import LayerState
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Asset

MDADM = ("/etc/mdadm/mdadm.conf", "/etc/mdadm.conf")
SOURCE = 'set system_id_source = "uname" in the section global of /etc/lvm/lvm.conf'


def read_layers(host: Host, asset: Asset) -> tuple[LayerState, ...]:
    return tuple(state for layer in asset.layers for state in _read(host, layer))


def _read(host: Host, layer: MdLayer | LvmLayer) -> Iterator[LayerState]:
    match layer:
        case MdLayer():
            yield read_array(host, layer)
            if starts := read_md_start(host, layer):
                yield starts
        case LvmLayer():
            yield read_group_owner(host, layer)


def read_array(host: Host, layer: MdLayer) -> LayerState:
    members, wrong = read_members(host, layer)
    left = f"{len(members)} of {len(layer.members)} members of {layer.device} are there"
    if not wrong:
        return LayerState(kind="array", name=layer.device, says=left)
    mend = f"replace the disk; while the array is assembled: mdadm {layer.device} --add MEMBER"
    return LayerState(kind="array", name=layer.device, says=left, wrong=f"{left}; {'; '.join(wrong)}", mend=mend)


def read_md_start(host: Host, layer: MdLayer) -> LayerState | None:
    """An array that a boot would assemble as its disks appear: seen also while it is not assembled."""
    texts = [host.files.read(path, 1 << 20).decode("utf-8", "replace") for path in MDADM if host.files.exists(path)]
    if not md_assembles("\n".join(texts), layer.device.removeprefix("/dev/"), layer.uuid):
        return None
    says = f"MD assembles {layer.device} at boot, as soon as its disks appear"
    mend = "in mdadm.conf: AUTO -all   then: update-initramfs -u (dracut -f)"
    return LayerState(kind="array", name=f"{layer.device} at boot", says=says, wrong=says, mend=mend)


def read_group_owner(host: Host, layer: LvmLayer) -> LayerState:
    """Whether this node has a system id, by which a volume group is one node's alone (lvmsystemid(7))."""
    said = read_text(host, ("lvm", "systemid"))
    if isinstance(said, Unread):
        return LayerState(kind="volume group", name=layer.group, says="", wrong=said.why, mend="apt install lvm2")
    own = said.rpartition("system ID:")[2].strip()
    if own:
        return LayerState(kind="volume group", name=layer.group, says=f"this node is {own} to LVM")
    wrong = "this node has no LVM system id: it could neither own the group, nor be kept from using it"
    return LayerState(kind="volume group", name=layer.group, says="", wrong=wrong, mend=SOURCE)
