"""Labels that ZFS 2.1.11 wrote on two real kernels: what they say, whole, damaged, and of two times."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tanist.facts.storage import read_claim_offline, read_marks
from tanist.facts.zfs.label import CONFIG, CONFIG_SIZE, RING, Label, parse_label
from tanist.facts.zfs.label import SIZE as LABEL
from tanist.facts.zfs.nvlist import parse_packed
from tanist.facts.zfs.pool import Pool, read_pool
from tanist.host.fake import FakeHost
from tanist.host.fake_world import Crash
from tanist.model.claim import Claim
from tanist.model.dataclasses import replace
from tanist.model.errors import Failed
from tanist.model.unread import Unread
from tanist.steps.zfs import check_copies, save_copies
from tests.unit.facts.zfs.pools import ASSET, LAYER, PATHS, SIZE, Devices, read_case

if TYPE_CHECKING:
    from typing_extensions import override
else:  # typing.override came with Python 3.12

    def override(method):
        return method


CLAIM = Claim(controller="ledger", node="ec-a", epoch=7, state="held", since="2026-01-01", run="r")
LAST = SIZE // LABEL * LABEL  # the end of the last label


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(str(tmp_path))


def devices(host: FakeHost, case: str) -> Devices:
    return Devices(host, a=read_case(f"{case}-a"), b=read_case(f"{case}-b"))


def state(host: FakeHost, watch: float = 0.0) -> str:
    found = read_marks(host, ASSET, watch_seconds=watch)
    return found.why if isinstance(found, Unread) else f"{found.state}: {found.detail}"


def imported(host: FakeHost) -> None:
    host.files.make_directory("/proc/spl/kstat/zfs/ledger")
    host.files.write("/proc/spl/kstat/zfs/ledger/state", b"ONLINE\n")


# -- what the labels say
def test_an_exported_pool_is_clean(host: FakeHost) -> None:
    devices(host, "exported")
    begun = host.monotonic()
    assert state(host, 3.0) == "clean: exported"
    assert host.monotonic() == begun, "and nobody waited for that"


def test_an_imported_pool_names_its_node_and_is_never_clean(host: FakeHost) -> None:
    devices(host, "imported")
    assert state(host).startswith("dirty: not exported: ec-a (host id 0a9e0001) had it imported last")
    assert state(host, 3.0).endswith("nothing was written to it for 3.0 s")


class Watched(FakeHost):
    """While it sleeps, another node writes."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.shown = devices(self, "imported")

    @override
    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        for name, path in zip("ab", PATHS, strict=True):
            self.shown.put(path, read_case(f"later-{name}"))


def test_uberblocks_that_move_between_two_looks_are_an_owner_at_work(tmp_path: Path) -> None:
    host = Watched(str(tmp_path))
    assert state(host, 3.0) == "in-use: ec-a (host id 0a9e0001) writes to it: it is imported there"


def test_each_label_tells_alone_which_pool_it_is(host: FakeHost) -> None:
    data = read_case("imported-a")
    places = (0, LABEL, LAST - 2 * LABEL, LAST - LABEL)
    labels = [parse_label(data[n * LABEL : (n + 1) * LABEL], place) for n, place in enumerate(places)]
    for label in labels:
        assert isinstance(label, Label)
        assert (label.pool, label.tops, len(label.leaves), label.host_name) == ("ledger", 1, 2, "ec-a")
        assert label.newest is not None and label.newest.guarded and label.newest.interval == 1.0
    assert isinstance(parse_label(data[:LABEL], LABEL), Unread), "whole, and not in its place"


def test_a_pool_that_this_node_has_is_in_use_here(host: FakeHost) -> None:
    devices(host, "imported")
    imported(host)
    found = read_marks(host, ASSET, watch_seconds=0.0)
    assert not isinstance(found, Unread)
    assert (found.state, found.mounted_at) == ("in-use", ("ledger",))


# -- what is not all of it, or not all of one time
@pytest.mark.parametrize("number", range(4))
def test_a_damaged_label_is_never_clean(host: FakeHost, number: int) -> None:
    shown = devices(host, "exported")
    shown.damage(PATHS[1], (0, LABEL, LAST - 2 * LABEL, LAST - LABEL)[number] + 20000)
    assert state(host) == "unknown: exported, and not all of its labels can be read"


