"""Accounts that a node lacks: refused by name, or planned with free numbers, made, and removed again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest

from tanist.facts.accounts import LOGIN_DEFS, read_accounts, read_missing
from tanist.facts.idmaps import read_fstype, read_no_idmap
from tanist.facts.mountable import OSRELEASE
from tanist.host.fake import FakeHost
from tanist.model import steps as s
from tanist.model.dataclasses import replace
from tanist.model.definition import Accounts
from tanist.model.errors import Failed, Refused
from tanist.model.host import Ran
from tanist.model.standing import NewGroup, NewUser
from tanist.steps.context import Context
from tanist.steps.registry import handler_for
from tests.unit.runs.world import make_controller

DEFS = "# a comment\nSYS_UID_MIN 200\nSYS_UID_MAX\t 205\nSYS_GID_MIN 200\nSYS_GID_MAX 205\nUMASK 022\n"


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    made = FakeHost(
        str(tmp_path), users={"root": 0, "pg": 113, "other": 205}, groups={"root": 0, "pg": 120, "x": 204, "other": 205}
    )
    made.files.write(LOGIN_DEFS, DEFS.encode(), 0o644)
    return made


@pytest.mark.requirement("A55", "A57")
def test_all_that_are_missing_are_refused_by_name(host: FakeHost) -> None:
    with pytest.raises(Refused, match="lacks the account a, the account b, the group g;") as caught:
        read_accounts(host, Accounts(users=("pg", "a", "b"), groups=("g",)))
    assert "create = true" in caught.value.next_step
    assert read_missing(host, Accounts(users=("a",), create=True)) == ()


def test_numbers_are_the_highest_free_ones_of_the_system_range(host: FakeHost) -> None:
    found = read_accounts(host, Accounts(users=("pg", "a", "x"), groups=("a", "h"), create=True))
    assert found.new_groups == (NewGroup(name="a", gid=203), NewGroup(name="h", gid=202))
    assert found.new_users == (NewUser(name="a", uid=203, gid=203), NewUser(name="x", uid=201, gid=204))
    assert found.users == (("pg", 113), ("a", 203), ("x", 201)) and found.groups == (("a", 203), ("h", 202))


def test_a_user_without_a_group_of_its_name_gets_one(host: FakeHost) -> None:
    found = read_accounts(host, Accounts(users=("a",), create=True))
    assert (found.new_groups, found.groups) == ((NewGroup(name="a", gid=203),), ())


def test_a_full_range_is_refused_and_a_missing_file_has_defaults(host: FakeHost) -> None:
    with pytest.raises(Refused, match="no number is free for the account"):
        read_accounts(host, Accounts(groups=tuple("abcdefg"), create=True))
    host.files.remove(LOGIN_DEFS)
    assert read_accounts(host, Accounts(groups=("a",), create=True)).groups == (("a", 999),)


@pytest.mark.requirement("A57")
def test_they_are_made_once_with_a_locked_password_and_removed_again(host: FakeHost) -> None:
    def make(argv: Sequence[str], _: bytes) -> Ran:
        table = host.users if argv[0].startswith("user") else host.groups
        if argv[0].endswith("add"):
            table[argv[-1]] = int(argv[argv.index("--uid" if table is host.users else "--gid") + 1])
        else:
            del table[argv[-1]]
        return Ran(argv=tuple(argv), status=0, stdout=b"", stderr=b"")

    for program in ("useradd", "userdel", "groupadd", "groupdel"):
        host.answer_with([program], make)
    context = Context(host=host, controller=make_controller(), node="ec-b")
    specs: tuple[s.StepSpec, ...] = (s.CreateGroup(name="a", gid=203), s.CreateUser(name="a", uid=203, gid=203))
    for _ in range(2):
        for spec in specs:
            handler_for(type(spec)).apply(spec, context)
            look = handler_for(type(spec)).is_applied
            assert look is not None and look(spec, context)
    assert [ran[0] for ran in host.ran] == ["groupadd", "useradd"]
    assert "--system" in host.ran[1] and "/usr/sbin/nologin" in host.ran[1]
    assert not {"-p", "--password"} & set(host.ran[1])  # none given: useradd(8) locks it
    for _ in range(2):
        for spec in reversed(specs):
            handler_for(type(spec)).undo(spec, context)
    assert "a" not in host.users and "a" not in host.groups and host.users["pg"] == 113


def test_an_account_that_somebody_made_meanwhile_with_another_number_is_left_alone(host: FakeHost) -> None:
    context = Context(host=host, controller=make_controller(), node="ec-b")
    with pytest.raises(Failed, match="was made by somebody else meanwhile, with number 113 instead of 203"):
        handler_for(s.CreateUser).apply(s.CreateUser(name="pg", uid=203, gid=203), context)
    handler_for(s.CreateUser).undo(s.CreateUser(name="pg", uid=203, gid=203), context)
    assert host.users["pg"] == 113


@pytest.mark.parametrize(
    ("release", "fstype", "says"),
    [
        ("5.10.0-32-amd64", "ext4", "this kernel (5.10.0-32-amd64) has no id maps for ext4 (Linux 5.12)"),
        ("5.12.1", "xfs", ""),
        ("6.1.0-18-amd64", "ext4", ""),
        ("odd", "ext4", ""),
    ],
)
def test_whether_the_kernel_has_id_maps_is_read(
    host: FakeHost, release: str, fstype: Literal["ext4", "xfs"], says: str
) -> None:
    controller = make_controller()
    controller = replace(controller, asset=replace(controller.asset, fstype=fstype))
    assert read_no_idmap(host, controller) == ""
    host.files.make_directory(OSRELEASE.rsplit("/", 1)[0])
    host.files.write(OSRELEASE, release.encode())
    assert read_no_idmap(host, controller) == says


def test_a_directory_has_the_file_system_that_it_lies_on(host: FakeHost) -> None:
    assert read_fstype(host, "/var/opt/oc") == "ext4"
    controller = make_controller(kind="directory")
    assert read_no_idmap(host, controller) == ""


def test_in_a_user_namespace_there_is_no_id_map(host: FakeHost, tmp_path: Path) -> None:
    """mount_setattr(2): EPERM without rights in the user namespace of the file system."""
    controller = make_controller()
    users = tmp_path / "proc/self/ns/user"
    users.parent.mkdir(parents=True)
    users.symlink_to("user:[4026531837]")
    assert read_no_idmap(host, controller) == ""
    users.unlink()
    users.symlink_to("user:[4026532441]")
    assert "user namespace" in read_no_idmap(host, controller)
