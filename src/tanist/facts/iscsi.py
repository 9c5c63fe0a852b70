"""iSCSI sessions of this node, from sysfs (drivers/scsi/scsi_transport_iscsi.c), and its records (iscsiadm(8)).

In: a target and its portals. Out: which of them this node is logged in by, and what a boot would do. Never logs in or
out, and never asks for a secret: iscsiadm itself prints none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tanist.facts.device import Place, ask, is_block_device
from tanist.facts.kinds import Guard, Marks, read_room_of_disk
from tanist.facts.sysfs import list_names, read_number, read_word
from tanist.model.dataclasses import dataclass
from tanist.model.readout import LayerState
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.layers import IscsiLayer

SESSIONS, CONNECTIONS = "/sys/class/iscsi_session", "/sys/class/iscsi_connection"
NAME = "/etc/iscsi/initiatorname.iscsi"
UP = "LOGGED_IN"
NO_RECORD = 21  # ISCSI_ERR_NO_OBJS_FOUND


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    portal: str  # "10.66.0.21:3260", as it was asked for
    state: str  # "LOGGED_IN", "FAILED": the way is lost and being made anew, "FREE": given up for now
    waits: int  # seconds that a request waits for a lost way until it fails
    disks: tuple[str, ...]  # kernel names


def read_sessions(host: Host, target: str) -> tuple[Session, ...]:
    """None where the kernel's iSCSI is not loaded."""
    found = []
    for name in list_names(host, SESSIONS):
        place = f"{SESSIONS}/{name}"
        if read_word(host, f"{place}/targetname") == target:
            found.append(
                Session(
                    portal=_read_portal(host, name.removeprefix("session")),
                    state=read_word(host, f"{place}/state"),
                    waits=read_number(host, f"{place}/recovery_tmo"),
                    disks=tuple(_find_disks(host, f"{place}/device")),
                )
            )
    return tuple(found)


def _read_portal(host: Host, number: str) -> str:
    place = f"{CONNECTIONS}/connection{number}:0"
    address = read_word(host, f"{place}/persistent_address")
    shown = f"[{address}]" if ":" in address else address
    return f"{shown}:{read_word(host, f'{place}/persistent_port')}"


def _find_disks(host: Host, place: str) -> Iterator[str]:
    for target in list_names(host, place):
        for unit in list_names(host, f"{place}/{target}") if target.startswith("target") else ():
            if re.fullmatch(r"\d+:\d+:\d+:\d+", unit):
                yield from list_names(host, f"{place}/{target}/{unit}/block")


def find_place(host: Host, layer: IscsiLayer, below: Place) -> Place | Unread:  # noqa: ARG001
    if not layer.device or is_block_device(host, layer.device):
        return Place(device=layer.device, offset=0, size=0)
    if any(one.state == UP for one in read_sessions(host, layer.target)):
        return Unread(f"{layer.device} is not among the disks that {layer.target} shows: lsblk -S")
    return Unread(f"{layer.device} can't be seen, as this node is not logged in: {log_in(layer, layer.portals[0])}")


def read_marks(host: Host, layer: IscsiLayer, below: Place) -> Marks:  # noqa: ARG001
    return Marks()


def read_guards(host: Host, layer: IscsiLayer) -> tuple[Guard, ...]:  # noqa: ARG001
    """A target lets in whoever may log in, at the same time."""
    return ()


def find_ends(host: Host, layer: IscsiLayer) -> dict[str, tuple[str, ...]]:  # noqa: ARG001
    return {layer.device: (layer.device,)} if layer.device else {}


read_room = read_room_of_disk


def read_states(host: Host, layer: IscsiLayer) -> Iterator[LayerState]:
    yield read_ways(host, layer)
    yield read_startup(host, layer)
    yield read_initiator(host)


def read_ways(host: Host, layer: IscsiLayer) -> LayerState:
    sessions = {one.portal: one for one in read_sessions(host, layer.target)}
    up = [portal for portal in layer.portals if portal in sessions and sessions[portal].state == UP]
    lost = [portal for portal in layer.portals if portal not in up]
    if layer.logout and not sessions:
        return _state(layer, "is not logged in, and looks at the disk once it is the owner")
    if not lost:
        waits = max(sessions[portal].waits for portal in up)
        return _state(layer, f"is logged in by {', '.join(up)}; a request waits {waits} s for a lost way")
    said = [f"{portal} {'is ' + sessions[portal].state if portal in sessions else 'has no session'}" for portal in lost]
    return _state(layer, f"is not logged in by each portal: {', '.join(said)}", mend=log_in(layer, lost[0]))


def read_startup(host: Host, layer: IscsiLayer) -> LayerState:
    """A node that stays logged in is so after a boot as well: else it could not even look whose the disk is."""
    wanted = "manual" if layer.logout else "automatic"
    found = {portal: _ask_startup(host, layer.target, portal) for portal in layer.portals}
    what = f"{layer.target} at boot"
    bad = {portal: text for portal, text in found.items() if text != wanted}
    if not bad:
        says = "a boot does not log in" if layer.logout else "a boot logs in"
        return LayerState(kind="iscsi", name=what, says=says)
    portal, text = next(iter(bad.items()))
    mend = f"{_record(layer.target, portal)} -o update -n node.startup -v {wanted}"
    if isinstance(text, Unread):
        new = f"{_record(layer.target, portal)} -o new"
        return LayerState(kind="iscsi", name=what, says="", wrong=text.why, mend=new)
    why = "after a boot this node can't look at the disk, nor tell whose it is"
    if layer.logout:
        why = "the definition says that only the owner is logged in"
    return LayerState(kind="iscsi", name=what, says="", wrong=f"node.startup of {portal} is {text}: {why}", mend=mend)


def read_initiator(host: Host) -> LayerState:
    """Two nodes with one name, as a clone has it, throw each other out of the target (RFC 3720, 5.3.5)."""
    try:
        text = host.files.read(NAME, 65536).decode("utf-8", "replace")
    except OSError as error:
        text, why = "", f"{NAME}: {error.strerror or error}"
    else:
        why = f"{NAME} holds no InitiatorName"
    found = re.search(r"^InitiatorName=\s*(\S+)", text, re.MULTILINE)
    mend = f'echo "InitiatorName=$(iscsi-iname)" >{NAME}; then log out, restart iscsid and log in'
    if found is None:
        return LayerState(kind="initiator name", name="iSCSI", says="", wrong=why, mend=mend)
    return LayerState(
        kind="initiator name", name="iSCSI", says=f"its initiator name is {found[1]}", own=found[1], mend=mend
    )


def _ask_startup(host: Host, target: str, portal: str) -> str | Unread:
    ran = ask(host, _record(target, portal).split())
    if isinstance(ran, Unread):
        return ran
    if ran.status == NO_RECORD:
        return Unread(f"this node has no record of {target} at {portal}")
    return parse_startup(ran.text) or Unread(f"iscsiadm tells no node.startup of {portal}: {ran.complaint}")


def parse_startup(text: str) -> str:
    """The record as `iscsiadm -m node` prints it; "" where it is not in it."""
    found = re.search(r"^node\.startup = (\S+)$", text, re.MULTILINE)
    return found[1] if found else ""


def _state(layer: IscsiLayer, says: str, mend: str = "") -> LayerState:
    return LayerState(kind="iscsi", name=layer.target, says=says, wrong=says if mend else "", mend=mend)


def log_in(layer: IscsiLayer, portal: str) -> str:
    return f"{_record(layer.target, portal)} --login"


def _record(target: str, portal: str) -> str:
    return f"iscsiadm -m node -T {target} -p {portal}"
