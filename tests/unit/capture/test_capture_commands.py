"""Commands whose output is captured: taken whole, never in part, and their failure is the capture's."""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tanist.capture.commands import give_back, take_output
from tanist.capture.generations import newest_good
from tanist.capture.habackup import capture
from tanist.capture.store import load_manifest
from tanist.host.fake import FakeHost
from tanist.host.fake_world import Crash
from tanist.model.definition import Controller, SavedCommand
from tanist.model.errors import Busy, Failed
from tanist.model.host import Ran
from tests.unit.capture.test_capture_generations import CAPTURES, PG, active

__all__ = ["active"]
ROLES = SavedCommand(name="roles", argv=("/usr/bin/dump", "--roles"), user="postgres", restore=("/usr/bin/load",))
PEOPLE = SavedCommand(name="people", argv=("/usr/sbin/slapcat",), when="any")
WITH = replace(PG, commands=(ROLES, PEOPLE))
OUTPUT = f"{WITH.outputs}/roles"


@pytest.fixture
def talking(active: FakeHost) -> FakeHost:
    active.answer(ROLES.argv, "CREATE ROLE one;\n")
    active.answer(PEOPLE.argv, "dn: one\n")
    return active


def run(host: FakeHost, controller: Controller = WITH, commands: tuple[SavedCommand, ...] | None = None):  # type: ignore[no-untyped-def]
    host.clock.advance(3600)
    chosen = controller.commands if commands is None else commands
    return capture(host, controller, "ec-a", epoch=3, run="r", facts={}, commands=chosen)


def captured(host: FakeHost, path: str) -> bytes:
    newest = newest_good(host, CAPTURES).generation
    assert newest is not None
    (entry,) = [one for one in load_manifest(host, newest.path).entries if one.path == path]
    content = host.files.read(f"{newest.path}/files.tar")
    return content[entry.offset : entry.offset + entry.size]


def test_what_they_say_is_in_the_capture_and_private(talking: FakeHost) -> None:
    run(talking)
    assert captured(talking, OUTPUT) == b"CREATE ROLE one;\n"
    assert captured(talking, f"{WITH.outputs}/people") == b"dn: one\n"
    for path, mode in ((WITH.outputs, 0o700), (OUTPUT, 0o600)):
        info = talking.files.stat(path)
        assert info is not None
        assert stat.S_IMODE(info.st_mode) == mode
    assert not talking.files.exists(f"{WITH.outputs}.partial")


def test_the_same_words_again_are_no_change(talking: FakeHost) -> None:
    run(talking)
    info = talking.files.stat(OUTPUT)
    assert run(talking).unchanged
    after = talking.files.stat(OUTPUT)
    assert info and after and (after.st_ino, after.st_ctime_ns) == (info.st_ino, info.st_ctime_ns)  # but read
    talking.answer(ROLES.argv, "CREATE ROLE two;\n")
    assert not run(talking).unchanged
    assert captured(talking, OUTPUT) == b"CREATE ROLE two;\n"


def exit_3(host: FakeHost) -> None:
    host.answer(ROLES.argv, "CREATE ROLE half", status=3, stderr="no: PASSWORD 'hunter2'")


def bomb(host: FakeHost) -> None:
    host.answer(ROLES.argv, "\0" * (ROLES.limit + 1))


def hang(host: FakeHost) -> None:
    def wait(argv: Sequence[str], _: bytes) -> Ran:
        host.clock.advance(1e6)
        return Ran(argv=tuple(argv), status=0, stdout=b"", stderr=b"")

    host.answer_with(ROLES.argv, wait)


def no_account(host: FakeHost) -> None:
    del host.users["postgres"]


