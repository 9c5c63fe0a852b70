"""A volume group that changes hands by its system id (lvmsystemid(7)), and the one volume of it that is used."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from tanist.facts.device import is_block_device
from tanist.host.host import Host
from tanist.model.errors import Failed
from tanist.steps.context import Context
from tanist.steps.tool import run_tool, try_tool
from tanist.steps.waiting import let_go, wait_for_device

if TYPE_CHECKING:
    from tanist.model.layer_steps import ActivateVolume

PATIENCE = 60.0  # seconds for one of LVM's programs
APPEARS = 10.0  # seconds until udev has made the volume's device


def apply_activate_volume(spec: ActivateVolume, context: Context) -> None:
    host, name = context.host, f"{spec.group}/{spec.volume}"
    if is_block_device(host, spec.device):
        return
    own = read_system_id(host)
    group = read_group(host, spec.group)
    if group["vg_missing_pv_count"] != "0":
        raise Failed(f"{spec.group} lacks {group['vg_missing_pv_count']} of its physical volumes: vgs -o +pv_name")
    if group["vg_exported"]:
        _lvm(host, ["vgimport", "--config", foreign(group["vg_systemid"]), spec.group])
    if group["vg_systemid"] != own:
        # the owner's id is named for this one command: without it LVM doesn't let go of another's group
        _lvm(host, ["vgchange", "-y", "--config", foreign(group["vg_systemid"]), "--systemid", own, spec.group])
    _lvm(host, ["lvchange", "-y", "-ay", name])
    if not wait_for_device(host, spec.device, APPEARS):
        raise Failed(f"{name} is active, but {spec.device} did not appear: udevadm settle; ls -l {spec.device}")


def undo_activate_volume(spec: ActivateVolume, context: Context) -> None:
    """The group stays this node's by its id, and inactive: whoever takes it writes its own."""
    host, name = context.host, f"{spec.group}/{spec.volume}"
    deactivate = partial(try_tool, host, ("lvchange", "-y", "-an", name), PATIENCE)
    let_go(host, f"{name} can't be let go", lambda: is_block_device(host, spec.device), deactivate)


def is_activate_volume_applied(spec: ActivateVolume, context: Context) -> bool:
    return is_block_device(context.host, spec.device)


def foreign(system_id: str) -> str:
    return f"local/extra_system_ids={json.dumps([system_id] if system_id else [])}"


def read_system_id(host: Host) -> str:
    """This node's; Failed where it has none, because then any node may activate its groups, even at a boot."""
    ran = host.run(["lvm", "systemid"], timeout=PATIENCE)
    own = ran.text.partition(":")[2].strip()
    if not own:
        raise Failed(
            "LVM on this node has no system id, so its groups are anybody's: "
            'set system_id_source = "uname" in the section global of /etc/lvm/lvm.conf'
        )
    return own


def read_group(host: Host, group: str) -> dict[str, str]:
    columns = "vg_systemid,vg_exported,vg_missing_pv_count"
    argv = ["vgs", "--foreign", "--readonly", "--reportformat", "json", "-o", columns, group]
    ran = host.run(argv, ok=None, timeout=PATIENCE)
    if ran.status != 0:
        raise Failed(f"the volume group {group} can't be seen here: {ran.complaint}")
    found: dict[str, str] = json.loads(ran.text)["report"][0]["vg"][0]
    return found


def _lvm(host: Host, argv: list[str]) -> None:
    run_tool(host, argv, PATIENCE, title=f"{argv[0]} {argv[-1]}")
