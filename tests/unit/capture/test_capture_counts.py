"""What a capture costs in system calls, counted: seconds differ from machine to machine, these do not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.capture import captures_counted
from tests.unit.capture.captures_counted import DATA, FILES, TOGETHER, make_tree

CALLS = "openat,fsync,fdatasync,syncfs,sync,rename,renameat,renameat2,execve,fork,vfork,write,pwrite64,mkdir"
CALL = re.compile(r"^\d+ +(\w+)\((.*?)(?:\) += (\S+).*| <unfinished \.\.\.>)$")
FRESH = 0.1  # seconds: what changed more recently is looked at once more

Call = tuple[str, str]


def watched(root: Path, expected: str) -> list[Call]:
    """The calls of one capture that have to do with files below `root`, and those that start a process."""
    argv = ["strace", "-f", "-y", "-s", "0", "-e", f"trace={CALLS}", "-o", f"{root}.trace"]
    time.sleep(FRESH)
    command = [*argv, sys.executable, "-m", captures_counted.__name__, str(root)]
    done = subprocess.run(command, check=True, cwd=Path(__file__).parents[3], timeout=300, capture_output=True)
    assert done.stdout.decode().strip() == expected
    lines = Path(f"{root}.trace").read_text(errors="replace").splitlines()
    calls = [(found[1], found[2]) for line in lines if (found := CALL.match(line)) and found[3] != "-1"]
    return [(name, words) for name, words in calls if str(root) in words or name in ("execve", "fork", "vfork")]


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Call]]:
    root = tmp_path_factory.mktemp("counted") / "root"
    make_tree(str(root))
    found = {"first": watched(root, "made"), "none": watched(root, "unchanged")}
    (root / DATA[1:] / "07" / f"{7 * TOGETHER}.conf").write_bytes(b"changed\n")
    return {**found, "one": watched(root, "made")}


def read(calls: list[Call]) -> list[str]:
    """Captured files that were opened for reading."""
    return [words for name, words in calls if name == "openat" and f"{DATA}/" in words and ".conf" in words]


def created(calls: list[Call]) -> list[str]:
    names = [words.split('"')[1] for name, words in calls if name == "openat" and "O_CREAT" in words]
    return sorted(os.path.basename(name) for name in names if not name.endswith(".lock"))


def syncs(calls: list[Call]) -> int:
    return sum(name in ("fsync", "fdatasync", "syncfs", "sync") for name, _ in calls)


def test_the_first_capture_reads_each_file_once_and_syncs_no_more_often_than_one_of_a_single_file(
    steps: dict[str, list[Call]],
) -> None:
    assert len(read(steps["first"])) == FILES
    parts = ["README", "entries.jsonl", "files.tar", "manifest.json", "manifest.sha256", "seen.new"]
    assert created(steps["first"]) == parts
    made = [words for name, words in steps["first"] if name == "mkdir"]
    assert syncs(steps["first"]) <= len(parts) + 2 + len(made)  # those, two directories, and each that was missing


def test_nothing_changed_reads_no_file_and_writes_a_note_alone(steps: dict[str, list[Call]]) -> None:
    assert read(steps["none"]) == []
    assert len(created(steps["none"])) == 1
    assert ".checked.json." in created(steps["none"])[0]
    assert syncs(steps["none"]) == 2


def test_one_changed_file_is_the_only_one_read_and_six_small_files_are_written(steps: dict[str, list[Call]]) -> None:
    assert len(read(steps["one"])) == 1
    parts = ["README", "entries.jsonl.01", "files.tar.01", "gone.01", "manifest.json", "manifest.sha256", "seen.new"]
    assert created(steps["one"]) == parts
    assert syncs(steps["one"]) == len(parts) + 2  # each once, the new directory, and the one that has its name


def test_a_generation_is_on_disk_before_it_gets_its_name_and_synced_in_one_go(steps: dict[str, list[Call]]) -> None:
    """All is written before the first sync, so that a file system with a journal commits once."""
    for calls in (steps["first"], steps["one"]):
        inside = [(name, words) for name, words in calls if ".partial-" in words]
        naming = next(n for n, (name, _) in enumerate(inside) if name.startswith("rename"))
        first = next(n for n, (name, _) in enumerate(inside) if name == "fsync")
        written = {words.split("<", 1)[1].split(">")[0] for name, words in inside if name == "write"}
        synced = {words.split("<", 1)[1].split(">")[0] for name, words in inside[:naming] if name == "fsync"}
        assert written <= synced
        assert any(path.rsplit("/", 1)[1].partition(".partial-")[1] for path in synced)  # the directory itself
        assert not [words for name, words in inside[first:] if name == "write"]
        after = calls[calls.index(inside[naming]) + 1 :]
        assert [name for name, words in after if "/captures>" in words][:1] == ["fsync"]


def test_a_capture_starts_no_process(steps: dict[str, list[Call]]) -> None:
    for calls in steps.values():
        assert [name for name, _ in calls if name in ("execve", "fork", "vfork")] == ["execve"]
