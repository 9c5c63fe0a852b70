"""tanist pair NAME: remember the other nodes' ssh host keys, after a person compared the fingerprints, and try them."""

from __future__ import annotations

import argparse
import sys

from tanist.cli.context import open_session
from tanist.runs.pairing import fingerprints, scan_peer, trust_peer, try_peer


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("--yes", action="store_true", help="the fingerprints were compared already")


def run(args: argparse.Namespace) -> int:
    session = open_session(args.name)
    status = 0
    for node in session.controller.peers(session.node):
        keys = scan_peer(session, node)
        print(f"{node.name} ({node.ssh}) shows:")
        for line in fingerprints(session, keys):
            print(f"  {line}")
        if not args.yes and not confirmed(f"is that {node.name}? [y/N] "):
            print(f"{node.name} was not paired")
            return 3
        trust_peer(session, node, keys)
        problem = try_peer(session, node)
        print(f"{node.name}: {problem or 'answers'}")
        status = 1 if problem else status
    return status


def confirmed(question: str) -> bool:
    print(question, end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
