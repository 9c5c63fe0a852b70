"""Small files and directories of sysfs and procfs, of which each may be missing: then they say nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tanist.host.host import Host

LIMIT = 65536


def read_word(host: Host, path: str) -> str:
    """Without blanks and zero bytes at its ends. "" also where reading fails: the carrier of an interface that is down
    is EINVAL."""
    try:
        return host.files.read(path, LIMIT).decode("ascii", "replace").strip(" \t\n\0")
    except OSError:
        return ""


def read_number(host: Host, path: str) -> int:
    """0 where there is none. Decimal, or hexadecimal with 0x as drivers/scsi/scsi_sysfs.c prints counters."""
    try:
        return int(read_word(host, path) or "0", 0)
    except ValueError:
        return 0


def list_names(host: Host, path: str) -> tuple[str, ...]:
    try:
        return host.files.list(path)
    except OSError:
        return ()
