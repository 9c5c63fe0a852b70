"""Captures hold private keys: at no instant can anybody but root read one, wherever it is on its way."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.capture import secrets_at_work

PLACES = re.compile(r"/\.tanist/|/tanist/oc/(mirror|scratch|unsealed|own)\b|/mirror-keys\b|/etc/oc\b")
CALLS = "openat,open,creat,mkdir,mkdirat,mknod,mknodat,chmod,fchmod,fchmodat,unlink"
MADE = re.compile(r"^\d+ +(openat|open|creat|mkdir|mkdirat)\((.*)\) += ")
CHANGED = re.compile(r"^\d+ +(f?chmod(?:at)?)\((.*)\) += 0")


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Every creation and change of mode, with what each descriptor is."""
    top = tmp_path_factory.mktemp("secrets")
    argv = ["strace", "-f", "-y", "-s", "4096", "-e", f"trace={CALLS}", "-o", str(top / "trace")]
    command = [*argv, sys.executable, "-m", secrets_at_work.__name__, str(top / "world")]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[3], timeout=300)
    lines = (top / "trace").read_text(errors="replace").splitlines()
    begin = next(number for number, line in enumerate(lines) if secrets_at_work.BEGIN in line)
    return lines[begin:]


def mode_of(words: str) -> int:
    """The last argument."""
    return int(words.rsplit(",", 1)[1].strip(), 8)


@pytest.mark.requirement("A51")
def test_what_holds_a_capture_is_made_for_root_alone(trace: list[str]) -> None:
    """Modes as they were asked for, under a umask of 0."""
    made = [found for line in trace if ((found := MADE.match(line)) and "O_CREAT" in line) or "mkdir" in line]
    watched = [one for one in made if one and PLACES.search(one[2])]
    assert len([one for one in watched if one[1] == "openat"]) > 30
    assert len([one for one in watched if one[1].startswith("mkdir")]) > 5
    wide = [one[0] for one in watched if mode_of(one[2]) & 0o077]
    assert not wide


def test_modes_are_widened_to_the_originals_only(trace: list[str]) -> None:
    """A restored file gets the mode of the captured one; nothing of a store, a key or a sealed file is ever widened."""
    changed = [found for line in trace if (found := CHANGED.match(line))]
    stores = [one[0] for one in changed if re.search(r"/captures/|/mirror/|/unsealed/|mirror-keys", one[2])]
    outside_scratch = [line for line in stores if "/scratch" not in line]
    assert not [line for line in outside_scratch if mode_of(CHANGED.match(line)[2]) & 0o077]  # type: ignore[index]
