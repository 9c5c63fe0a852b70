"""The Ops Center stand-in on the second shared disk (lab/opscenter/README.md)."""

from __future__ import annotations

from pathlib import Path

from lab.controllers.install import NODES, begin, define, make_file_system, profile
from lab.lab import Lab

NAME = "opscenter"
DEVICE = "/dev/asset1"
ADDRESS = "10.88.0.60"
TREE = "/var/opt/sun/xvm"
SOURCE = "/opt/opscenter-src"
CONFIGURE = f"""
set -e
mkdir -p {TREE}
mount {DEVICE} {TREE}
python3 {SOURCE}/install.py configure --name ec
"""


def prepare(lab: Lab, *, fstype: str = "ext4", mode: str = "host") -> None:
    """ec-a is the active node when this returns, ec-b its standby."""
    for node in NODES:
        lab.push(node, Path(__file__).resolve().parents[1] / "opscenter", SOURCE)
        lab.exec(node, ["python3", f"{SOURCE}/install.py", "install"], check=True)
    make_file_system(lab, DEVICE, fstype, "xvm")
    lab.exec("ec-a", ["bash", "-c", CONFIGURE], check=True)
    define(lab, NAME, profile(NAME, fstype=fstype, mode=mode))
    begin(lab, NAME, mode)
