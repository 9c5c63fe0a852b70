"""Mandatory access control in force: SELinux and AppArmor (selinuxfs, securityfs)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

ENFORCE = "/sys/fs/selinux/enforce"
ENABLED = "/sys/module/apparmor/parameters/enabled"


def read_security(host: Host) -> tuple[str, ...] | Unread:
    """Empty: none."""
    found = []
    try:
        if host.files.exists(ENFORCE):
            enforcing = host.files.read(ENFORCE, 64).strip() == b"1"
            found.append(f"selinux {'enforcing' if enforcing else 'permissive'}")
        if host.files.exists(ENABLED) and host.files.read(ENABLED, 64).strip() == b"Y":
            found.append("apparmor")
    except OSError as error:
        return Unread(f"{error.filename or 'security modules'}: {error.strerror or error}")
    return tuple(found)
