"""tanist history NAME [--json]: newest last."""

from __future__ import annotations

import argparse
import json

from tanist.cli.context import open_session
from tanist.runs.history import load_history


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--steps", action="store_true", help="with the seconds of every step")


def run(args: argparse.Namespace) -> int:
    for entry in load_history(open_session(args.name)):
        if args.json:
            print(json.dumps(entry, sort_keys=True))
            continue
        print(f"{entry['run']}  {entry['outcome']}  {entry.get('seconds', 0):.2f} s  {entry.get('summary', '')}")
        for key in ("who", "reason", "attested", "verdict"):
            if entry.get(key):
                print(f"    {key:<9} {entry[key]}")
        if args.steps:
            for says, seconds in entry.get("steps", []):
                print(f"    {seconds:8.3f} s  {says}")
    return 0
