"""tanist status [NAME]: exit status 0 active, 10 standby, 20 needs a person; with several controllers the gravest."""

from __future__ import annotations

import argparse
import json
import sys

from tanist.definition.load import list_controllers, read_controller, read_node_name
from tanist.host.local import LocalHost
from tanist.model.codec import encode
from tanist.runs.status import Status, read_status

EXIT = {"active": 0, "standby": 10, "needs-a-person": 20}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="controller; all of this node when left out")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    host = LocalHost()
    node = read_node_name(host.files)
    names = [args.name] if args.name else list_controllers(host.files)
    found = [read_status(host, read_controller(host.files, name), node) for name in names]
    if args.json:
        bodies = [encode(one) for one in found]
        print(json.dumps(bodies[0] if args.name else bodies, indent=1))
    else:
        print("\n\n".join(render(one) for one in found) or "no controllers are defined in /etc/tanist/controllers")
    sys.stdout.flush()
    return max((EXIT[one.state] for one in found), default=0)


def render(status: Status) -> str:
    owner = f"{status.claim}" + ("" if status.claim_seen == "here" else f" ({status.claim_seen})")
    age = "none" if status.capture_age < 0 else f"{describe_age(status.capture_age)} old ({status.newest_capture})"
    lines = [
        f"{status.controller}: this node ({status.node}) is {status.state.upper()}",
        f"  claim         {owner}",
        f"  last capture  {age}",
        f"  open runs     {status.open_run or 'none'}",
    ]
    if status.why:
        lines.append(f"  attention     {status.why}")
    return "\n".join(lines)


def describe_age(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172800 else f"{seconds / 86400:.0f} days"
