"""The devices of one btrfs, and what their super blocks say. Never mounts, never writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tanist.facts.btrfs.superblock import PLACE, SIZE, SuperBlock, parse_super_block
from tanist.facts.device import describe_content, read_blocks
from tanist.model.dataclasses import dataclass
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    block: SuperBlock  # the newest
    devices: Mapping[int, str]  # by number: those with the newest super block
    wrong: tuple[str, ...] = ()  # of the others: what is the matter with each


def read_super_block(host: Host, device: str) -> SuperBlock | Unread:
    data = read_blocks(host, device, PLACE // SIZE, 1, SIZE)
    block = data if isinstance(data, Unread) else parse_super_block(data)
    if isinstance(block, Unread):
        return Unread(f"{device}: {block.why} (found: {describe_content(host, device)})")
    return block


def find_devices(host: Host, devices: Sequence[str], *, whole: bool = True) -> Found | Unread:
    """`devices`: all that the definition names, the first counts where they are of different file systems. Not `whole`:
    one alone will do, which may have been left behind by the others."""
    read = {device: read_super_block(host, device) for device in devices}
    blocks = {device: block for device, block in read.items() if isinstance(block, SuperBlock)}
    wrong = [block.why for block in read.values() if isinstance(block, Unread)]
    if not blocks:
        return Unread("; ".join(wrong))
    uuid = next(iter(blocks.values())).uuid
    wrong += [f"{device}: belongs to another btrfs" for device, block in blocks.items() if block.uuid != uuid]
    same = {device: block for device, block in blocks.items() if block.uuid == uuid}
    newest = max(same.values(), key=lambda block: block.generation)
    behind = [device for device, block in same.items() if block.generation != newest.generation]
    wrong += [f"{device}: was left behind" for device in behind]
    if whole and newest.devices > len(devices):
        return Unread(
            f"{', '.join(devices)}: a btrfs on {newest.devices} devices, the definition names {len(devices)} (members)"
        )
    logs = {block.log for device, block in same.items() if device not in behind}
    if len(logs) > 1:
        return Unread(f"{', '.join(devices)}: their logs differ, one of the devices missed writes")
    good = {block.device: device for device, block in same.items() if device not in behind}
    return Found(block=newest, devices=good, wrong=tuple(wrong))