@pytest.mark.parametrize("fail", [exit_3, bomb, hang, no_account])
def test_one_that_fails_fails_the_capture_and_the_last_good_one_stays(
    talking: FakeHost, fail: Callable[[FakeHost], None]
) -> None:
    good = run(talking)
    fail(talking)
    with pytest.raises(Failed, match="roles") as caught:
        run(talking)
    assert "hunter2" not in str(caught.value)
    newest = newest_good(talking, CAPTURES).generation
    assert newest is not None
    assert newest.name == good.name
    assert talking.files.read(OUTPUT) == b"CREATE ROLE one;\n"
    assert talking.files.list(WITH.outputs) == ("people", "roles")
    assert not talking.files.exists(f"{WITH.outputs}.partial")


def test_what_it_said_of_its_failure_is_told_to_root_alone(talking: FakeHost) -> None:
    exit_3(talking)
    with pytest.raises(Failed) as caught:
        run(talking)
    assert caught.value.next_step == "cat /run/tanist/pg/said-roles"
    info = talking.files.stat("/run/tanist/pg/said-roles")
    assert info is not None
    assert stat.S_IMODE(info.st_mode) == 0o600
    assert b"hunter2" in talking.files.read("/run/tanist/pg/said-roles")
    talking.answer(ROLES.argv, "CREATE ROLE one;\n")
    run(talking)
    assert not talking.files.exists("/run/tanist/pg/said-roles")


def test_killed_at_any_change_an_output_is_the_old_one_or_the_new_one(talking: FakeHost) -> None:
    run(talking)
    talking.answer(ROLES.argv, "CREATE ROLE two;\n")
    seen = set()
    for changes in range(1, 40):
        talking.crash_after(changes)
        try:
            take_output(talking, "pg", ROLES, OUTPUT)
        except Crash:
            talking.revive()
            seen.add(talking.files.read(OUTPUT))
            continue
        break
    assert seen <= {b"CREATE ROLE one;\n", b"CREATE ROLE two;\n"}
    talking.revive()
    run(talking)
    assert talking.files.list(WITH.outputs) == ("people", "roles")
    assert not talking.files.exists(f"{WITH.outputs}.partial")


def test_one_that_is_not_run_now_keeps_what_it_said_last(talking: FakeHost) -> None:
    run(talking)
    talking.answer(ROLES.argv, "CREATE ROLE two;\n")
    talking.answer(PEOPLE.argv, "dn: two\n")
    run(talking, commands=(PEOPLE,))
    assert captured(talking, OUTPUT) == b"CREATE ROLE one;\n"
    assert captured(talking, f"{WITH.outputs}/people") == b"dn: two\n"


def test_the_words_of_one_that_is_no_longer_defined_go_away(talking: FakeHost) -> None:
    run(talking)
    run(talking, replace(WITH, commands=(PEOPLE,)))
    assert talking.files.list(WITH.outputs) == ("people",)


def test_two_captures_at_once_do_not_run_a_command_twice(talking: FakeHost) -> None:
    def another(argv: Sequence[str], _: bytes) -> Ran:
        before = len(talking.ran)
        with pytest.raises(Busy):
            capture(talking, WITH, "ec-a", epoch=3, run="r", facts={}, commands=WITH.commands)
        assert len(talking.ran) == before
        return Ran(argv=tuple(argv), status=0, stdout=b"once", stderr=b"")

    talking.answer_with(ROLES.argv, another)
    run(talking)
    assert captured(talking, OUTPUT) == b"once"


def test_what_takes_it_back_is_given_all_of_it_and_its_failure_is_told(talking: FakeHost) -> None:
    run(talking)
    given: list[bytes] = []

    def load(argv: Sequence[str], stdin: bytes) -> Ran:
        given.append(stdin)
        return Ran(argv=tuple(argv), status=len(given) - 1, stdout=b"", stderr=b"LINE 1: PASSWORD 'hunter2'")

    talking.answer_with(ROLES.restore, load)
    give_back(talking, "pg", ROLES, OUTPUT)
    with pytest.raises(Failed, match=r"/usr/bin/load \(the command roles\) ended with exit status 1") as caught:
        give_back(talking, "pg", ROLES, OUTPUT)
    assert given == [b"CREATE ROLE one;\n"] * 2
    assert "hunter2" not in str(caught.value)
