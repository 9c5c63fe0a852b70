"""Runs in a node, piped into python3: what of a controller is there, without tanist's code, and what status says.

The claim on xfs alone is read by tanist's code.

Argument: JSON with name, device, address, mounts and units. Prints JSON.
"""

from __future__ import annotations

import glob
import json
import os
import subprocess
import sys

# xfs has no reader of files that passes the page cache by: tanist's own
OF_XFS = """
import sys
from tanist.definition.load import load_controller
from tanist.facts.storage import read_claim_offline
from tanist.host.local import LocalHost
path = f"/etc/tanist/controllers/{sys.argv[1]}.toml"
controller = load_controller(open(path, "rb").read(), path)
claim = read_claim_offline(LocalHost(), controller.asset)
print(f"{claim.state} {claim.node} {claim.epoch}" if hasattr(claim, "epoch") else f"none: {claim.why}")
"""


def main(wanted: dict[str, list[str]], name: str, device: str, address: str) -> None:
    with open("/proc/self/mountinfo") as file:
        mounts = {line.split()[4] for line in file}
    status = run("tanist", "status", name, "--json")
    body = json.loads(status.stdout) if status.stdout else {"state": "not told", "why": status.stderr}
    journals = sorted(glob.glob(f"/var/lib/tanist/{name}/runs/*.jsonl"))
    found = {
        "mounts": [one for one in wanted["mounts"] if one in mounts],
        "addresses": [address] if f" {address}/" in run("ip", "-o", "address", "show").stdout else [],
        "units": [one for one in wanted["units"] if run("systemctl", "is-active", "-q", one).returncode == 0],
        "covers": sorted(one for one in mounts if one.startswith("/etc/ssh/") or one == "/etc/hostname"),
        "hostname": os.uname().nodename,
        "active_file": os.path.exists(f"/var/lib/tanist/{name}/active.json"),
        "journal": read_lines(journals[-1]) if journals else [],
        "claim": read_claim(name, device),
        "status": status.returncode,
        "state": body["state"],
        "why": body["why"],
    }
    print(json.dumps(found))


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def read_lines(path: str) -> list[str]:
    with open(path) as file:
        return file.read().splitlines()


def read_claim(name: str, device: str) -> str:
    """From the raw device past the page cache, as a standby finds it after a crash: "held ec-a 3"."""
    data = run("debugfs", "-c", "-D", "-R", "cat /.tanist/claim", device).stdout
    if "contains a xfs file system" in data:
        return run("/opt/tanist/bin/python", "-c", OF_XFS, name).stdout.strip()
    slots = [json.loads(line) for line in data.split("\n") if line.strip().startswith("{")]
    if not slots:
        return "none"
    claim = max(slots, key=lambda slot: int(slot["seq"]))["claim"]
    return f"{claim['state']} {claim['node']} {claim['epoch']}"


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    main(asked, asked["name"], asked["device"], asked["address"])
