"""Versions of the kernel and of the programs that make file systems, arrays and volume groups."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tanist.model.disks import Programs

if TYPE_CHECKING:
    from tanist.host.host import Host


def read_programs(host: Host) -> Programs:
    return Programs(
        kernel=read_version(host, "uname", "-r"),
        e2fsprogs=read_version(host, "mke2fs", "-V"),
        xfsprogs=read_version(host, "mkfs.xfs", "-V"),
        mdadm=read_version(host, "mdadm", "--version"),
        lvm=read_version(host, "lvm", "version"),
    )


def read_version(host: Host, *argv: str) -> str:
    """ "" where it is not there, or says none."""
    try:
        ran = host.run(argv, ok=None, timeout=10)
    except OSError:
        return ""
    return parse_version((ran.stdout + ran.stderr).decode("utf-8", "replace")) if ran.status == 0 else ""


def parse_version(text: str) -> str:
    """The first number with a dot in it."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return found[0] if found else ""
