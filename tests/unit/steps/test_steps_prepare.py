"""Erasing, proving and making on real block devices: loop devices, with the kernel's own O_EXCL."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tanist.definition.load import load_controller
from tanist.facts.blank import build_token
from tanist.facts.disks import read_disks
from tanist.host.local import LocalHost
from tanist.model.asset_steps import EraseDisk, MakeFileSystem, ProveShared
from tanist.model.dataclasses import replace
from tanist.model.disks import SeenDisk
from tanist.model.errors import Failed
from tanist.model.unread import Unread
from tanist.steps import prepare
from tanist.steps.context import Context
from tests.vm.definitions import render_definition

HOST = LocalHost()
MIB = 1 << 20
SIZE = 320 * MIB
UUID = "6d5a0f6e-1111-4222-8333-444455556666"


def call(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def loop(image: Path) -> Iterator[str]:
    with image.open("wb") as file:
        file.truncate(SIZE)
    device = call("losetup", "--find", "--show", str(image))
    try:
        yield device
    finally:
        call("losetup", "--detach", device)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[str]:
    with loop(tmp_path / "disk.img") as made:
        yield made


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "FREED", 0.5)


def context(read_tokens: Callable[[], tuple[tuple[str, str, str], ...]] | None = None) -> Context:
    controller = load_controller(render_definition("/dev/x", "ext4").encode(), "ledger.toml")
    return Context(host=HOST, controller=controller, node="ec-a", read_tokens=read_tokens)


def seen(device: str, *, exclusive: bool = False) -> SeenDisk:
    disks, _ = read_disks(HOST, (device,), every=False, exclusive=exclusive)
    assert not isinstance(disks, Unread)
    return next(one for one in disks if f"/dev/{one.name}" == device)


def marks(device: str) -> tuple[str, ...]:
    found = seen(device).marks
    assert not isinstance(found, Unread)
    return tuple(one.key for one in found)


def erase(device: str, *allowed: str) -> EraseDisk:
    return EraseDisk(device=device, wwn="", serial="", size=SIZE, marks=allowed, run="R1")


def make(device: str) -> MakeFileSystem:
    argv = ("mke2fs", "-q", "-F", "-t", "ext4", "-U", UUID, "-O", "mmp", "-E", "mmp_update_interval=1", device)
    return MakeFileSystem(device=device, fstype="ext4", uuid=UUID, argv=argv)


@pytest.mark.requirement("A20", "A22")
def test_a_disk_is_erased_at_both_ends_and_made_anew(device: str) -> None:
    call("mke2fs", "-q", "-F", "-U", UUID.replace("6d", "aa"), device)
    call("dd", "if=/dev/urandom", f"of={device}", "bs=1M", "seek=319", "count=1", "status=none")
    (found,) = marks(device)
    prepare.apply_erase_disk(erase(device, found), context())
    assert marks(device) == ()
    assert call("head", "-c", str(MIB), device).strip("\0") == ""
    prepare.apply_erase_disk(erase(device, found), context())  # may run twice

    spec = make(device)
    assert prepare.is_make_file_system_applied(spec, context()) is False
    prepare.apply_make_file_system(spec, context())
    prepare.apply_make_file_system(spec, context())
    assert prepare.is_make_file_system_applied(spec, context()) is True
    prepare.undo_make_file_system(replace(spec, uuid=UUID.replace("6d", "bb")), context())
    assert prepare.is_make_file_system_applied(spec, context()) is True, "another one's stays"
    prepare.undo_make_file_system(spec, context())
    assert marks(device) == ()


@pytest.mark.requirement("A20")
def test_what_was_not_to_be_lost_is_not_touched(device: str) -> None:
    call("mke2fs", "-q", "-F", "-t", "ext4", "-U", UUID, device)
    before = call("sha256sum", device)
    for spec, says in (
        (erase(device), "has something on it that it had not before: ext4"),
        (erase(device, "xfs 12"), "has something on it that it had not before: ext4"),
        (replace(erase(device, *marks(device)), serial="X"), "is another disk now"),
        (replace(erase(device, *marks(device)), size=SIZE + 1), "is another disk now"),
        (erase("/dev/null"), "no whole disk any more"),
    ):
        with pytest.raises(prepare.Untouched, match=says):
            prepare.apply_erase_disk(spec, context())
    with taken(device), pytest.raises(prepare.Untouched, match="can't be had alone"):
        prepare.apply_erase_disk(erase(device, *marks(device)), context())
    assert call("sha256sum", device) == before


def taken(device: str) -> ExitStack:
    stack = ExitStack()
    stack.callback(HOST.claim_device(device).close)
    return stack


def test_whoever_has_it_is_seen(device: str) -> None:
    assert seen(device, exclusive=True).uses == ()
    with taken(device):
        found = seen(device, exclusive=True).uses
        assert any("the kernel lets nobody have it alone" in use or "has it open" in use for use in found)
    with Path(device).open("rb") as opened, subprocess.Popen(["sleep", "60"], stdin=opened) as sleeper:
        assert any(f"sleep (process {sleeper.pid}) has it open" in use for use in seen(device).uses)
        sleeper.kill()


@pytest.mark.requirement("A14", "A16")
def test_the_other_node_must_read_what_this_one_wrote(device: str) -> None:
    spec = ProveShared(devices=(device,), run="R1")

    def honest() -> tuple[tuple[str, str, str], ...]:
        return (("ec-b", device, seen(device).token),)

    prepare.apply_prove_shared(spec, context(honest))
    assert (seen(device).token, marks(device)) == ("", ()), "wiped again"

    stranger = (("ec-b", device, ""),)
    for told in (lambda: stranger, tuple, lambda: (("ec-b", device, "tanist storage prepare R0 /dev/x"),)):
        with pytest.raises(Failed, match="do not mean the same disk"):
            prepare.apply_prove_shared(spec, context(told))
        assert seen(device).token == ""
    with pytest.raises(Failed, match="no other node"):
        prepare.apply_prove_shared(spec, context())


def test_a_token_that_was_left_is_wiped_and_another_one_is_not(device: str) -> None:
    spec = ProveShared(devices=(device,), run="R1")
    for run, left in (("R1", ""), ("R2", f"tanist storage prepare R2 {device}")):
        prepare.write_block(HOST, device, build_token(run, device))
        prepare.undo_prove_shared(spec, context())
        assert seen(device).token == left
