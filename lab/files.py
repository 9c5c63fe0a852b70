"""Copying between the machine and a node, through a program in the node: its own symlinks and accounts count."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from lab.errors import LabError
from lab.node import Node

TIMEOUT = 120.0


def push(node: Node, source: Path, target: str) -> None:
    """Copy a file to a path or into an existing directory, or a directory's content into one. Owner root."""
    if source.is_dir():
        script = 'mkdir -p "$1" && tar --no-same-owner -x -p -f - -C "$1"'
        _checked(
            node,
            ["sh", "-c", script, "sh", target],
            _tar(["-c", "-C", str(source), "--owner=0", "--group=0", "--exclude=__pycache__", "."]),
        )
        return
    script = """set -e; target=$1
        case $target in */) mkdir -p "$target";; *) mkdir -p "$(dirname "$target")";; esac
        [ ! -d "$target" ] || target=${target%/}/$2
        cat >"$target.lab-push"; chmod "$3" "$target.lab-push"; mv -f "$target.lab-push" "$target" """
    mode = f"{source.stat().st_mode & 0o7777:o}"
    _checked(node, ["sh", "-c", script, "sh", target, source.name, mode], source.read_bytes())


def pull(node: Node, source: str, target: Path) -> None:
    """Copy a file to a path, or a directory's content into a directory."""
    if node.exec(["test", "-d", source]).returncode == 0:
        target.mkdir(parents=True, exist_ok=True)
        content = _checked(node, ["tar", "-c", "-f", "-", "-C", source, "."])
        _tar(["-x", "--no-same-owner", "-C", str(target)], content)
        return
    content = _checked(node, ["cat", source])
    (target / Path(source).name if target.is_dir() else target).write_bytes(content)


def _tar(words: list[str], content: bytes | None = None) -> bytes:
    """tar on the machine, archive by stdin or stdout (Python's tarfile before 3.11.4 cannot extract safely)."""
    done = subprocess.run(["tar", *words, "-f", "-"], input=content, capture_output=True, timeout=TIMEOUT, check=False)
    if done.returncode != 0:
        raise LabError(f"tar: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _checked(node: Node, argv: list[str], content: bytes | None = None) -> bytes:
    done = node.exec(argv, input=content, timeout=TIMEOUT)
    if done.returncode != 0:
        raise LabError(f"{node.name}: {shlex.join(argv[:1])}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
