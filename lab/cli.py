"""labctl: the lab's verbs on the command line.

Exit status: 0 done, 1 failed, 2 refused or wrong usage. `exec` and `enter` give the program's own (128+N if killed by
signal N). `exec` goes past the argument parser and the library: it is called often, and their import would be most of
its time.
"""

from __future__ import annotations

import os
import subprocess
import sys

from lab.enter import ENVIRONMENT, enter_argv, machine_name, shell_status
from lab.errors import LabError, LabRefused


def main(argv: list[str]) -> int:
    try:
        if argv[:1] == ["exec"] and argv[1:2] not in ([], ["-h"], ["--help"]):
            return _exec(argv[1], argv[2:])
        from lab import verbs

        return verbs.main(argv)
    except LabRefused as e:
        print(f"labctl: refused: {e}", file=sys.stderr)
        return 2
    except LabError as e:
        print(f"labctl: {e}", file=sys.stderr)
        return 1


def _exec(node: str, words: list[str]) -> int:
    argv = words[1:] if words[:1] == ["--"] else words
    if not argv:
        raise LabRefused("usage: exec NODE -- PROGRAM ARGUMENT...")
    lab = os.environ.get("LAB") or "main"
    if os.path.exists(f"/var/lib/tanist-lab/{lab}/vm"):
        return run_in_machine(lab, node, argv)
    return run_in_node(machine_name(lab, node), argv)


def run_in_machine(lab: str, node: str, argv: list[str], **more: str) -> int:
    """The same for a lab of virtual machines."""
    from lab.vm.lab import VmLab

    machine = VmLab(lab).running(node)
    from lab.vm.channel import pass_through

    return pass_through(machine.directory, argv, {**ENVIRONMENT, **more})


def run_in_node(machine: str, argv: list[str], **more: str) -> int:
    """Run with this process's own stdin, stdout, stderr and terminal; returns the status as a shell says it."""
    process = subprocess.Popen(enter_argv(machine, argv, {**ENVIRONMENT, **more}))
    while True:
        try:
            return shell_status(process.wait())
        except KeyboardInterrupt:
            continue  # the terminal sent it to the program as well
