"""The claim on disk: two slots, one of which is always whole."""

from __future__ import annotations

import errno
import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.host.fake import Crash, FakeDisk, FakeHost
from tanist.host.fake_files import FakeFiles
from tanist.journal import claimfile, slots
from tanist.journal.claimfile import parse_claim, render_slot
from tanist.journal.slots import SIZE, SLOT, next_slot
from tanist.model.claim import Claim
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method):  # typing has it from Python 3.12 on
        return method


OLD = Claim(controller="opscenter", node="ec-a", epoch=4, state="held", since="2026-01-01T00:00:00Z", run="r4")
NEW = replace(OLD, node="ec-b", epoch=5, run="r5")
TREE = "/var/opt/sun/xvm"
PATH = f"{TREE}/.tanist/claim"

CLAIMS = st.builds(
    Claim,
    controller=st.text(max_size=40),
    node=st.text(max_size=40),
    epoch=st.integers(min_value=0),
    state=st.sampled_from(["held", "released"]),
    since=st.text(max_size=40),
    run=st.text(max_size=40),
    users=st.lists(st.tuples(st.text(max_size=8), st.integers(0, 2**32)), max_size=4).map(tuple),
)


def overwritten(data: bytes, slot: bytes, offset: int) -> bytes:
    return data[:offset] + slot + data[offset + SLOT :]


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    made = FakeHost(str(tmp_path))
    made.files.make_directory(TREE)
    return made


# -- text
@given(CLAIMS, st.integers(min_value=1))
def test_a_slot_says_what_was_put_into_it(claim: Claim, seq: int) -> None:
    slot = render_slot(claim, seq)
    assert len(slot) == SLOT and slot.count(b"\n") == 1 and slot.endswith(b"\n")
    assert parse_claim(slot + bytes(SLOT)) == claim
    assert parse_claim(bytes(SLOT) + slot) == claim


@given(CLAIMS, CLAIMS, st.integers(1, 2**60), st.integers(1, 2**60))
def test_the_slot_with_the_higher_number_counts(one: Claim, two: Claim, first: int, second: int) -> None:
    data = render_slot(one, first) + render_slot(two, second)
    if first != second:
        assert parse_claim(data) == (one if first > second else two)
    offset, seq = next_slot(data)
    assert seq > max(first, second)
    assert offset == (0 if first <= second else SLOT)


@pytest.mark.parametrize(("first", "second"), [(6, 7), (7, 6)])
def test_the_newer_slot_counts_in_either_place(first: int, second: int) -> None:
    data = render_slot(OLD if first < second else NEW, first) + render_slot(OLD if second < first else NEW, second)
    assert parse_claim(data) == NEW


@pytest.mark.requirement("A05")
@pytest.mark.parametrize("offset", [0, SLOT])
def test_a_write_torn_at_any_byte_leaves_the_claim_before_or_after_it(offset: int) -> None:
    whole = render_slot(OLD, 6) + render_slot(OLD, 7) if offset == 0 else render_slot(OLD, 7) + render_slot(OLD, 6)
    where, seq = next_slot(whole)
    assert where == offset
    slot = render_slot(NEW, seq)
    for cut in range(SLOT + 1):
        torn = overwritten(whole, slot[:cut] + whole[offset + cut : offset + SLOT], offset)
        assert parse_claim(torn) in (OLD, NEW)
        if cut == SLOT:
            assert parse_claim(torn) == NEW


def test_a_flipped_byte_never_makes_another_claim() -> None:
    data = render_slot(OLD, 1) + bytes(SLOT)
    for at in range(SLOT):
        flipped = data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :]
        found = parse_claim(flipped)
        assert isinstance(found, Unread) or found == OLD, at


@given(st.binary(max_size=SIZE + 1))
def test_garbage_is_unreadable_and_never_no_claim(data: bytes) -> None:
    assert isinstance(parse_claim(data), Unread)
    assert isinstance(parse_claim(data.ljust(SIZE, b"\0")[:SIZE]), Unread)


@pytest.mark.parametrize("length", [SLOT, SIZE - 1, SIZE + 1, SIZE + SLOT])
def test_a_file_of_any_other_length_is_no_claim(host: FakeHost, length: int) -> None:
    """Also on the disk: one that is too long is read one block further than there must be."""
    host.files.make_directory(f"{TREE}/.tanist")
    host.files.write(PATH, (render_slot(OLD, 1) + render_slot(OLD, 2)).ljust(length, b"x")[:length])
    found = claimfile.load_claim(host, TREE)
    assert isinstance(found, Unread) and f"has {length} bytes" in found.why


