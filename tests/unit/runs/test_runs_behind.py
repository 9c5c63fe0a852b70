"""An asset whose data are older than what this node knows of it: a mirror's leg that was left behind, a snapshot."""

from __future__ import annotations

import json
import lzma
import shutil
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from tanist.model.dataclasses import replace
from tanist.model.errors import NotProved, Refused
from tanist.model.host import Ran
from tanist.model.layers import MdLayer
from tanist.model.storage import MmpMark
from tanist.plan import places
from tanist.runs.backup import backup
from tanist.runs.behind import refuse_older_captures
from tanist.runs.boot import boot
from tanist.runs.takeover import TakeoverOptions, dry_run, takeover, watch_guard
from tests.unit.runs.picture import differences, take
from tests.unit.runs.world import DEVICE, World, said

LEG = lzma.decompress((Path(__file__).parents[1] / "facts/layers/cases/xfs-on-lvm-on-md.img.xz").read_bytes())
ATTEST = TakeoverOptions(attest="I saw its lamps go out")


def remember(world: World, name: str, epoch: int) -> str:
    """The node saw that epoch, of which the disk knows nothing."""
    path = places.claim_seen("oc")
    claim = json.loads(world.nodes[name].files.read(path))
    world.nodes[name].files.write(path, json.dumps({**claim, "epoch": epoch}).encode())
    return path


def captures(world: World) -> list[Path]:
    return sorted(path for path in (world.top / "disk/.tanist/captures").iterdir() if path.is_dir())


@pytest.mark.requirement("A05", "A61")
def test_an_asset_with_an_older_claim_than_was_seen_is_not_taken_until_that_is_put_away(orphan: World) -> None:
    path = remember(orphan, "ec-b", 2)
    before = take(orphan, "ec-b")
    for act in (takeover, dry_run):
        says = r"epoch 1, .* and ec-b has seen epoch 2: the data on it are older"
        with pytest.raises(Refused, match=says) as caught:
            act(orphan.session("ec-b"), ATTEST)
        assert f"mv {path} " in caught.value.next_step
    assert differences(before, take(orphan, "ec-b")) == {}
    orphan.b.files.remove(path)
    takeover(orphan.session("ec-b"), ATTEST)
    assert take(orphan, "ec-b")["claim"] == ("ec-b", 2, "held")


def test_an_owner_that_boots_on_older_data_stays_inert(world: World) -> None:
    world.a.power_off()
    world.a.boot()
    remember(world, "ec-a", 7)
    with pytest.raises(Refused, match="ec-a has seen epoch 7"):
        boot(world.session("ec-a"))
    assert not any(unit.state == "active" for name, unit in world.a.units.items() if name.startswith("oc-"))


@pytest.mark.requirement("A61")
def test_an_asset_that_lacks_a_capture_which_came_from_it_is_let_go_again(world: World) -> None:
    world.a.files.write("/etc/oc/main.conf", b"changed since\n")
    backup(world.session("ec-a"), mirror=True)
    older, newest = captures(world)
    world.a.power_off()
    shutil.rmtree(newest)
    before = take(world, "ec-b")
    with pytest.raises(Refused, match=f"{newest.name} came from it to ec-b") as caught:
        takeover(world.session("ec-b"), ATTEST)
    assert differences(before, take(world, "ec-b")) == {}
    assert caught.value.next_step.endswith(f"tanist takeover oc --capture {older.name}")
    takeover(world.session("ec-b"), TakeoverOptions(attest="I saw its lamps go out", capture=older.name))
    assert take(world, "ec-b")["claim"] == ("ec-b", 2, "held")


def test_a_capture_of_an_epoch_that_nobody_remembers_is_of_an_asset_that_was_made_anew(world: World) -> None:
    mirror = world.top / "ec-b" / places.mirror("oc")[1:]
    newest = max(path for path in mirror.iterdir() if path.is_dir())
    shutil.copytree(newest, mirror / newest.name.replace("-e1-", "-e9-"))
    world.a.power_off()
    takeover(world.session("ec-b"), ATTEST)
    assert take(world, "ec-b")["claim"] == ("ec-b", 2, "held")


def test_what_was_seen_is_read_once_however_many_captures_there_are(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.a.files.write("/etc/oc/main.conf", b"changed since\n")
    backup(world.session("ec-a"), mirror=True)
    assert len(captures(world)) == 2
    read, found = world.b.files.read, []

    def counted(path: str, limit: int = 1 << 20) -> bytes:
        found.append(path)
        return read(path, limit)

    monkeypatch.setattr(world.b.files, "read", counted)
    refuse_older_captures(world.session("ec-b"), places.mirror("oc"))
    assert found.count(places.claim_seen("oc")) == 1


class Guard:
    """An ext4 with multiple mount protection, as dd reads it; its block moves while `owner_lives`."""

    def __init__(self, *, owner_lives: bool) -> None:
        self.owner_lives, self.sequence = owner_lives, 7

    def read(self, argv: Sequence[str], _: bytes) -> Ran:
        if "if=/dev/leg" in argv:
            return said(argv, LEG[4096:8192])
        block = bytearray(4096)
        if "skip=0" in argv:
            struct.pack_into("<H", block, 1024 + 0x38, 0xEF53)
            struct.pack_into("<I", block, 1024 + 0x18, 2)  # blocks of 4 KiB
            struct.pack_into("<I", block, 1024 + 0x60, 0x104)  # to be recovered, MMP
            struct.pack_into("<HQ", block, 1024 + 0x166, 1, 9)
        else:
            self.sequence += self.owner_lives
            struct.pack_into("<IIQ64s", block, 0, 0x004D4D50, self.sequence, 0, b"ec-a")
        return said(argv, bytes(block))


@pytest.mark.requirement("A05", "A61")
@pytest.mark.parametrize(("lives", "layered"), [(True, True), (False, True), (True, False)])
def test_a_living_owners_guard_is_watched_before_a_mirror_is_put_together(
    orphan: World, lives: bool, layered: bool
) -> None:
    array = MdLayer(device=DEVICE, uuid="01234567:89abcdef:01234567:89abcdef", members=("/dev/leg",))
    asset = replace(orphan.controller.asset, layers=(array,) if layered else ())
    session = replace(orphan.session("ec-b"), controller=replace(orphan.controller, asset=asset))
    orphan.b.answer(["losetup"], "/dev/loop7\n")  # the window below the mirror
    orphan.b.answer_with(["dd"], Guard(owner_lives=lives).read)
    mmp = MmpMark(sequence=7, node="ec-a", time=0, interval=5)
    began = orphan.clock.ticks
    if lives and layered:
        with pytest.raises(NotProved, match="ec-a writes its MMP block"):
            watch_guard(session, mmp)
    else:
        watch_guard(session, mmp)
    assert (orphan.clock.ticks - began > 1) == layered, "a bare disk's mount asks it in time"
