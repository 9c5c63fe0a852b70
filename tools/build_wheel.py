"""Build the wheel into dist/ unless the one that is there was built from the same files."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"


def digest_sources() -> str:
    digest = hashlib.sha256()
    files = [ROOT / "pyproject.toml", *sorted((ROOT / "src").rglob("*"))]
    for path in files:
        if path.is_file() and "__pycache__" not in path.parts and ".egg-info" not in str(path):
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def wheel() -> Path:
    """The current wheel, built when needed, by one at a time. SystemExit with the builder's words when it can't be."""
    with open(__file__, "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _wheel()


def _wheel() -> Path:
    stamp = DIST / "sources.sha256"
    found = sorted(DIST.glob("tanist-*.whl"))
    if found and stamp.exists() and stamp.read_text() == digest_sources():
        return found[-1]
    shutil.rmtree(DIST, ignore_errors=True)
    argv = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(DIST), str(ROOT)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"the wheel could not be built:\n{done.stdout}{done.stderr}")
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    stamp.write_text(digest_sources())
    return sorted(DIST.glob("tanist-*.whl"))[-1]


if __name__ == "__main__":
    print(wheel().relative_to(ROOT))