@pytest.mark.requirement("A61")
def test_what_this_kernel_remembers_of_the_claim_does_not_count(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page cache that another node wrote past."""
    claimfile.create_claim(host, TREE, OLD)
    cached, disk = host.files.read(PATH), render_slot(NEW, 8) * 2
    monkeypatch.setattr(host.files, "read", lambda path, limit=0: cached)
    monkeypatch.setattr(host.files, "read_direct", lambda path, size: disk)
    assert claimfile.load_claim(host, TREE) == NEW
    with pytest.raises(OSError, match="epoch 4 is behind"):
        claimfile.save_claim(host, TREE, OLD)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"format": 2}, "format 2, this tanist knows 1; cut short"),
        ({"seq": 0}, "number 0; cut short"),
        ({"seq": True}, "number True; cut short"),
        ({"claim": {"node": "ec-a"}}, "not a claim (claim: 'controller' is missing)"),
        ({"claim": None}, "not a claim (claim: expected an object, found NoneType)"),
    ],
)
def test_a_slot_with_the_right_sum_and_the_wrong_content_says_why(change: dict[str, object], why: str) -> None:
    body = {**json.loads(render_slot(OLD, 1)), **change}
    body["sum"] = slots.checksum(body)
    found = parse_claim(json.dumps(body).encode().ljust(SLOT - 1) + b"\n" + bytes(SLOT))
    assert isinstance(found, Unread) and why in found.why


def test_a_claim_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="a slot holds 4095"):
        render_slot(replace(OLD, run="x" * SLOT), 1)


# -- disk
def test_a_new_claim_is_there_twice(host: FakeHost) -> None:
    claimfile.create_claim(host, TREE, OLD)
    data = host.files.read(PATH)
    assert len(data) == SIZE
    assert parse_claim(data[:SLOT] + bytes(SLOT)) == parse_claim(bytes(SLOT) + data[SLOT:]) == OLD
    assert claimfile.load_claim(host, TREE) == OLD


def test_creating_twice_is_the_same_as_once_and_another_claim_is_refused(host: FakeHost) -> None:
    claimfile.create_claim(host, TREE, OLD)
    data = host.files.read(PATH)
    claimfile.create_claim(host, TREE, OLD)
    assert host.files.read(PATH) == data
    with pytest.raises(FileExistsError, match="held by ec-a, epoch 4"):
        claimfile.create_claim(host, TREE, NEW)


def mounted(tmp_path: Path, number: str, fstype: str = "ext4") -> FakeHost:
    (tmp_path / "disk").mkdir()
    disk = FakeDisk(path=str(tmp_path / "disk"), number=number, fstype=fstype)
    made = FakeHost(str(tmp_path / "host"), disks={"/dev/asset": disk})
    made.files.make_directory(TREE)
    made.mount_device("/dev/asset", TREE, fstype, (), None)
    made.answer(["setsid"])
    return made


def test_a_tree_on_its_own_device_is_frozen_once_in_a_session_of_its_own(tmp_path: Path) -> None:
    host = mounted(tmp_path, "253:0")
    claimfile.create_claim(host, TREE, OLD)
    (argv,) = host.ran
    assert argv[:3] == ("setsid", "--fork", "--wait") and argv[-1] == TREE


def test_the_root_file_system_is_never_frozen(tmp_path: Path) -> None:
    host = mounted(tmp_path, "252:1")  # the number of the fake host's root
    claimfile.create_claim(host, TREE, OLD)
    assert host.ran == []


def test_zfs_which_has_no_freeze_is_left_alone(tmp_path: Path) -> None:
    host = mounted(tmp_path, "253:0", "zfs")
    claimfile.create_claim(host, TREE, OLD)
    assert host.ran == [] and claimfile.load_claim(host, TREE) == OLD


def test_a_save_leaves_the_new_claim_in_both_slots(host: FakeHost) -> None:
    claimfile.create_claim(host, TREE, OLD)
    claimfile.save_claim(host, TREE, NEW)
    data = host.files.read(PATH)
    assert parse_claim(data[:SLOT] + bytes(SLOT)) == parse_claim(bytes(SLOT) + data[SLOT:]) == NEW
    assert [line.split()[0] for line in host.log[-2:]] == ["files.overwrite", "files.overwrite"]


@pytest.mark.parametrize("changes", [1, 2])
def test_a_save_that_is_cut_off_leaves_a_claim_and_can_be_repeated(host: FakeHost, changes: int) -> None:
    claimfile.create_claim(host, TREE, OLD)
    host.crash_after(changes)
    with pytest.raises(Crash):
        claimfile.save_claim(host, TREE, NEW)
    host.revive()
    assert claimfile.load_claim(host, TREE) == NEW  # the first write was whole; torn ones are tested above
    claimfile.save_claim(host, TREE, NEW)
    assert claimfile.load_claim(host, TREE) == NEW


def test_the_epoch_never_goes_back(host: FakeHost) -> None:
    claimfile.create_claim(host, TREE, NEW)
    with pytest.raises(OSError, match="epoch 4 is behind") as caught:
        claimfile.save_claim(host, TREE, OLD)
    assert caught.value.errno == errno.ESTALE
    assert claimfile.load_claim(host, TREE) == NEW


def test_an_unreadable_claim_is_not_written_over_but_made_anew(host: FakeHost) -> None:
    host.files.make_directory(f"{TREE}/.tanist")
    host.files.write(PATH, bytes(SIZE))
    with pytest.raises(OSError, match="will not write over it"):
        claimfile.save_claim(host, TREE, NEW)
    claimfile.create_claim(host, TREE, NEW)
    assert claimfile.load_claim(host, TREE) == NEW


class LyingFiles(FakeFiles):
    """A disk that says that it has written."""

    @override
    def overwrite(self, path: str, data: bytes, offset: int = 0) -> None:
        pass


class LyingHost(FakeHost):
    @property
    @override
    def files(self) -> FakeFiles:
        return LyingFiles(self.root, lambda _: nullcontext())


def test_a_disk_that_lies_is_caught_by_reading_back(tmp_path: Path) -> None:
    host = LyingHost(str(tmp_path))
    claimfile.create_claim(host, TREE, OLD)
    with pytest.raises(OSError, match="does not read back"):
        claimfile.save_claim(host, TREE, NEW)


def test_a_missing_claim_is_unread_with_its_path(host: FakeHost) -> None:
    found = claimfile.load_claim(host, TREE)
    assert isinstance(found, Unread) and PATH in found.why
