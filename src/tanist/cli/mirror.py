"""tanist mirror NAME list|GENERATION: called by the active node; a generation comes as a stream on stdin."""

from __future__ import annotations

import argparse
import json
import sys

from tanist.cli.context import open_session
from tanist.runs.mirroring import mirrored_names, receive_mirror


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("what")


def run(args: argparse.Namespace) -> int:
    session = open_session(args.name)
    if args.what == "list":
        print(json.dumps(mirrored_names(session)))
    else:
        receive_mirror(session, sys.stdin.buffer)
    return 0
