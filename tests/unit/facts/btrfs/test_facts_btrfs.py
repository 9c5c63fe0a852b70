"""The claim and the marks of real btrfs images: whole, damaged, cut short, and with blocks of an earlier time."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from tanist.facts.btrfs.checksums import SHA256, checksum, xxhash64
from tanist.facts.btrfs.marks import read_profiles
from tanist.facts.btrfs.superblock import ARRAY, PLACE, parse_super_block
from tanist.facts.claims import find_claims
from tanist.facts.fshealth import read_health
from tanist.facts.storage import read_claim_offline, read_marks
from tanist.host.fake import FakeHost
from tanist.model.claim import Claim
from tanist.model.definition import Asset
from tanist.model.host import Ran
from tanist.model.unread import Unread
from tests.unit.facts.btrfs.make_images import CHECKSUMS, FIRST, SECOND, THIRD
from tests.unit.host.machines import run_apart

SCRIPT = Path(__file__).with_name("make_images.py")
BLOCK, SIZE = 4096, 128 << 20
EMPTY = bytes(BLOCK)
DEVICES = ("/dev/a", "/dev/b")
Blocks = dict[int, bytes]  # by number: those that are not empty


class Disks:
    """Devices that answer dd(1) with the blocks of images."""

    def __init__(self, host: FakeHost, *images: Blocks) -> None:
        self.images = dict(zip(DEVICES, images, strict=False))
        self.sizes = dict.fromkeys(self.images, SIZE)
        self.read: dict[str, set[int]] = {device: set() for device in self.images}
        self.host = host
        self.asset = Asset(kind="filesystem", device=DEVICES[0], fstype="btrfs", members=tuple(self.images)[1:])
        host.answer_with(["dd"], self._dd)
        host.answer(["blkid"], status=2)

    def _dd(self, argv: Sequence[str], _: bytes) -> Ran:
        said = dict(word.partition("=")[::2] for word in argv[1:])
        assert said["iflag"] == "direct" and int(said["bs"]) == BLOCK
        device, first = said["if"], int(said["skip"])
        numbers = range(first, min(first + int(said["count"]), self.sizes[device] // BLOCK))
        self.read[device].update(numbers)
        data = b"".join(self.images[device].get(number, EMPTY) for number in numbers)
        return Ran(argv=tuple(argv), status=0, stdout=data, stderr=b"")

    def claim(self) -> Claim | Unread:
        return read_claim_offline(self.host, self.asset)

    def state(self) -> str:
        found = read_marks(self.host, self.asset)
        return found.why if isinstance(found, Unread) else f"{found.state}: {found.detail}"


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(str(tmp_path))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Blocks]]:
    directory = tmp_path_factory.mktemp("btrfs")
    run_apart(SCRIPT, str(directory), needs=("losetup", "mkfs.btrfs"))
    yield {path.name: load(path) for path in directory.iterdir() if path.is_file() and path.suffix != ".img"}
    shutil.rmtree(directory)


def load(path: Path) -> Blocks:
    found = {}
    with path.open("rb") as file:
        for number in range(SIZE // BLOCK):
            if (data := file.read(BLOCK)) != EMPTY:
                found[number] = data
    return found


def why(found: object) -> str:
    assert isinstance(found, Unread), found
    return found.why


@pytest.mark.parametrize("kind", CHECKSUMS)
def test_a_standby_finds_what_was_written_last_wherever_it_is(
    host: FakeHost, images: dict[str, Blocks], kind: str
) -> None:
    logged = Disks(host, images[f"{kind}-a-logged"])
    assert logged.claim() == SECOND
    assert logged.state() == "dirty: not unmounted: its log is to be replayed"
    assert Disks(host, images[f"{kind}-a-created"]).claim() == FIRST
    unmounted = Disks(host, images[f"{kind}-a-unmounted"])
    assert unmounted.claim() == THIRD
    assert unmounted.state() == "unknown: no log to replay; btrfs keeps no mark of being mounted"


def test_a_claim_is_not_compressed(host: FakeHost, images: dict[str, Blocks]) -> None:
    for state, claim in {"created": FIRST, "logged": SECOND, "unmounted": THIRD}.items():
        assert Disks(host, images[f"packed-a-{state}"]).claim() == claim


@pytest.mark.parametrize("state", ["logged", "unmounted"])
def test_damage_is_seen_and_never_shows_an_older_claim(host: FakeHost, images: dict[str, Blocks], state: str) -> None:
    claim = {"logged": SECOND, "unmounted": THIRD}[state]
    whole, chance, told = images[f"sha256-a-{state}"], random.Random(1), set()
    disks = Disks(host, whole)
    disks.claim()
    for number in sorted(disks.read[DEVICES[0]]):
        for bit in (0, 8 * chance.randrange(BLOCK), chance.randrange(8 * BLOCK)):
            damaged = bytearray(whole.get(number, EMPTY))
            damaged[bit // 8] ^= 1 << bit % 8
            disks.images[DEVICES[0]] = {**whole, number: bytes(damaged)}
            found = disks.claim()
            told.add(found.why.split(": ")[-1] if isinstance(found, Unread) else found)
            assert found == claim or isinstance(found, Unread)
    assert {claim, "wrong checksum"} <= told, "there are two copies of each tree block, one of the data"


def test_a_disk_that_ends_early_is_told(host: FakeHost, images: dict[str, Blocks]) -> None:
    disks = Disks(host, images["sha256-a-logged"])
    disks.claim()
    for number in sorted(disks.read[DEVICES[0]]):
        for size in (number, number + 1):
            disks.sizes[DEVICES[0]] = size * BLOCK
            found = disks.claim()
            assert found == SECOND or isinstance(found, Unread)
    disks.sizes[DEVICES[0]] = 0
    assert "ends before byte" in why(disks.claim()) and "ends before byte" in disks.state()


@pytest.mark.parametrize("kind", ["sha256", "mirror"])
def test_a_block_of_an_earlier_time_is_never_believed(host: FakeHost, images: dict[str, Blocks], kind: str) -> None:
    """As a stale cache would show it, or a write that a disk has lost."""
    new, old = images[f"{kind}-a-unmounted"], images[f"{kind}-a-logged"]
    disks = Disks(host, new, *([images[f"{kind}-b-unmounted"]] if kind == "mirror" else []))
    assert disks.claim() == THIRD
    stale = [number for number in disks.read[DEVICES[0]] if old.get(number, EMPTY) != new.get(number, EMPTY)]
    assert len(stale) > 8
    for number in stale:
        disks.images[DEVICES[0]] = {**new, number: old.get(number, EMPTY)}
        found = disks.claim()
        if number != PLACE // BLOCK or kind == "mirror":
            assert found == THIRD or isinstance(found, Unread)


def find_nodes(whole: Blocks, numbers: Iterable[int]) -> list[int]:
    uuid = whole[PLACE // BLOCK][0x20:0x30]
    found = [number for number in sorted(numbers) if whole.get(number, EMPTY)[0x20:0x30] == uuid]
    assert len(found) >= 6
    return [number for number in found if number != PLACE // BLOCK]


def read_node(whole: Blocks, first: int) -> bytes:
    return b"".join(whole.get(number, EMPTY) for number in range(first, first + 4))


@pytest.mark.parametrize("place", [0x20, 0x30, 0x50, 0x64], ids=["file system", "address", "generation", "level"])
def test_a_whole_block_that_belongs_elsewhere_or_to_another_time_is_not_taken(
    host: FakeHost, images: dict[str, Blocks], place: int
) -> None:
    """A write that was lost on both copies, or went astray: its checksum is right."""
    whole = images["sha256-a-logged"]
    disks = Disks(host, whole)
    disks.claim()
    for first in find_nodes(whole, disks.read[DEVICES[0]]):
        data = bytearray(old := read_node(whole, first))
        data[place] ^= 1
        data[:32] = checksum(SHA256, bytes(data[32:]))
        copies = [number for number in find_nodes(whole, whole) if read_node(whole, number) == old]
        wrong = {number: bytes(data[:BLOCK]) for number in copies}
        disks.images[DEVICES[0]] = {**whole, **wrong}
        assert ("generation" if place >= 0x50 else "of another place") in why(disks.claim())


def test_blocks_with_a_right_checksum_and_wrong_content_end_in_words(host: FakeHost, images: dict[str, Blocks]) -> None:
    whole, chance = images["sha256-a-logged"], random.Random(2)
    disks = Disks(host, whole)
    disks.claim()
    nodes = [PLACE // BLOCK, *find_nodes(whole, disks.read[DEVICES[0]])]
    for _ in range(400):
        first = chance.choice(nodes)
        last = first + (1 if first == PLACE // BLOCK else 4)
        data = bytearray(read_node(whole, first)[: (last - first) * BLOCK])
        for _ in range(chance.randint(1, 4)):
            data[chance.choice((chance.randrange(0x48, 0x200), chance.randrange(0x48, len(data))))] ^= chance.randrange(
                256
            )
        data[:32] = checksum(SHA256, bytes(data[32:]))
        pieces = {first + at: bytes(data[at * BLOCK : (at + 1) * BLOCK]) for at in range(last - first)}
        disks.images[DEVICES[0]] = {**whole, **pieces}
        assert isinstance(disks.claim(), (Claim, Unread))
        assert disks.state()


def test_an_owner_that_commits_meanwhile_is_read_again(host: FakeHost, images: dict[str, Blocks]) -> None:
    """The old super block, then trees that were overwritten, then the new super block."""
    old, new = images["sha256-a-logged"], images["sha256-a-unmounted"]
    disks = Disks(host, old)
    disks.claim()
    disks.images[DEVICES[0]] = {PLACE // BLOCK: old[PLACE // BLOCK]}
    assert isinstance(disks.claim(), Unread)
    super_blocks: list[str] = []

    def dd(argv: Sequence[str], text: bytes) -> Ran:
        super_blocks.extend(word for word in argv if word == f"skip={PLACE // BLOCK}")
        if len(super_blocks) == 2:
            disks.images[DEVICES[0]] = new
        return disks._dd(argv, text)

    host.answer_with(["dd"], dd)
    assert disks.claim() == THIRD


# -- several devices
def test_a_mirror_is_read_from_either_half(host: FakeHost, images: dict[str, Blocks]) -> None:
    halves = images["mirror-a-logged"], images["mirror-b-logged"]
    assert Disks(host, *halves).claim() == SECOND
    for missing, left in (0, "/dev/b"), (1, "/dev/a"):
        disks = Disks(host, *halves)
        disks.images[DEVICES[missing]] = {}
        assert disks.claim() == SECOND
        assert disks.state().startswith(
            f"dirty: not unmounted: its log is to be replayed; {DEVICES[missing]}: no btrfs"
        )
        assert disks.read[left]


def test_a_half_that_was_left_behind_is_not_read(host: FakeHost, images: dict[str, Blocks]) -> None:
    for old, new in (0, 1), (1, 0):
        halves: list[Blocks] = [{}, {}]
        halves[old], halves[new] = images[f"mirror-{'ab'[old]}-created"], images[f"mirror-{'ab'[new]}-unmounted"]
        disks = Disks(host, *halves)
        assert disks.claim() == THIRD
        assert disks.state().endswith(f"{DEVICES[old]}: was left behind")
        assert disks.read[DEVICES[old]] == {PLACE // BLOCK}


def test_halves_with_different_logs_cannot_be_told_apart(host: FakeHost, images: dict[str, Blocks]) -> None:
    created, logged = images["mirror-a-created"], images["mirror-b-logged"]
    assert "their logs differ" in why(Disks(host, created, logged).claim())


def test_a_device_that_the_definition_does_not_name_is_missed(host: FakeHost, images: dict[str, Blocks]) -> None:
    disks = Disks(host, images["mirror-a-logged"])
    assert "a btrfs on 2 devices, the definition names 1 (members)" in why(disks.claim())
    assert "a btrfs on 2 devices" in disks.state()
    half = Disks(host, images["mirror-b-logged"])
    host.answer(["blkid"], "TYPE=btrfs\n")
    assert find_claims(host, DEVICES[0], ()) == (f"opscenter is {SECOND.describe()}",), "before it is erased"
    assert isinstance(half.claim(), Unread)
    stranger = Disks(host, images["mirror-a-logged"], images["crc32c-a-logged"])
    assert stranger.claim() == SECOND and "/dev/b: belongs to another btrfs" in stranger.state()


def test_data_in_stripes_is_read_where_it_is_mounted(host: FakeHost, images: dict[str, Blocks]) -> None:
    disks = Disks(host, images["striped-a-logged"], images["striped-b-logged"])
    assert "lies in stripes over several devices" in why(disks.claim())
    assert disks.state().startswith("dirty: ")


def test_how_often_each_kind_of_block_is_kept_is_read_unmounted(host: FakeHost, images: dict[str, Blocks]) -> None:
    for name, wanted in (("mirror", ("data raid1", "metadata raid1")), ("striped", ("data raid0", "metadata raid1"))):
        disks = Disks(host, images[f"{name}-a-logged"], images[f"{name}-b-logged"])
        found = read_health(host, disks.asset, "")
        assert not isinstance(found, Unread)
        assert (found.profiles, found.tells) == (wanted, False)
    alone = Disks(host, images["crc32c-a-logged"])
    assert read_profiles(host, alone.asset.disks) == ("data single", "metadata dup")
    assert isinstance(read_profiles(host, Disks(host, {}).asset.disks), Unread)
    block = images["crc32c-a-logged"][PLACE // BLOCK]
    assert "block at" in why(read_profiles(host, Disks(host, {PLACE // BLOCK: block}).asset.disks))


# -- super block
def with_word(block: bytes, place: int, value: int, size: int = 8) -> bytes:
    data = bytearray(block)
    data[place : place + size] = value.to_bytes(size, "little")
    data[:4] = checksum(0, bytes(data[32:]))
    return bytes(data)


@pytest.mark.parametrize(
    ("place", "value", "state", "claim"),
    [
        (0x38, 1 | 1 << 2, "dirty: with errors", ""),
        (0x38, 1 | 1 << 35, "dirty: not unmounted", "btrfstune was cut off"),
        (0xBC, 1 << 12 | 0x161, "dirty: not unmounted", "features that tanist does not read (incompat 0x1000)"),
        (0xC4, 9, "checksum that tanist does not know: 9", "checksum that tanist does not know"),
        (0x94, 1 << 30, "impossible sizes", "impossible sizes"),
        (0x30, 1 << 26, "wrong checksum", "wrong checksum"),
        (ARRAY, 0, "dirty: not unmounted", ""),
    ],
)
def test_what_a_super_block_says_is_believed(
    host: FakeHost, images: dict[str, Blocks], place: int, value: int, state: str, claim: str
) -> None:
    whole = images["crc32c-a-logged"]
    block = with_word(whole[PLACE // BLOCK], place, value, 2 if place == 0xC4 else 4 if place == 0x94 else 8)
    disks = Disks(host, {**whole, PLACE // BLOCK: block})
    assert state in disks.state()
    found = disks.claim()
    assert claim in why(found) if claim else found == SECOND


def test_other_content_is_named(host: FakeHost) -> None:
    disks = Disks(host, {})
    host.answer(["blkid"], "TYPE=xfs\n")
    assert why(disks.claim()) == "/dev/a: /dev/a: no btrfs super block (found: xfs)"
    assert isinstance(parse_super_block(EMPTY), Unread) and isinstance(parse_super_block(b""), Unread)


def test_the_kinds_of_checksums_are_those_of_their_makers() -> None:
    """xxhash.com's own test vectors; the others are hashlib's."""
    known = {b"": 0xEF46DB3751D8E999, b"a": 0xD24EC4F1A98C6E5B, b"abc": 0x44BC2CF5AD770999}
    assert {text: xxhash64(text) for text in known} == known
    with pytest.raises(KeyError):
        checksum(4, b"")
