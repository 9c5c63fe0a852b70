"""tanist watch NAME: called by tanist-watch@NAME.service; ends when the definition changed, and is started again."""

from __future__ import annotations

import argparse

from tanist.cli.context import open_session
from tanist.runs.watch import watch

DEFINITION = "/etc/tanist/controllers"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")


def run(args: argparse.Namespace) -> int:
    session = open_session(args.name)
    files, path = session.host.files, f"{DEFINITION}/{args.name}.toml"

    def stamp() -> object:
        info = files.stat(path)
        return (info.st_ino, info.st_size, info.st_mtime_ns) if info else None

    begun = stamp()
    watch(session, until=lambda: stamp() != begun)
    return 0
