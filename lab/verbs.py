"""labctl's verbs, except exec: from words to a call of the library. No logic of its own."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lab.cli import run_in_machine, run_in_node
from lab.errors import LabRefused
from lab.lab import Lab, LabStatus
from lab.layers import is_built
from lab.layout import NETWORKS, SAN, Layout
from lab.vm.layout import VM_NODES, is_vm_lab

if TYPE_CHECKING:
    from lab.vm.lab import VmLab


def main(argv: list[str]) -> int:
    args = _parser().parse_args(argv)
    return _dispatch(args, _open_lab(os.environ.get("LAB") or "main", getattr(args, "tier", None)))


def _open_lab(name: str, tier: str | None) -> Lab:
    """The lab of that name as it was brought up; `tier` for one that is not up yet."""
    if tier == "vm" or (tier is None and is_vm_lab(Layout(name))):
        from lab.vm.lab import VmLab

        return VmLab(name)
    return Lab(name)


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="labctl",
        description="Hosts ec-a, ec-b and client on this machine: containers, or with `up --tier vm` virtual machines, "
        "with a host more, store. LAB=name selects the lab.",
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    up = verbs.add_parser("up", help="build, make and boot what is missing")
    up.add_argument("--nodes", nargs="+", choices=list(VM_NODES), help="default: all; of virtual machines ec-a ec-b")
    up.add_argument("--tier", choices=("container", "vm"), help="what the hosts are (default: as they are, container)")
    verbs.add_parser("down", help="remove everything of the lab, even after a crash")
    build = verbs.add_parser("build", help="build the base image and the nodes' layers, or the saved machines")
    build.add_argument("--tier", choices=("container", "vm"))
    status = verbs.add_parser("status", help="state, addresses, disks")
    status.add_argument("--json", action="store_true")
    for verb, text in POWER.items():
        sub = verbs.add_parser(verb, help=text)
        sub.add_argument("node", choices=list(VM_NODES))
        if verb == "freeze":
            sub.add_argument("--clock-runs", action="store_true", help="a machine's time jumps at the thaw")
    for verb, text in (("isolate", "pull the node's cables at the switch"), ("join", "put them back")):
        sub = verbs.add_parser(verb, help=text)
        sub.add_argument("node", choices=list(VM_NODES))
        sub.add_argument("--network", choices=(*NETWORKS, SAN), action="append")
    _add_machine_verbs(verbs)
    run = verbs.add_parser("exec", help="run a program in the node: exec NODE -- PROGRAM ARGUMENT...")
    run.add_argument("node", choices=list(VM_NODES))  # for the help text: lab.cli has taken it before
    verbs.add_parser("enter", help="a shell in the node").add_argument("node", choices=list(VM_NODES))
    for verb, words in (("push", ("node", "source", "target")), ("pull", ("node", "source", "target"))):
        sub = verbs.add_parser(verb, help=f"copy a file or directory {'into' if verb == 'push' else 'out of'} the node")
        for word in words:
            sub.add_argument(word)
    verbs.add_parser("help", help="this text")
    return top


def _add_machine_verbs(verbs: Any) -> None:
    """What only virtual machines can do."""
    verbs.add_parser("renew", help="machines: as at the first up, in seconds; shared disks empty").add_argument(
        "nodes", nargs="+", choices=list(VM_NODES)
    )
    words: dict[str, tuple[str, str, dict[str, Any]]] = {
        "disk-error": ("state", "every access of the node to a disk fails, or works again", {"choices": ("on", "off")}),
        "disk-hang": ("state", "no request of the node to a disk ends, or all go on", {"choices": ("on", "off")}),
        "disk-slow": ("rate", "at most that many requests a second; 0: no limit", {"type": int}),
        "disk-grow": ("mib", "the disk becomes larger, for this machine", {"type": int}),
    }
    for verb, (name, text, options) in words.items():
        sub = verbs.add_parser(verb, help=f"machines: {text}")
        sub.add_argument("node", choices=list(VM_NODES))
        sub.add_argument(name, **options)
        sub.add_argument("disk", nargs="?", default="asset0")
    pull = verbs.add_parser("disk-pull", help="machines: take a disk out while it runs")
    pull.add_argument("node", choices=list(VM_NODES))
    pull.add_argument("disk", nargs="?", default="asset0")


POWER = {
    "cut": "power cut: nothing more is written, nothing is closed",
    "boot": "power on, and wait until it answers",
    "shutdown": "clean power-off",
    "reboot": "clean reboot, and wait until it answers",
    "reset": "machines: the reset button, and wait until it answers",
    "freeze": "stop every process (a machine's processors) where it is",
    "thaw": "let them go on",
}


def _dispatch(args: argparse.Namespace, lab: Lab) -> int:
    match args.verb:
        case "up":
            if not _is_built(lab):
                print("labctl: building what the lab is made of, a few minutes", file=sys.stderr)
            lab.up(args.nodes) if args.nodes else lab.up()
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
        case "freeze" if args.clock_runs:
            _machines(lab).freeze(args.node, clock_runs=True)
        case "boot" | "shutdown" | "reboot" | "freeze" | "thaw":
            getattr(lab, args.verb)(args.node)
        case "reset":
            _machines(lab).reset(args.node)
        case "renew":
            _machines(lab).renew(args.nodes)
        case "disk-error":
            _machines(lab).disk_error(args.node, args.disk, args.state == "on")
        case "disk-hang":
            _machines(lab).disk_hang(args.node, args.disk, args.state == "on")
        case "disk-slow":
            _machines(lab).disk_slow(args.node, args.disk, args.rate)
        case "disk-grow":
            _machines(lab).disk_grow(args.node, args.disk, args.mib << 20)
        case "disk-pull":
            _machines(lab).disk_pull(args.node, args.disk)
        case "isolate" | "join":
            getattr(lab, args.verb)(args.node, args.network or NETWORKS)
        case "push" | "pull":
            getattr(lab, args.verb)(args.node, args.source, args.target)
        case "enter":
            return _enter(lab, args.node)
        case _:
            _parser().print_help()
    return 0


def _is_built(lab: Lab) -> bool:
    if type(lab) is Lab:
        return is_built()
    from lab.vm import states

    return states.is_built()


def _machines(lab: Lab) -> VmLab:
    from lab.vm.lab import VmLab

    if not isinstance(lab, VmLab):
        raise LabRefused(f"lab {lab.name} has no virtual machines; only they can do that: up --tier vm")
    return lab


def _enter(lab: Lab, node: str) -> int:
    term = os.environ.get("TERM", "dumb")
    if type(lab) is Lab:
        return run_in_node(lab.layout.machine(node), ["bash", "-l"], TERM=term)
    from lab.vm.terminal import raw_terminal

    with raw_terminal():
        return run_in_machine(lab.name, node, ["script", "-qfc", "bash -l", "/dev/null"], TERM=term)


def render_status(status: LabStatus) -> str:
    lines = [f"lab {status.lab}"]
    for n in status.nodes:
        cut_off = f"  isolated: {', '.join(n.isolated)}" if n.isolated else ""
        lines.append(f"  {n.name:7} {n.state:8} svc {n.svc_ip:12} mgmt {n.mgmt_ip}{cut_off}")
    for d in status.disks:
        users = [f"{n.name}:{p}" for n in status.nodes for p in n.mounts.get(d.name, [])]
        lines.append(f"  {d.name:7} {d.loop}  {d.image}  mounted: {', '.join(users) or 'nowhere'}")
    return "\n".join(lines)
