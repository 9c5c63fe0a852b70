"""tanist definition check FILE: every mistake at once, with its line."""

from __future__ import annotations

import argparse

from tanist.definition.load import load_controller
from tanist.host.local import LocalHost


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", choices=["check"])
    parser.add_argument("file")


def run(args: argparse.Namespace) -> int:
    with open(args.file, "rb") as file:
        controller = load_controller(file.read(), args.file)
    from tanist.definition.check import check_on_host
    from tanist.definition.load import NODE_FILE, read_node_name

    host = LocalHost()
    problems: tuple[str, ...] = ()
    if host.files.exists(NODE_FILE):
        problems = check_on_host(controller, host, read_node_name(host.files))
    for problem in problems:
        print(f"{args.file}: on this node: {problem}")
    print(f"{args.file}: {'the file is right, this node is not' if problems else 'right'}")
    return 5 if problems else 0
