"""Mandatory access control in force: SELinux and AppArmor (selinuxfs, securityfs)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

ENFORCE = "/sys/fs/selinux/enforce"
ENABLED = "/sys/module/apparmor/parameters/enabled"
PROFILES = "/sys/kernel/security/apparmor/profiles"


def read_security(host: Host) -> tuple[str, ...] | Unread:
    """Empty: none."""
    found = []
    try:
        if host.files.exists(ENFORCE):
            enforcing = host.files.read(ENFORCE, 64).strip() == b"1"
            found.append(f"selinux {'enforcing' if enforcing else 'permissive'}")
        if host.files.exists(ENABLED) and host.files.read(ENABLED, 64).strip() == b"Y":
            found += ["apparmor", *_read_lenient(host)]
    except OSError as error:
        return Unread(f"{error.filename or 'security modules'}: {error.strerror or error}")
    return tuple(found)


def _read_lenient(host: Host) -> list[str]:
    """Profiles that refuse nothing: a service that works under one may be refused its files where it is enforced."""
    if not host.files.exists(PROFILES):
        return []
    return parse_lenient(host.files.read(PROFILES, 1 << 20).decode("utf-8", "replace"))


def parse_lenient(text: str) -> list[str]:
    """Of lines "NAME (MODE)" (apparmor_parser(8), aa-status(8))."""
    lines = [line.rpartition(" (") for line in text.splitlines()]
    return sorted(f"apparmor of {name} only complains" for name, _, mode in lines if mode == "complain)")
