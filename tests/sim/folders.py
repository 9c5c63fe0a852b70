"""Scenario folders: `state` (mode, size; proof, where there is one), `cmdlist` (one command a line, see play.py;
"way-out resume|undo" may be the last), `expected` (one event a line, then where everything stands).
`python -m tests.sim.folders` plays those that have no `expected` yet and writes it: to be read and checked by a person
before it is committed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.sim.play import Play
from tests.sim.proofs import KINDS, Kind
from tests.sim.world import SimWorld

SCENARIOS = Path(__file__).with_name("scenarios")
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


def read_lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


Made = tuple[str, str, Kind]


def read_state(folder: Path) -> Made:
    fields: Mapping[str, str] = dict(line.split() for line in read_lines(folder / "state"))
    return fields["mode"], fields["size"], next(kind for kind in KINDS if kind == fields.get("proof", "none"))


def build_world(top: Path, made: Made) -> SimWorld:
    mode, size, proof = made
    return SimWorld(top / "-".join(made), mode=mode, size=size, proof=proof)


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
        worlds: dict[Made, SimWorld] = {}
        for folder in sorted(SCENARIOS.iterdir()):
            if (folder / "expected").exists():
                continue
            made = read_state(folder)
            if made not in worlds:
                worlds[made] = build_world(Path(top), made)
            (folder / "expected").write_text("\n".join(play(worlds[made], folder)) + "\n")


if __name__ == "__main__":
    record()
