"""What the kernel said of a file system when it was mounted last: a journal replayed, or why it was not mounted.

In: a block device. Out: its newest lines, or Unread. Sources: dmesg(1); fs/ext4/super.c and fs/xfs/xfs_mount.c, which
begin each line with the file system's kind and the device's own name: "EXT4-fs (sda): recovery complete".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tanist.facts.device import read_number
from tanist.facts.sysfs import read_word
from tanist.facts.tool import read_text
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

LINE = re.compile(r"(?:EXT4-fs|XFS)[^(]*\((?:device )?([^)]+)\):? (.*)")  # (device ...): warnings and errors of ext4
BEGINS = "Mounting "  # xfs
MOUNTED = "mounted filesystem"  # ext4, its last line of a mount
ENDS = "unmounting filesystem", "Unmounting Filesystem"
MOST = 12  # lines


def read_mount_log(host: Host, device: str) -> tuple[str, ...] | Unread:
    """Of the last mount, or of the last try, oldest first."""
    lines = read_lines(host, device)
    return lines if isinstance(lines, Unread) else choose_mount(without_use(lines))


def read_refusal(host: Host, device: str) -> str:
    """Why the last try failed; "" where the kernel said nothing of it."""
    lines = read_lines(host, device)
    if isinstance(lines, Unread) or not lines or lines[-1].startswith((MOUNTED, *ENDS)):
        return ""
    return "; ".join(choose_mount(lines))


def read_lines(host: Host, device: str) -> tuple[str, ...] | Unread:
    name = read_kernel_name(host, device)
    if not name:
        return Unread(f"{device}: no such block device")
    text = read_text(host, ["dmesg"])
    return text if isinstance(text, Unread) else parse_lines(text, name)


def parse_lines(text: str, name: str) -> tuple[str, ...]:
    """`text`: of dmesg, in whatever form of time."""
    found = (LINE.search(line) for line in text.splitlines())
    return tuple(match[2].strip() for match in found if match and match[1] == name)


def without_use(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Without what was said after the last mount, where its end can be seen (ext4)."""
    ends = [number for number, line in enumerate(lines, start=1) if line.startswith(MOUNTED)]
    if not ends or any(line.startswith(BEGINS) for line in lines[ends[-1] :]):
        return lines  # of another file system that the device had before
    return lines[: ends[-1]]


def choose_mount(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Back from the end, without an unmount that followed, until what belongs to an earlier mount."""
    found: list[str] = []
    for line in reversed(lines):
        if line.startswith(ENDS) and not found:
            continue
        if found and line.startswith((MOUNTED, *ENDS)):
            break
        found.insert(0, line)
        if line.startswith(BEGINS):
            break
    return tuple(found[-MOST:])


def read_kernel_name(host: Host, device: str) -> str:
    try:
        number = read_number(host, device)
    except OSError:
        return ""
    place = f"/sys/dev/block/{number}/uevent"
    fields = dict(line.partition("=")[::2] for line in read_word(host, place).splitlines())
    return fields.get("DEVNAME", "")
