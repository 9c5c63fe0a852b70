"""What a walk costs in system calls, counted: seconds differ from machine to machine, these do not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.unit.reowning import walk_counted

CALL = re.compile(r"^\d+ +(\w+)\((.*?)(?:\) += (\S+).*| <unfinished \.\.\.>)$")
CALLS = "lstat,newfstatat,lchown,fchownat,llistxattr,fdatasync,syncfs,execve"
FILES, TOGETHER, EVERY = 600, 100, 4  # files, in one directory, each fourth is another account's
INODES = FILES + FILES // TOGETHER + 1
MOVES = FILES // EVERY


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    for number in range(FILES):
        place = top / str(number // TOGETHER) / f"f{number}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
        os.chown(place, 113 if number % EVERY == 0 else 0, 0)
    (top / ".tanist").mkdir()
    return top


def count(tree: Path, workers: int, old: int) -> tuple[Counter[str], Counter[str]]:
    """Calls by name; and by name and file, of the files."""
    argv = ["strace", "-f", "-e", f"trace={CALLS}", "-o", f"{tree}.trace"]
    command = [*argv, sys.executable, "-m", walk_counted.__name__, str(tree), str(workers), str(old), "118"]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[3], timeout=300, capture_output=True)
    lines = Path(f"{tree}.trace").read_text(errors="replace").splitlines()
    calls = [(found[1], found[2]) for line in lines if (found := CALL.match(line)) and found[3] != "-1"]
    files = [f"{name} {at[1]}" for name, words in calls if (at := re.search(r'"(f\d+)"', words))]
    return Counter(name for name, _ in calls), Counter(files)


@pytest.mark.parametrize("workers", [1, 2])
def test_each_inode_is_looked_at_once_and_written_once_where_its_number_changes(tree: Path, workers: int) -> None:
    calls, files = count(tree, workers, 113)
    assert set(files.values()) == {1}
    looks = [name for name in files if name.startswith(("lstat", "newfstatat"))]
    writes = [name for name in files if name.startswith(("lchown", "fchownat"))]
    assert (len(looks), len(writes)) == (FILES, MOVES)
    assert calls["llistxattr"] == INODES
    assert calls["fdatasync"] == workers  # one record each, before the first change
    assert calls["syncfs"] == 1
    assert calls["execve"] == (1 if workers == 1 else 1 + workers)


def test_where_no_number_changes_nothing_is_written_and_nothing_recorded(tree: Path) -> None:
    calls, files = count(tree, 1, 999)
    assert len(files) == 2 * FILES  # its status and the names of its attributes
    assert calls["lchown"] + calls["fchownat"] + calls["fdatasync"] == 0
