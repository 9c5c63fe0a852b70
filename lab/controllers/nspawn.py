"""systemd-nspawn on the nodes, for drills: the machine's own program, which is of the same Debian release.

On a real node it is a package (systemd-container). Here the nodes have no way to an archive, and the base image without
it serves everything else."""

from __future__ import annotations

import shutil

from lab.controllers.install import NODES
from lab.errors import LabError
from lab.lab import Lab

PLACE = "/usr/bin/systemd-nspawn"


def give_nspawn(lab: Lab) -> None:
    own = shutil.which("systemd-nspawn")
    if own is None:
        raise LabError("this machine has no systemd-nspawn")
    for node in NODES:
        lab.push(node, own, PLACE)
        lab.exec(node, ["systemd-nspawn", "--version"], check=True)
