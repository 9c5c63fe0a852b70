"""From a NAME on the command line to a session on this machine."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from tanist.cli.timeline import Timeline
from tanist.definition.load import list_controllers, read_controller, read_node_name
from tanist.host.local import LocalHost
from tanist.model.errors import Refused
from tanist.runs.session import Session

if TYPE_CHECKING:
    from argparse import ArgumentParser


def add_attested_name(parser: ArgumentParser) -> None:
    """NAME of a run that goes on or back, and a person's word on the way."""
    parser.add_argument("name")
    parser.add_argument(
        "--attest", default="", metavar="TEXT", help="your word that the other node is down, kept for good"
    )


def open_session(name: str, out: TextIO = sys.stderr) -> Session:
    """The timeline goes to `out`."""
    host = LocalHost()
    controller = read_controller(host.files, name)
    return Session(
        host=host, controller=controller, node=read_node_name(host.files), who=whoami(), report=Timeline(out).report
    )


def the_only_controller() -> str:
    """Its name, where one is defined on this machine and so need not be typed. Refused where that is not clear."""
    names = list_controllers(LocalHost().files)
    if len(names) != 1:
        raise Refused(f"which controller? Defined here: {', '.join(names) or 'none'}", next_step="name it")
    return names[0]


def whoami() -> str:
    """Who is at the keyboard, for the record: the person behind sudo, and from where."""
    user = os.environ.get("SUDO_USER") or os.environ.get("LOGNAME") or os.environ.get("USER") or "root"
    origin = os.environ.get("SSH_CONNECTION", "").split(" ")[0]
    unit = "systemd" if os.environ.get("INVOCATION_ID") else ""
    return f"{user} from {origin}" if origin else unit or user