def test_a_device_that_is_missing_is_never_clean(host: FakeHost) -> None:
    shown = devices(host, "exported")
    shown.remove(PATHS[1])
    assert state(host).startswith("unknown: exported, as far as it can be seen; /dev/b: ")
    assert "not all devices of the pool are named" in state(host)


def test_a_device_that_the_definition_does_not_name_is_missed(host: FakeHost) -> None:
    devices(host, "exported")
    found = read_pool(host, "ledger", PATHS[:1])
    assert isinstance(found, Pool)
    assert found.wrong == ("not all devices of the pool are named by the definition and can be read",)


@pytest.mark.parametrize("cases", [("exported", "imported"), ("imported", "exported")])
def test_one_device_of_another_time_is_never_clean(host: FakeHost, cases: tuple[str, str]) -> None:
    Devices(host, a=read_case(f"{cases[0]}-a"), b=read_case(f"{cases[1]}-b"))
    assert not state(host).startswith("clean")


@pytest.mark.parametrize("number", range(4))
def test_one_label_of_another_time_is_never_clean(host: FakeHost, number: int) -> None:
    shown = devices(host, "exported")
    old, new = read_case("imported-a"), bytearray(read_case("exported-a"))
    new[number * LABEL : (number + 1) * LABEL] = old[number * LABEL : (number + 1) * LABEL]
    shown.put(PATHS[0], bytes(new))
    assert not state(host).startswith("clean")


@pytest.mark.parametrize("number", range(4))
def test_one_label_of_an_earlier_export_is_never_clean(host: FakeHost, number: int) -> None:
    shown = devices(host, "exported")
    labels = bytearray(read_case("exported-a"))
    place = (0, LABEL, LAST - 2 * LABEL, LAST - LABEL)[number]
    labels[number * LABEL : (number + 1) * LABEL] = made_older(
        bytes(labels[number * LABEL : (number + 1) * LABEL]), place
    )
    shown.put(PATHS[0], bytes(labels))
    assert state(host) == "unknown: exported, and not all of its labels say so"


def made_older(label: bytes, place: int) -> bytes:
    """With a commit before, and a checksum that fits."""
    config = bytearray(label[CONFIG : CONFIG + CONFIG_SIZE])
    at = config.index(b"\0\0\0\3txg\0") + 16
    config[at : at + 8] = (int.from_bytes(config[at : at + 8], "big") - 1).to_bytes(8, "big")
    digest = hashlib.sha256(config[:-32] + struct.pack("<QQQQ", place + CONFIG, 0, 0, 0)).digest()
    config[-32:] = struct.pack("<QQQQ", *struct.unpack(">QQQQ", digest))
    return bytes(label[:CONFIG]) + bytes(config) + bytes(label[CONFIG + CONFIG_SIZE :])


def test_a_commit_after_the_export_is_never_clean(host: FakeHost) -> None:
    """An import that was cut off before it wrote its labels: rings of the import, labels of the export."""
    shown = devices(host, "exported")
    rings, labels = read_case("later-a"), bytearray(read_case("exported-a"))
    for number in range(4):
        labels[number * LABEL + RING : (number + 1) * LABEL] = rings[number * LABEL + RING : (number + 1) * LABEL]
    shown.put(PATHS[0], bytes(labels))
    assert state(host) == "unknown: exported, and its last commit is another one"


def test_another_pool_and_no_pool_are_told_apart(host: FakeHost) -> None:
    devices(host, "exported")
    other = read_pool(host, "other", PATHS)
    assert isinstance(other, Unread) and other.why == "/dev/a: of the pool ledger; /dev/b: of the pool ledger"
    Devices(host, a=bytes(4 * LABEL), b=bytes(4 * LABEL))
    assert state(host).startswith("/dev/a: no ZFS label")


@pytest.mark.parametrize("data", [b"", b"\1\1\0\0", b"\2\1\0\0" + bytes(8), b"\1\1\0\0" + bytes(8) + b"\0\0\0\x20"])
def test_what_is_no_list_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"packed|requires|cut off|out of range"):
        parse_packed(data)


