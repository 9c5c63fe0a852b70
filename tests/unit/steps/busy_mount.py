"""Run as root inside `unshare --mount`: a file system that processes keep busy, unmounted as a definition says.

Nobody else is on the two file systems, so that a mistake in the code would end no foreign process.

Usage: busy_mount.py DIRECTORY. Prints one JSON object; everything it made ends with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tanist.definition.load import load_controller
from tanist.host.local import LocalHost
from tanist.model.definition import BusyAct, Controller
from tanist.model.errors import Failed
from tanist.steps import busy
from tanist.steps.context import Context
from tests.unit.steps.mmp_cut import call, loop, mounted

busy.PATIENCE = 0.2
host = LocalHost()
DEFINITION = (Path(__file__).parents[1] / "definition" / "full.toml").read_bytes()
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
MEEK = "import time; print(flush=True); time.sleep(60)"


@contextmanager
def user(code: str, tree: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", code], cwd=tree, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def let_go(controller: Controller, tree: Path, acts: tuple[BusyAct, ...]) -> tuple[str, list[str]]:
    notes: list[str] = []
    context = Context(host=host, controller=replace(controller, busy=acts), node="ec-a", note=notes.append)
    try:
        busy.unmount_within(str(tree), context)
    except Failed as failed:
        return failed.message.replace(str(tree), "TREE"), notes
    return "unmounted", notes


def main(directory: Path) -> dict[str, object]:
    image, tree, foreign, other = (directory / name for name in ("asset.img", "tree", "foreign.img", "other"))
    for one in (image, foreign):
        call("truncate", "-s", "64M", str(one))
        call("mkfs.ext4", "-q", "-F", str(one))
    tree.mkdir()
    other.mkdir()
    term, kill, wait = (
        BusyAct(signal="TERM", seconds=1),
        BusyAct(signal="KILL", seconds=5),
        BusyAct(signal="", seconds=0.2),
    )
    seen: dict[str, object] = {}
    with loop(image) as device:
        full = load_controller(DEFINITION, "full.toml")
        controller = replace(full, asset=replace(full.asset, kind="filesystem", device=device, layers=()))
        with mounted(device, tree):
            with user(MEEK, tree) as process:
                said, notes = let_go(controller, tree, ())
                seen["by default"] = "python" in said and f"(process {process.pid})" in said and notes == []
                seen["alive"] = process.poll() is None
            with user(STUBBORN, tree) as process:
                said, notes = let_go(controller, tree, (wait, term))
                seen["only asked"] = said.startswith("TREE is busy: python") and process.poll() is None
                seen["notes"] = [note.partition("; ")[2] for note in notes]
            with loop(foreign) as its_device, mounted(its_device, other), user(MEEK, other) as process:
                said = let_go(controller, other, (kill,))[0]
                seen["another file system"] = said.partition(": ")[0].endswith("busy")
                seen["its user lives"] = process.poll() is None
                process.kill()
                process.wait()
            with user(STUBBORN, tree) as process:
                said, notes = let_go(controller, tree, (term, kill))
                seen["killed"] = (said, process.wait(), len(notes))
            call("mount", device, str(tree))
    return seen


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
