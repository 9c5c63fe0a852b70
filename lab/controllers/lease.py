"""A lease as a proof: the machine's own sanlock put on both nodes, and the table that names a shared disk for it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.controllers.install import NODES
from lab.errors import LabRefused
from lab.lab import Lab

PACKAGES = ("sanlock", "python3-sanlock", "libsanlock1", "libsanlock-client1", "libaio1")
DEVICE = "/dev/asset1"
MARK = "# -- lease"
CONTAINED = "[Service]\nEnvironment=SANLOCK_PRIVILEGED=0\nRuntimeDirectory=sanlock\n"  # a node may not lock memory
TABLE = '\n[proof]\nsuffices = [{sets}]\n\n[proof.lease]\ndevice = "{device}"\nio_timeout = {io}\n'


def fit_lease(lab: Lab) -> None:
    """Nodes and machine are of one release: the programs and their libraries are copied, with nothing of their data."""
    names = sorted({name for package in PACKAGES for name in _files_of(package)})
    if "/usr/sbin/sanlock" not in names:
        raise LabRefused("this machine has no sanlock (apt-get install sanlock python3-sanlock)")
    packed = subprocess.run(["tar", "-cP", "--no-recursion", *names], capture_output=True, check=True).stdout
    for node in NODES:
        lab.exec(node, ["tar", "-xP"], input=packed, check=True)
        place = "/etc/systemd/system/sanlock.service.d"
        script = f"mkdir -p {place} && cat >{place}/lab.conf && ldconfig && systemctl daemon-reload"
        lab.exec(node, ["sh", "-c", script], input=CONTAINED.encode(), check=True)
        lab.exec(node, ["dd", "if=/dev/zero", f"of={DEVICE}", "bs=1M", "count=4", "status=none"], check=True)


def _files_of(package: str) -> list[str]:
    done = subprocess.run(["dpkg-query", "-L", package], capture_output=True, text=True, check=False)
    wanted = ("/usr/sbin/", "/usr/lib/", "/lib/systemd/system/", "/lib/systemd/systemd-", "/etc/default/")
    return [one for one in done.stdout.split() if one.startswith(wanted) and Path(one).is_file()]


def define_lease(lab: Lab, name: str, *, io_timeout: int, suffices: tuple[str, ...]) -> None:
    path = f"/etc/tanist/controllers/{name}.toml"
    kept = lab.exec("ec-a", ["sed", f"/^{MARK}/,$d", path], check=True).stdout.decode()
    sets = ", ".join(f'"{one}"' for one in suffices)
    text = f"{kept}{MARK}\n" + TABLE.format(sets=sets, device=DEVICE, io=io_timeout)
    for node in NODES:
        lab.exec(node, ["sh", "-c", f"cat > {path}"], input=text.encode(), check=True)
        lab.exec(node, ["tanist", "definition", "check", path], check=True)
        lab.exec(node, ["systemctl", "try-restart", f"tanist-watch@{name}.service"], check=True)
