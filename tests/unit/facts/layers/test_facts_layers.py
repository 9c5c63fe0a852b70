"""What lies below a file system, from the first 3 MiB of a real disk: xfs on a volume on a mirror (Debian 12)."""

from __future__ import annotations

import lzma
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tanist.facts import lvm, md
from tanist.facts.device import Place
from tanist.facts.view import find_place
from tanist.host.local import LocalHost
from tanist.model.definition import Asset
from tanist.model.layers import LvmLayer, MdLayer
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from typing_extensions import override
else:  # typing.override came with Python 3.12

    def override(method):
        return method


UUID = "01234567:89abcdef:01234567:89abcdef"
DATA = 2 << 20  # where the mirror's data begins
IMAGE = lzma.decompress((Path(__file__).parent / "cases" / "xfs-on-lvm-on-md.img.xz").read_bytes())


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    path.write_bytes(IMAGE)
    return path


def layers(*members: Path, uuid: str = UUID) -> Asset:
    array = MdLayer(device="/dev/md/none", uuid=uuid, members=tuple(map(str, members)))
    return Asset(
        kind="filesystem",
        device="/dev/ledger/tree",
        fstype="xfs",
        layers=(array, LvmLayer(group="ledger", volume="tree")),
    )


def spoil(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as f:
        f.seek(at)
        f.write(data)


def test_the_file_system_is_found_below_a_volume_below_a_mirror(disk: Path) -> None:
    place = find_place(LocalHost(), layers(disk))
    assert place == Place(device=str(disk), offset=3 << 20, size=255 * (4 << 20))
    assert IMAGE[3 << 20 :].startswith(b"XFSB")


def test_a_group_tells_its_owner(disk: Path) -> None:
    group = lvm.read_group(LocalHost(), Place(device=str(disk), offset=DATA, size=0))
    assert not isinstance(group, Unread)
    assert (group.name, group.system_id, group.exported) == ("ledger", "ec-a", False)


def test_a_member_of_another_array_is_not_read(disk: Path) -> None:
    found = find_place(LocalHost(), layers(disk, uuid="ffffffff:89abcdef:01234567:89abcdef"))
    assert isinstance(found, Unread)
    assert "belongs to another array" in found.why


def test_the_member_that_was_left_behind_is_not_read(disk: Path, tmp_path: Path) -> None:
    """One disk of the mirror was away while the other was written: only the newer one tells the truth."""
    newer = tmp_path / "newer.img"
    block = bytearray(IMAGE[4096:8192])
    struct.pack_into("<Q", block, 200, 99)
    struct.pack_into("<I", block, 216, (struct.unpack_from("<I", block, 216)[0] + 98) & 0xFFFFFFFF)
    newer.write_bytes(IMAGE[:4096] + block + IMAGE[8192:])
    layer = layers(disk, newer).layers[0]
    assert isinstance(layer, MdLayer)
    members, wrong = md.read_members(LocalHost(), layer)
    assert [one.device for one in members] == [str(newer), str(disk)]
    assert "left behind (1 events of 99)" in wrong[0]
    place = find_place(LocalHost(), layers(disk, newer))
    assert isinstance(place, Place)
    assert place.device == str(newer)


class Busy(LocalHost):
    """With a mirror at work: while somebody waits, md marks its members anew."""

    def __init__(self, *images: Path) -> None:
        super().__init__()
        self._images = images

    @override
    def sleep(self, seconds: float) -> None:
        for image in self._images:
            mark(image, 3)


def mark(image: Path, events: int) -> None:
    checksum = struct.unpack_from("<I", IMAGE, 4096 + 216)[0] + events - 1
    spoil(image, 4096 + 200, struct.pack("<Q", events))
    spoil(image, 4096 + 216, struct.pack("<I", checksum))


def test_a_member_that_is_just_being_marked_is_not_left_behind(disk: Path, tmp_path: Path) -> None:
    """Seen with a server at work: one was read before its mark was written, the other one after."""
    twin = tmp_path / "twin.img"
    twin.write_bytes(IMAGE)
    layer = layers(disk, twin).layers[0]
    assert isinstance(layer, MdLayer)
    mark(twin, 2)
    _, wrong = md.read_members(Busy(disk, twin), layer)
    assert wrong == ()
    mark(disk, 1)
    _, wrong = md.read_members(Busy(twin), layer)
    assert wrong == (f"{disk}: left behind (1 events of 3)",), "its own did not move"


def test_a_mirror_tells_what_it_lacks_and_what_that_may_have(disk: Path, tmp_path: Path) -> None:
    gone, twin = tmp_path / "gone.img", tmp_path / "twin.img"
    twin.write_bytes(IMAGE)
    host = LocalHost()

    def missing(*members: Path) -> str:
        layer = layers(*members).layers[0]
        assert isinstance(layer, MdLayer)
        return md.describe_missing(host, layer)

    assert missing(disk, twin) == ""
    said = missing(gone, disk)
    assert said.startswith("/dev/md/none has 1 of 2 members: ") and f"{gone}: " in said
    assert f"{disk} was marked last at 20" in said and f"if {gone} went on alone after that" in said
    mark(twin, 0)
    said = missing(twin, disk)
    assert said == f"/dev/md/none has 1 of 2 members: {twin}: left behind (0 events of 1)", (
        "and nothing is lost with it"
    )
    assert f"{gone}: " in missing(gone), "and without any it can't be told whose it is"


@pytest.mark.parametrize(
    ("at", "says"),
    [
        (4096 + 200, "super block is damaged"),  # md's count of events
        (4096, "no md super block"),
        (DATA + 512 + 40, "label is damaged"),
        (DATA + 4096 + 60, "metadata area is damaged"),
        (DATA + 512, "no LVM physical volume"),
    ],
)
def test_a_damaged_mark_is_never_believed(disk: Path, at: int, says: str) -> None:
    spoil(disk, at, b"\xff\xff\xff\xff")
    found = find_place(LocalHost(), layers(disk))
    assert isinstance(found, Unread)
    assert says in found.why


def test_changed_metadata_text_is_never_believed(disk: Path) -> None:
    at = IMAGE.rindex(b'system_id = "ec-a"')
    spoil(disk, at, b'system_id = "ec-b"')
    found = find_place(LocalHost(), layers(disk))
    assert isinstance(found, Unread)
    assert "wrong checksum" in found.why


def test_a_volume_in_several_pieces_is_not_looked_into() -> None:
    text = """vg { id = "x" seqno = 3 status = ["RESIZEABLE"] extent_size = 8192
        physical_volumes { pv0 { pe_start = 2048 } }
        logical_volumes { lv { segment_count = 2 segment1 { type = "striped" } } } }"""
    group = lvm.parse_group(text)
    assert not isinstance(group, Unread)
    assert isinstance(lvm.find_volume(group, "lv", Place(device="/dev/x", offset=0, size=0)), Unread)
    assert isinstance(lvm.find_volume(group, "other", Place(device="/dev/x", offset=0, size=0)), Unread)


@pytest.mark.parametrize("text", ["", "vg {", "vg = 1", "vg { id = [ }", "vg { id = "])
def test_text_that_ends_too_soon_is_unread(text: str) -> None:
    assert isinstance(lvm.parse_group(text), Unread)


def test_lvms_text_keeps_quotes_lists_and_comments_apart() -> None:
    found = lvm.parse_config('# made by\nvg {\n a = "x \\"y\\" # no comment"  # two\n b = ["p", 0]\n c { d = -1 } }')
    assert found == {"vg": {"a": 'x "y" # no comment', "b": ["p", "0"], "c": {"d": "-1"}}}
