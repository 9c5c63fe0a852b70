"""Scenario folders: `state` (mode, size), `cmdlist` (one command a line, see play.py; "way-out resume|undo" may be the
last), `expected` (one event a line, then where everything stands). `python -m tests.sim.folders` plays those that have
no `expected` yet and writes it: to be read and checked by a person before it is committed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.sim.play import Play
from tests.sim.world import SimWorld

SCENARIOS = Path(__file__).with_name("scenarios")
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


def read_lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


def read_state(folder: Path) -> tuple[str, str]:
    fields: Mapping[str, str] = dict(line.split() for line in read_lines(folder / "state"))
    return fields["mode"], fields["size"]


def play(world: SimWorld, folder: Path) -> list[str]:
    """What happens, and where it ends. Broken where an invariant does not hold (but for a lie that was believed)."""
    world.begin()
    player = Play(world)
    commands = read_lines(folder / "cmdlist")
    player.run([line for line in commands if not line.startswith("way-out")])
    for line in commands:
        if line.startswith("way-out"):
            player.way_out(line.split()[1])
    return [*player.said, *player.where()]


def record() -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as top:
        worlds: dict[tuple[str, str], SimWorld] = {}
        for folder in sorted(SCENARIOS.iterdir()):
            if (folder / "expected").exists():
                continue
            mode, size = read_state(folder)
            if (mode, size) not in worlds:
                worlds[mode, size] = SimWorld(Path(top) / f"{mode}-{size}", mode=mode, size=size)
            (folder / "expected").write_text("\n".join(play(worlds[mode, size], folder)) + "\n")


if __name__ == "__main__":
    record()
