"""tanist mirror NAME: called by the active node; says what is here, and takes a generation as a stream on stdin.

tanist mirror NAME key: takes the key for sealed captures on stdin."""

from __future__ import annotations

import argparse
import sys

from tanist.cli.context import open_session


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("what", nargs="?", default="capture", choices=("capture", "key"))


def run(args: argparse.Namespace) -> int:
    session = open_session(args.name)
    if args.what == "key":
        from tanist.runs.mirror_key import take_keys

        say(take_keys(session, sys.stdin.buffer.read(1 << 16)))
        return 0
    from tanist.runs.mirroring import receive_mirror

    receive_mirror(session, sys.stdin.buffer, say)
    return 0


def say(line: str) -> None:
    print(line, flush=True)
