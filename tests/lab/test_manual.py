"""README.md and docs/manual.md, walked from top to bottom: each command on its machine, its status, what it prints."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.controllers.nspawn import give_nspawn
from lab.lab import Lab
from lab.layout import REPOSITORY
from tests.unit.docs.blocks import Block, missing_lines, parse_blocks

LIMIT = 180.0  # seconds for one block
SHELL = ["bash", "-e", "-o", "pipefail", "-c"]


def walk(lab: Lab, path: str) -> None:
    """The first block that does not do what the document says ends the walk: what follows stands on it."""
    for block in parse_blocks((REPOSITORY / path).read_text()):
        if block.machines:
            with ThreadPoolExecutor(len(block.machines)) as pool:
                problems = list(pool.map(lambda machine, block=block: run_block(lab, machine, block), block.machines))
            text = "\n".join(problem for problem in problems if problem)
            assert not text, f"{path}:{block.line}: in {block.chapter!r}\n{block.text}{text}"


def run_block(lab: Lab, machine: str, block: Block) -> str:
    """ "" when it did what the document says."""
    status, printed = run(lab, machine, [*SHELL, block.text])
    if status != block.status:
        return f"on {machine}: exit status {status}, the document says {block.status}\n{printed}"
    missing = missing_lines(block.output, printed)
    return f"on {machine}: did not print\n" + "\n".join(missing) + f"\nbut\n{printed}" if missing else ""


def run(lab: Lab, machine: str, argv: Sequence[str]) -> tuple[int, str]:
    """Exit status, and both outputs as a terminal shows them."""
    command, environment = list(argv), {**os.environ, "LAB": lab.name}
    if machine != "lab":
        command = lab.enter_argv(machine, argv)
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LIMIT,
        check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace")


@pytest.mark.requirement("A39", "A40", "A42", "A48", "A62", "A64", "A65")
def test_the_manual_is_one_true_story(lab: Lab) -> None:
    give_nspawn(lab)
    walk(lab, "docs/manual.md")


def test_every_command_of_the_readme_runs(lab_name: str) -> None:
    other = Lab(f"{lab_name}r")
    try:
        walk(other, "README.md")
    finally:
        other.down()