# -- the claim
def claim(host: FakeHost) -> Claim | str:
    found = read_claim_offline(host, ASSET)
    return found.why if isinstance(found, Unread) else found


def test_a_claim_is_where_a_standby_finds_it_and_harms_no_label(host: FakeHost) -> None:
    devices(host, "imported")
    before = state(host)
    assert claim(host) == "/dev/a: no claim is written there; /dev/b: no claim is written there"
    imported(host)
    save_copies(host, LAYER, CLAIM)
    host.files.remove("/proc/spl/kstat/zfs/ledger/state")
    assert claim(host) == CLAIM
    assert state(host) == before, "all eight labels are whole"


def test_a_claim_goes_only_up_and_only_from_the_node_that_has_the_pool(host: FakeHost) -> None:
    devices(host, "imported")
    with pytest.raises(Failed, match="not imported on this node"):
        save_copies(host, LAYER, CLAIM)
    imported(host)
    save_copies(host, LAYER, CLAIM)
    with pytest.raises(Failed, match="epoch 6 is behind"):
        save_copies(host, LAYER, replace(CLAIM, epoch=6))
    assert claim(host) == CLAIM


@pytest.mark.parametrize("writes", range(1, 5))
def test_a_save_that_is_cut_off_leaves_the_old_claim_or_the_new_one(host: FakeHost, writes: int) -> None:
    devices(host, "imported")
    imported(host)
    save_copies(host, LAYER, CLAIM)
    host.crash_after(writes - 1)
    new = replace(CLAIM, epoch=8)
    with pytest.raises(Crash):
        save_copies(host, LAYER, new)
    host.revive()
    assert claim(host) in (CLAIM, new)
    save_copies(host, LAYER, new)
    assert check_copies(host, LAYER, new) == ""


def test_a_slot_that_rots_brings_no_older_claim_back(host: FakeHost) -> None:
    shown = devices(host, "imported")
    imported(host)
    save_copies(host, LAYER, CLAIM)
    save_copies(host, LAYER, replace(CLAIM, epoch=8))
    for path in PATHS:
        shown.damage(path, LABEL + 4096 + 10)
        assert claim(host) == replace(CLAIM, epoch=8)


def test_a_standby_believes_no_claim_while_a_device_is_missing_and_the_owner_goes_on(host: FakeHost) -> None:
    shown = devices(host, "imported")
    imported(host)
    save_copies(host, LAYER, CLAIM)
    shown.remove(PATHS[0])
    assert claim(host) == CLAIM, "who has it imported goes on without a dead disk"
    save_copies(host, LAYER, replace(CLAIM, epoch=8))
    host.files.remove("/proc/spl/kstat/zfs/ledger/state")
    assert str(claim(host)).startswith("a device that can't be read may have a newer claim: /dev/a")


def test_the_device_that_was_left_behind_does_not_count(host: FakeHost) -> None:
    shown = devices(host, "imported")
    imported(host)
    save_copies(host, LAYER, CLAIM)
    with shown._open(PATHS[0], "rb") as file:
        file.seek(LABEL)
        old = file.read(8192)
    save_copies(host, LAYER, replace(CLAIM, epoch=8))
    with shown._open(PATHS[0], "r+b") as file:
        file.seek(LABEL)
        file.write(old)
    assert claim(host) == replace(CLAIM, epoch=8)


def test_the_claim_of_a_pool_that_was_there_before_is_none(host: FakeHost) -> None:
    shown = devices(host, "imported")
    imported(host)
    save_copies(host, LAYER, CLAIM)
    text = b""
    for path in PATHS:
        with shown._open(path, "r+b") as file:
            file.seek(LABEL)
            text = file.read(8192)
    assert b'"zfs"' in text
    found = read_pool(host, "ledger", PATHS)
    assert isinstance(found, Pool)
    from tanist.facts.zfs.copies import parse_copy

    other = parse_copy(PATHS[0], text, "1")
    assert isinstance(other, Unread) and "another pool" in other.why
