"""The node's own ssh server: its unit and its host keys."""

from __future__ import annotations

import re

from tanist.host.host import Host

DIRECTORY = "/etc/ssh"
KEY = re.compile(r"ssh_host_[a-z0-9-]+_key(\.pub)?")


def read_key_files(host: Host, directory: str) -> tuple[str, ...]:
    """Names of host key files, public ones included, sorted. A directory that is not there has none."""
    try:
        names = host.files.list(directory)
    except FileNotFoundError:
        return ()
    return tuple(sorted(name for name in names if KEY.fullmatch(name)))


def read_own_keys(host: Host) -> tuple[str, ...]:
    return tuple(f"{DIRECTORY}/{name}" for name in read_key_files(host, DIRECTORY))


def read_ssh_unit(host: Host) -> str:
    """ssh.service (Debian) or sshd.service (others), whichever runs; "" when neither does."""
    units = ("ssh.service", "sshd.service")
    ran = host.run(["systemctl", "is-active", "--", *units], ok=None, timeout=30)
    states = ran.text.split()
    return next((unit for unit, state in zip(units, states, strict=False) if state == "active"), "")
