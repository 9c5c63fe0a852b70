"""tanist watch NAME: called by tanist-watch@NAME.service; ends when the definition changed, and is started again.

A definition that is wrong or gone ends nothing: the node is watched by the last good one.
"""

from __future__ import annotations

import argparse

from tanist.cli.context import open_session
from tanist.definition.load import read_controller
from tanist.model.errors import Refused
from tanist.runs.filer_lock import LockKeeper
from tanist.runs.lease import Joiner, LeaseEye
from tanist.runs.reservation import ReservationEye
from tanist.runs.serving import Carer
from tanist.runs.watch import watch

DEFINITION = "/etc/tanist/controllers"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")


def run(args: argparse.Namespace) -> int:
    session = open_session(args.name)
    files, path = session.host.files, f"{DEFINITION}/{args.name}.toml"

    def changed() -> bool:
        try:
            return files.read(path) != begun and bool(read_controller(files, args.name))
        except (Refused, OSError):
            return False

    begun = files.read(path)
    watch(
        session,
        until=changed,
        extra=[LeaseEye(), ReservationEye()],
        chores=[Joiner()],
        carer=Carer(),
        keeper=LockKeeper(),
    )
    return 0
