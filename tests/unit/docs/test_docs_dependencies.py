"""docs/design/dependencies.md names every program that tanist starts and every tool that is pinned."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAPER = (ROOT / "docs" / "design" / "dependencies.md").read_text()
CALLS = ("run", "ask", "run_program")


def started_programs() -> set[str]:
    """First words of the argument lists in calls like host.run([...])."""
    found = set()
    for path in (ROOT / "src" / "tanist").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.List)
                and node.elts
                and path.name not in ("fake.py", "takeover.py", "switchover.py")
            ):
                first = node.elts[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str) and is_program(node):
                    found.add(first.value)
    return found


def is_program(node: ast.List) -> bool:
    """An argument list, not a list of names: there is an option or a path in it."""
    rest = [item.value for item in node.elts[1:] if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    return any(word.startswith("-") or "/" in word for word in rest)


def told_programs() -> set[str]:
    table = PAPER.split("| program |", 1)[1].split("\n\n", 1)[0]
    return {name for row in table.splitlines() for name in re.findall(r"`([\w-]+)`", row.split("|")[1])}


def test_every_program_that_is_started_is_told() -> None:
    started = started_programs() - {"habackup", "tanist"}
    assert {"systemctl", "debugfs", "setsid"} <= started
    assert started - told_programs() == set()


def test_every_pinned_tool_is_told_with_its_version() -> None:
    pins = re.findall(r"^([\w-]+)==(\S+)", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE)
    assert pins
    for name, version in pins:
        assert f"| `{name}` | {version} |" in PAPER


def test_there_are_no_packages_at_run_time() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == []
