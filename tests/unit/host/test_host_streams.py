"""Programs whose output or input is a file."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from tanist.host.local import LocalHost

HOST = LocalHost()


def sh(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def test_an_output_of_any_bytes_becomes_a_private_file(tmp_path: Path) -> None:
    into = tmp_path / "out"
    script = "head -c 3000000 /dev/urandom | tee $0; echo moan >&2; exit 3"
    ran = HOST.run_into([*sh(script), str(tmp_path / "same")], str(into), limit=3_000_000)
    assert (ran.status, ran.stdout, ran.complaint) == (3, b"", "moan")
    assert into.read_bytes() == (tmp_path / "same").read_bytes()
    assert stat.S_IMODE(into.stat().st_mode) == 0o600


@pytest.mark.parametrize("what", ["/dev/zero", "/dev/urandom"])
def test_an_output_without_end_is_cut_off_and_its_program_killed(tmp_path: Path, what: str) -> None:
    into = tmp_path / "out"
    with pytest.raises(OSError, match="said more than 1000000 bytes") as caught:
        HOST.run_into(sh(f"echo $$ >{tmp_path}/pid; exec cat {what}"), str(into), limit=1_000_000)
    assert caught.value.errno == errno.EFBIG
    assert into.stat().st_size <= 1_000_000
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


def test_nothing_is_written_over_and_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    (tmp_path / "there").write_text("old")
    for name in ("link", "there"):
        with pytest.raises(FileExistsError):
            HOST.run_into(["/bin/echo", "x"], str(tmp_path / name), limit=10)
    assert not (tmp_path / "victim").exists()
    assert (tmp_path / "there").read_text() == "old"


def test_a_program_reads_a_file_that_its_account_cannot_open(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"x" * 200_000)
    os.chmod(secret, 0o600)
    ran = HOST.run_from(sh("id -un; wc -c"), str(secret), user="nobody")
    assert ran.text.split() == ["nobody", "200000"]
    assert HOST.run_from(sh("exit 4"), str(secret)).status == 4


def test_a_program_that_does_not_end_is_killed_at_its_limit(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no end within"):
        HOST.run_into(["/bin/sleep", "60"], str(tmp_path / "out"), limit=1, timeout=0.2)
    (tmp_path / "in").write_text("")
    with pytest.raises(OSError, match="no end within"):
        HOST.run_from(["/bin/sleep", "60"], str(tmp_path / "in"), timeout=0.2)
