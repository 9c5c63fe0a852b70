"""Captures beside the tools that could do the same: rsync, borg, restic, tar. Whole processes, one after the other in
each round; the data is made here: a copy of /etc and 20,000 small files."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.claims import Claim, Result, Series, paired_ratio

FILES, TOGETHER = 20_000, 200
ONCE = Path(__file__).parent / "node" / "capture_once.py"
SETTLED = 0.1  # seconds: what changed more recently is looked at once more
MEMORY = 150 * 1024  # KiB
OTHERS = ("rsync", "borg", "restic", "tar")
SECRET = {"BORG_PASSPHRASE": "x", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes", "RESTIC_PASSWORD": "x"}


class Ground:
    """A directory with the data and a repository for each tool."""

    def __init__(self, top: Path) -> None:
        self.top, self.data, self.number = top, top / "data", 0
        self.name = f"bench{os.getpid()}"
        self.raw: dict[str, list[float]] = {}
        self.memory = 0

    def make_data(self) -> None:
        rng = random.Random(1)
        subprocess.run(["cp", "-a", "/etc", self.data], check=True)
        for number in range(FILES):
            directory = self.data / "made" / f"{number // TOGETHER:03d}"
            directory.mkdir(parents=True, exist_ok=True)
            (directory / f"{number}.conf").write_bytes(rng.randbytes(rng.randrange(200, 6000)))
        time.sleep(SETTLED)

    def begin_round(self) -> None:
        """New, empty repositories."""
        for name in ("tree", "rsync", "borg", "restic", "tar"):
            shutil.rmtree(self.top / name, ignore_errors=True)
            (self.top / name).mkdir()
        (self.top / "tree" / ".tanist").mkdir(mode=0o700)
        (self.top / "tree" / ".tanist" / "claim").write_text("{}")
        Path(f"/var/lib/tanist/{self.name}/seen").unlink(missing_ok=True)
        self.run(["borg", "init", "-e", "none", self.top / "borg"])
        self.run(["restic", "-q", "init", "-r", self.top / "restic"])
        self.number = 0

    def run(self, argv: Sequence[str | Path]) -> str:
        done = subprocess.run(argv, check=True, capture_output=True, text=True, env={**os.environ, **SECRET})
        return done.stdout

    def time(self, what: str, who: str, argv: Sequence[str | Path]) -> str:
        os.sync()  # what others wrote before is not waited for
        began = time.perf_counter()
        said = self.run(argv)
        self.raw.setdefault(f"{what} {who}", []).append(time.perf_counter() - began)
        return said

    def save(self, what: str) -> None:
        """Once with each."""
        self.number += 1
        said = self.time(what, "tanist", [sys.executable, ONCE, "capture", self.top / "tree", self.data, self.name])
        self.memory = max(self.memory, int(said.split()[1]))
        for who in OTHERS:
            self.time(what, who, self.command(who))

    def command(self, who: str) -> list[str | Path]:
        at, number = self.top / who, self.number
        match who:
            case "rsync":
                return ["rsync", "-aHAX", f"--link-dest={at}/{number - 1}", f"{self.data}/", at / str(number)]
            case "borg":
                return ["borg", "create", "-C", "none", f"{at}::{number}", self.data]
            case "restic":
                return ["restic", "-q", "-r", at, "backup", self.data]
            case _:
                listed = f"--listed-incremental={at}/list"
                return ["tar", "-C", self.top, "--xattrs", "--acls", listed, "-cSf", at / f"{number}.tar", "data"]

    def restore(self) -> None:
        shutil.rmtree(self.top / "away", ignore_errors=True)
        self.data.rename(self.top / "away")
        warm(self.top / "away", self.top / "tree")
        self.time("restore", "tanist", [sys.executable, ONCE, "restore", self.top / "tree", self.data, self.name])
        copy = self.top / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        self.time("restore", "rsync", ["rsync", "-a", f"{self.top}/away/", copy])


def measure(rounds: int, progress: Callable[[str], None]) -> Result:
    with tempfile.TemporaryDirectory(prefix="tanist-bench-", dir="/var/tmp") as top:
        ground = Ground(Path(top))
        try:
            ground.make_data()
            for number in range(rounds):
                progress(f"capture: {number + 1} of {rounds}")
                measure_round(ground)
        finally:
            shutil.rmtree(f"/var/lib/tanist/{ground.name}", ignore_errors=True)
            shutil.rmtree(f"/run/tanist/{ground.name}", ignore_errors=True)
    raw = tuple(Series(what=what, seconds=tuple(found)) for what, found in ground.raw.items())
    return Result(claims=build_claims(ground), raw=raw, notes=NOTES)


def warm(*directories: Path) -> None:
    """Into the page cache, so that the first to be measured does not read for the others. In small parts: what this
    process held at most counts for those that it starts (getrusage(2), ru_maxrss)."""
    for directory in directories:
        for path in directory.rglob("*"):
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as file:
                    while file.read(1 << 16):
                        pass


NOTES = (
    "each saves a copy of /etc and 20,000 small files: at first, with nothing changed, with one file changed. tanist, "
    "borg and restic sync what they write; rsync and tar do not. A restore compares and syncs; rsync -a does neither. "
    "Each begins with its files in memory and nothing waiting for the disk.",
)


def measure_round(ground: Ground) -> None:
    ground.begin_round()
    warm(ground.data)
    ground.save("first")
    ground.save("nothing changed")
    (ground.data / "made" / "050" / "10001.conf").write_bytes(os.urandom(3000))
    time.sleep(SETTLED)
    ground.save("one changed")
    ground.restore()


def build_claims(ground: Ground) -> tuple[Claim, ...]:
    def ratio(what: str, who: str, limit: float, name: str) -> Claim:
        value = paired_ratio(ground.raw[f"{what} tanist"], ground.raw[f"{what} {who}"])
        return Claim(name=name, value=value, limit=limit, compared=f"habackup | {who}: {what}")

    unchanged = [ratio("nothing changed", who, 0.2, f"capture-unchanged-over-{who}") for who in OTHERS[:3]]
    first = [ratio("first", who, 1.0, f"capture-first-over-{who}") for who in OTHERS[:3]]
    one = paired_ratio(ground.raw["one changed tanist"], ground.raw["nothing changed tanist"])
    return (
        *unchanged,
        ratio("nothing changed", "tar", 2.5, "capture-unchanged-over-tar"),
        *first,
        ratio("first", "tar", 2.2, "capture-first-over-tar"),
        Claim(name="capture-one-over-none", value=one, limit=1.2, compared="one changed file | nothing changed"),
        ratio("restore", "rsync", 1.3, "restore-over-rsync"),
        Claim(name="capture-memory-share", value=ground.memory / MEMORY, limit=1.0, compared="peak memory | 150 MiB"),
    )
