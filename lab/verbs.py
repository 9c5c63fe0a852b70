"""labctl's verbs, except exec: from words to a call of the library. No logic of its own."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict

from lab.cli import run_in_node
from lab.lab import Lab, LabStatus
from lab.layers import is_built
from lab.layout import NETWORKS, NODES


def main(argv: list[str]) -> int:
    return _dispatch(_parser().parse_args(argv), Lab(os.environ.get("LAB") or "main"))


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="labctl", description="Hosts ec-a, ec-b and client on this machine. LAB=name selects the lab."
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    up = verbs.add_parser("up", help="build, make and boot what is missing")
    up.add_argument("--nodes", nargs="+", choices=list(NODES), default=list(NODES))
    verbs.add_parser("down", help="remove everything of the lab, even after a crash")
    verbs.add_parser("build", help="build the base image and the nodes' layers")
    status = verbs.add_parser("status", help="state, addresses, disks")
    status.add_argument("--json", action="store_true")
    for verb, text in POWER.items():
        verbs.add_parser(verb, help=text).add_argument("node", choices=list(NODES))
    for verb, text in (("isolate", "pull the node's cables at the switch"), ("join", "put them back")):
        sub = verbs.add_parser(verb, help=text)
        sub.add_argument("node", choices=list(NODES))
        sub.add_argument("--network", choices=NETWORKS, action="append")
    run = verbs.add_parser("exec", help="run a program in the node: exec NODE -- PROGRAM ARGUMENT...")
    run.add_argument("node", choices=list(NODES))  # for the help text: lab.cli has taken it before
    verbs.add_parser("enter", help="a shell in the node").add_argument("node", choices=list(NODES))
    for verb, words in (("push", ("node", "source", "target")), ("pull", ("node", "source", "target"))):
        sub = verbs.add_parser(verb, help=f"copy a file or directory {'into' if verb == 'push' else 'out of'} the node")
        for word in words:
            sub.add_argument(word)
    verbs.add_parser("help", help="this text")
    return top


POWER = {
    "cut": "power cut: nothing more is written, nothing is closed",
    "boot": "power on, and wait until it answers",
    "shutdown": "clean power-off",
    "reboot": "clean reboot, and wait until it answers",
    "freeze": "stop every process where it is",
    "thaw": "let them go on",
}


def _dispatch(args: argparse.Namespace, lab: Lab) -> int:
    match args.verb:
        case "up":
            if not is_built():
                print("labctl: building the base image, a few minutes", file=sys.stderr)
            lab.up(args.nodes)
        case "down":
            lab.down()
        case "build":
            print(lab.build())
        case "status":
            status = lab.status()
            print(json.dumps(asdict(status), default=str, indent=1) if args.json else render_status(status))
        case "cut":
            cut = lab.cut(args.node)
            print(f"{args.node} cut in {cut.seconds:.3f} s{''.join(f', {d} ({how})' for d, how in cut.disks.items())}")
        case "boot" | "shutdown" | "reboot" | "freeze" | "thaw":
            getattr(lab, args.verb)(args.node)
        case "isolate" | "join":
            getattr(lab, args.verb)(args.node, args.network or NETWORKS)
        case "push" | "pull":
            getattr(lab, args.verb)(args.node, args.source, args.target)
        case "enter":
            return run_in_node(lab.layout.machine(args.node), ["bash", "-l"], TERM=os.environ.get("TERM", "dumb"))
        case _:
            _parser().print_help()
    return 0


def render_status(status: LabStatus) -> str:
    lines = [f"lab {status.lab}"]
    for n in status.nodes:
        cut_off = f"  isolated: {', '.join(n.isolated)}" if n.isolated else ""
        lines.append(f"  {n.name:7} {n.state:8} svc {n.svc_ip:12} mgmt {n.mgmt_ip}{cut_off}")
    for d in status.disks:
        users = [f"{n.name}:{p}" for n in status.nodes for p in n.mounts.get(d.name, [])]
        lines.append(f"  {d.name:7} {d.loop}  {d.image}  mounted: {', '.join(users) or 'nowhere'}")
    return "\n".join(lines)
