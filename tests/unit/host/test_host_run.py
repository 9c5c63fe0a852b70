"""Programs that end, do not end, say too much, or are not there."""

from __future__ import annotations

import errno
import os
import time

import pytest

from tanist.host.commands import CommandFailed
from tanist.host.local import LocalHost
from tanist.host.processes import LINGER, Started

HOST = LocalHost()


def test_output_and_status_come_back() -> None:
    ran = HOST.run(["sh", "-c", "cat; echo oops >&2; exit 3"], stdin=b"hello", ok=(3,))
    assert (ran.status, ran.stdout, ran.complaint) == (3, b"hello", "oops")


def test_an_unexpected_status_is_an_error_with_the_last_words() -> None:
    with pytest.raises(CommandFailed, match=r"no good \(exit status 2\)") as caught:
        HOST.run(["sh", "-c", "echo first >&2; echo no good >&2; exit 2"])
    assert caught.value.ran.status == 2
    assert HOST.run(["false"], ok=None).status == 1


def test_the_environment_is_fixed_and_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    ran = HOST.run(["sh", "-c", "env | sort; pwd; readlink /proc/self/fd/0; ls /proc/self/fd | wc -l"])
    lines = [line for line in ran.text.splitlines() if not line.startswith(("_=", "PWD=", "OLDPWD=", "SHLVL="))]
    assert lines == ["HOME=/root", "LANG=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "/", "/dev/null", "4"]


def test_a_program_that_is_not_there_is_127() -> None:
    ran = HOST.run(["no-such-program"], ok=None)
    assert (ran.status, ran.complaint) == (127, "no-such-program: not found")
    assert HOST.run(["/etc/passwd"], ok=None).status == 126


def test_a_signal_is_a_negative_status() -> None:
    assert HOST.run(["sh", "-c", "kill -TERM $$"], ok=None).status == -15


def test_the_whole_group_is_killed_at_the_limit() -> None:
    before = time.monotonic()
    mark = f"86{os.getpid()}"
    with pytest.raises(OSError, match=r"sh: no end within 0.2 s") as caught:
        HOST.run(["sh", "-c", f"sleep {mark} & sleep {mark}"], timeout=0.2)
    assert caught.value.errno == errno.ETIMEDOUT
    assert time.monotonic() - before < 40
    assert HOST.run(["pgrep", "-f", f"sleep {mark}"], ok=None).text == ""


class Slow:
    """Takes longer for what a program says than the program lives, as on a machine that stood still meanwhile."""

    def __init__(self) -> None:
        self.said = b""

    def add(self, data: bytes) -> None:
        self.said += data
        time.sleep(1 + 2 * LINGER)


def test_what_a_program_said_last_is_read_however_late() -> None:
    slow = Slow()
    ran = Started(["sh", "-c", "echo first; sleep 0.2; echo last; echo why >&2"], sink=slow).end()
    assert (slow.said, ran.stderr) == (b"first\nlast\n", b"why\n")


def test_a_program_that_closes_its_output_and_stays_is_killed_at_the_limit() -> None:
    with pytest.raises(OSError, match="no end within"):
        HOST.run(["sh", "-c", "exec >&- 2>&-; exec sleep 5"], timeout=0.2)


def test_a_child_left_behind_with_the_output_open_does_not_hold_us() -> None:
    before = time.monotonic()
    assert HOST.run(["sh", "-c", "sleep 20 & echo started"], timeout=60).stdout == b"started\n"
    assert time.monotonic() - before < 19


def test_a_child_left_behind_that_keeps_talking_does_not_hold_us() -> None:
    before = time.monotonic()
    ran = HOST.run(["sh", "-c", "timeout 60 yes & echo started >&2"], timeout=90)
    assert b"started" in ran.stderr
    assert time.monotonic() - before < 50


def test_huge_output_keeps_its_ends() -> None:
    ran = HOST.run(["sh", "-c", "echo first; head -c 9000000 /dev/zero; echo last"])
    assert ran.stdout.startswith(b"first\n") and ran.stdout.endswith(b"last\n")
    assert b"bytes left out" in ran.stdout and len(ran.stdout) < 1_100_000


def test_huge_input_goes_through_and_an_unwanted_one_is_no_error() -> None:
    assert HOST.run(["wc", "-c"], stdin=b"x" * 3_000_000).text.strip() == "3000000"
    assert HOST.run(["true"], stdin=b"x" * 3_000_000).status == 0


def test_another_account_runs_with_its_own_groups_and_home() -> None:
    ran = HOST.run(["sh", "-c", "id -un; id -G; echo $HOME $USER"], user="nobody")
    name, groups, home = ran.text.splitlines()
    assert (name, home.split()[1]) == ("nobody", "nobody") and "0" not in groups.split()
    with pytest.raises(OSError, match="no such account: nobody-at-all"):
        HOST.run(["id"], user="nobody-at-all")
