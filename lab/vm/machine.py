"""What this computer needs to hold a lab of virtual machines."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.machine import why_no_lab

NEEDED = {"qemu-system-x86_64": "qemu-system-x86", "qemu-img": "qemu-utils"}


def why_no_vm_lab() -> str | None:
    """What is missing, in words; None if nothing. Whether it has KVM does not matter."""
    reason = why_no_lab()
    if reason is not None:
        return reason
    missing = [package for tool, package in NEEDED.items() if shutil.which(tool) is None]
    if missing:
        return f"the lab of virtual machines needs more: apt-get install {' '.join(missing)}"
    return None if Path("/dev/net/tun").exists() else "the lab of virtual machines needs /dev/net/tun"
