"""Mounted file systems on real block devices that became larger: loop devices, the kernel's own answers. Of the layers
below, what is run."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tanist.definition.load import load_controller
from tanist.facts.sizes import ask_again, read_file_system, read_rooms, read_sizes
from tanist.host.local import LocalHost
from tanist.model.definition import Asset
from tanist.model.errors import Failed
from tanist.model.growing import GrowArray, GrowFileSystem, GrowMap, GrowVolume, Room
from tanist.model.unread import Unread
from tanist.steps.context import Context
from tanist.steps.grow import apply_grow_file_system, is_grow_file_system_applied
from tanist.steps.registry import handler_for
from tests.unit.facts.machine import Machine
from tests.vm.definitions import render_definition

HOST = LocalHost()
MIB = 1 << 20
BEFORE, AFTER = 384 * MIB, 640 * MIB
MAKE = {"ext4": ("mkfs.ext4", "-q", "-F"), "xfs": ("mkfs.xfs", "-q", "-f"), "btrfs": ("mkfs.btrfs", "-q", "-f")}
CONTEXT = Context(
    host=HOST, controller=load_controller(render_definition("/dev/x", "ext4").encode(), "ledger.toml"), node="ec-a"
)


CAP_SYS_RESOURCE = 1 << 24  # fs/ext4/resize.c, ext4_resize_begin(); the other file systems do without


def may_resize_ext4() -> bool:
    status = Path("/proc/self/status").read_text()
    return bool(int(status.split("CapEff:", 1)[1].split()[0], 16) & CAP_SYS_RESOURCE)


def call(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


class Grown:
    """A mounted file system on a disk whose image became larger; its kernel has not asked yet."""

    def __init__(self, fstype: str, top: Path, stack: ExitStack) -> None:
        self.fstype, self.image, self.target = fstype, top / "disk.img", str(top / "tree")
        with self.image.open("wb") as file:
            file.truncate(BEFORE)
        self.device = call("losetup", "--find", "--show", str(self.image))
        stack.callback(call, "losetup", "--detach", self.device)
        call(*MAKE[fstype], self.device)
        Path(self.target).mkdir()
        call("mount", "-t", fstype, self.device, self.target)
        stack.callback(call, "umount", self.target)
        (top / "tree/file").write_text("one")
        with self.image.open("r+b") as file:
            file.truncate(AFTER)

    def rooms(self) -> tuple[Room, ...]:
        asset = Asset(kind="filesystem", device=self.device, fstype=self.fstype)  # type: ignore[arg-type]
        seen = read_sizes(HOST, asset, "ec-a", standby=False)
        sizes = {disk: size for disk, size in seen.sizes if isinstance(size, int)}
        return tuple(one for one in read_rooms(HOST, asset, self.target, sizes, 0) if isinstance(one, Room))


@pytest.fixture(params=list(MAKE))
def grown(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Grown]:
    if request.param == "ext4" and not may_resize_ext4():
        pytest.skip("ext4 grows online with CAP_SYS_RESOURCE only")
    with ExitStack() as stack:
        yield Grown(request.param, tmp_path, stack)


@pytest.mark.requirement("A14", "A22")
def test_a_mounted_file_system_gets_all_of_its_disk_and_only_once(grown: Grown) -> None:
    (room,) = grown.rooms()
    assert (room.now, room.could, room.grows) == (BEFORE, AFTER, True), "the disk was asked anew"
    spec = GrowFileSystem(device=grown.device, fstype=grown.fstype, target=grown.target, size=room.lowest)
    assert is_grow_file_system_applied(spec, CONTEXT) is False
    for _ in range(2):
        apply_grow_file_system(spec, CONTEXT)
        assert is_grow_file_system_applied(spec, CONTEXT) is True
    handler_for(GrowFileSystem).undo(spec, CONTEXT)
    assert read_file_system(HOST, grown.fstype, grown.device, grown.target) == AFTER, "there is no way back"
    (room,) = grown.rooms()
    assert not room.grows
    assert Path(grown.target, "file").read_text() == "one"


def test_what_does_not_become_large_enough_has_failed(grown: Grown) -> None:
    spec = GrowFileSystem(device=grown.device, fstype=grown.fstype, target=grown.target, size=AFTER + 1)
    ask_again(HOST, grown.device)
    with pytest.raises(Failed, match=f"should have {AFTER + 1} bytes at least now: {AFTER} bytes"):
        apply_grow_file_system(spec, CONTEXT)


def test_what_is_not_mounted_is_not_touched(tmp_path: Path) -> None:
    for fstype in MAKE:
        spec = GrowFileSystem(device="/dev/null", fstype=fstype, target=str(tmp_path), size=1)
        assert isinstance(read_file_system(HOST, fstype, "/dev/null", str(tmp_path)), Unread)
        with pytest.raises(Failed, match="it grows while its server is at work"):
            apply_grow_file_system(spec, CONTEXT)


GROUP = '{"report": [{"vg": [{"vg_systemid": "ec", "vg_exported": "", "vg_missing_pv_count": "0"}]}]}'
COLUMNS = "vg_systemid,vg_exported,vg_missing_pv_count"
OWN = '--config local/extra_system_ids=["ec"]'
LAYERS: list[tuple[GrowMap | GrowArray | GrowVolume, dict[str, str], tuple[str, ...]]] = [
    (GrowMap(device="/dev/mapper/a", size=2 * MIB), {}, ("multipathd resize map a",)),
    (GrowArray(device="/dev/md/a", size=2 * MIB), {}, ("mdadm --grow /dev/md/a --size=max",)),
    (
        GrowVolume(group="vg", volume="lv", device="/dev/vg/lv", disk="/dev/md/a", to=3 * MIB, size=2 * MIB),
        {f"vgs --foreign --readonly --reportformat json -o {COLUMNS} vg": GROUP},
        (
            f"pvresize -q {OWN} /dev/md/a",
            f"lvextend -q {OWN} --alloc contiguous -L {3 * MIB}b vg/lv",
        ),
    ),
]


@pytest.mark.parametrize(("spec", "answers", "runs"), LAYERS, ids=[type(spec).__name__ for spec, _, _ in LAYERS])
def test_a_layer_is_grown_once_and_what_its_tool_says_is_not_believed(
    tmp_path: Path, spec: GrowMap | GrowArray | GrowVolume, answers: dict[str, str], runs: tuple[str, ...]
) -> None:
    handler = handler_for(type(spec))
    assert handler.is_applied is not None
    size = f"blockdev --getsize64 {spec.device}"
    small = Machine(tmp_path, commands={**answers, **dict.fromkeys(runs, ""), size: str(MIB)})
    with pytest.raises(Failed, match=f"{spec.device} should have {2 * MIB} bytes at least now: {MIB} bytes"):
        handler.apply(spec, replace(CONTEXT, host=small.host))
    ran = [" ".join(argv) for argv in small.ran]
    assert [line for line in ran if line in runs] == list(runs)
    assert handler.is_applied(spec, replace(CONTEXT, host=small.host)) is False
    refused = Machine(tmp_path, commands={**answers, **dict.fromkeys(runs, 5), size: str(MIB)})
    with pytest.raises(Failed) as failed:
        handler.apply(spec, replace(CONTEXT, host=refused.host))
    assert failed.value.message == f"{runs[0]}: it complained"
    large = Machine(tmp_path, commands={size: str(2 * MIB)})
    handler.apply(spec, replace(CONTEXT, host=large.host))
    assert {" ".join(argv) for argv in large.ran} == {size}
