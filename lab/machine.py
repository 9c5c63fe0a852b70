"""What the machine needs to hold a lab."""

from __future__ import annotations

import os
import shutil

NEEDED = {
    "systemd-nspawn": "systemd-container",
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "losetup": "mount",
    "nsenter": "util-linux",
    "setsid": "util-linux",
    "ssh-keygen": "openssh-client",
    "tar": "tar",
}


def why_no_lab() -> str | None:
    """What this machine lacks, in words; None if nothing."""
    if os.geteuid() != 0:
        return "the lab needs root"
    missing = sorted({package for tool, package in NEEDED.items() if shutil.which(tool) is None})
    return f"the lab needs more: apt-get install {' '.join(missing)}" if missing else None
