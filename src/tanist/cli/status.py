"""tanist status [NAME]: exit status 0 active, 10 standby, 20 needs a person; with several controllers the gravest."""

from __future__ import annotations

import json
import sys

from tanist.host.local import LocalHost
from tanist.model.errors import Refused
from tanist.model.times import render_span
from tanist.runs.status import Status, read_status

TYPE_CHECKING = False  # as in typing, whose import takes 5 ms
if TYPE_CHECKING:
    import argparse

EXIT = {"active": 0, "standby": 10, "needs-a-person": 20}
CONTROLLERS = "/etc/tanist/controllers"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", default="", help="controller; all of this node when left out")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--watch", action="store_true", help="one screen, live; q ends it")


def run(args: argparse.Namespace) -> int:
    if args.watch:
        return watch_status(args.name)
    return show(args.name, as_json=args.json)


def show(name: str, *, as_json: bool) -> int:
    host = LocalHost()
    node = read_node(host)
    names = [name] if name else find_names(host)
    found = [read_status(host, one, node) for one in names]
    if as_json:
        bodies = [one.encode() for one in found]
        print(json.dumps(bodies[0] if name else bodies, indent=1))
    else:
        print("\n\n".join(render(one) for one in found) or f"no controllers are defined in {CONTROLLERS}")
    sys.stdout.flush()
    return max((EXIT[one.state] for one in found), default=0)


def watch_status(name: str) -> int:
    from tanist.cli.screen import watch
    from tanist.runs.board import Board

    host = LocalHost()
    node = read_node(host)
    board = Board(host, node)
    return watch(lambda: board.rows([name] if name else find_names(host)), f"tanist on {node}")


def read_node(host: LocalHost) -> str:
    try:
        return host.files.read("/etc/tanist/node", 4096).decode("ascii", "replace").strip()
    except FileNotFoundError:
        raise Refused("this node has no name yet", next_step="tanist setup --node NAME") from None


def find_names(host: LocalHost) -> list[str]:
    try:
        found = host.files.list(CONTROLLERS)
    except FileNotFoundError:
        return []
    return sorted(one.removesuffix(".toml") for one in found if one.endswith(".toml"))


def render(status: Status) -> str:
    owner = status.claim + ("" if status.claim_seen == "here" else f" ({status.claim_seen})")
    unknown = "not known" if status.state == "active" and status.claim_seen == "last seen" else "none"
    age = unknown if status.capture_age < 0 else f"{render_span(status.capture_age)} old ({status.newest_capture})"
    lines = [
        f"{status.controller}: this node ({status.node}) is {status.state.upper()}",
        f"  claim         {owner}",
        f"  last capture  {age}",
        f"  open runs     {status.open_run or 'none'}",
    ]
    if status.why:
        lines.append(f"  attention     {status.why}")
    return "\n".join(lines)
