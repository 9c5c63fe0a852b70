"""Journal lines: a torn end is dropped, a damaged middle is an error, nothing is acted on before it is on disk."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.host.fake import Crash, FakeHost
from tanist.journal.journal import Journal, done_directory, find_journal, runs_directory
from tanist.journal.records import parse_journal, parse_record, render_record
from tanist.model.errors import Failed, Refused
from tanist.model.run import Record, StepBegun
from tests.unit.model.examples import BODIES

RECORDS = tuple(Record(n=n, at=100.5 + n, boot="b1", body=body) for n, body in enumerate(BODIES, start=1))
LINES = tuple(render_record(record) for record in RECORDS)
TEXT = b"".join(LINES)


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(str(tmp_path))


@pytest.fixture
def journal(host: FakeHost) -> Journal:
    made = Journal.create(host, "oc", "run1")
    for body in BODIES:
        made.append(body)
    return made


def test_a_line_is_a_record_and_a_record_a_line() -> None:
    for record, line in zip(RECORDS, LINES, strict=True):
        assert line.count(b"\n") == 1 and line.endswith(b"\n")
        assert parse_record(line) == record
    assert parse_journal(TEXT, "j") == (RECORDS, len(TEXT))
    assert parse_journal(b"", "j") == ((), 0)


def test_a_last_line_torn_at_any_byte_is_dropped() -> None:
    short = b"".join(LINES[2:4])
    whole = [Record(n=1, at=1.0, boot="b", body=StepBegun(step="a.1")), Record(n=2, at=2.0, boot="b", body=BODIES[3])]
    first, second = (render_record(record) for record in whole)
    for cut in range(len(second)):
        assert parse_journal(first + second[:cut], "j") == ((whole[0],), len(first))
        altered = second[:cut] + bytes([second[cut] ^ 1]) + second[cut + 1 :]
        records, good = parse_journal(first + altered, "j")
        assert (records, good) == ((whole[0],), len(first)), cut
    assert short


@given(st.integers(0, len(TEXT) - len(LINES[-1]) - 1), st.integers(1, 255))
def test_any_damage_before_the_last_line_is_an_error_that_names_the_line(at: int, flip: int) -> None:
    altered = TEXT[:at] + bytes([TEXT[at] ^ flip]) + TEXT[at + 1 :]
    with pytest.raises(Failed, match=r"the journal j is damaged at line \d+") as caught:
        parse_journal(altered, "j")
    assert "A damaged journal" in caught.value.next_step


def test_two_lines_that_became_one_are_no_torn_end() -> None:
    with pytest.raises(Failed, match="damaged at line 1"):
        parse_journal(LINES[0][:-1] + b"\x0b" + LINES[1], "j")


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ((0, 2, 3), "line 2: numbered 3, expected 2"),
        ((0, 2), "line 2: numbered 3, expected 2"),  # a whole record is no torn one, even as the last
        ((1, 2), "line 1: numbered 2, expected 1"),
        ((0, 1, 1, 2), "line 3: numbered 2, expected 3"),
    ],
)
def test_gaps_and_repetitions_in_the_numbers_are_an_error(lines: tuple[int, ...], says: str) -> None:
    with pytest.raises(Failed, match=says):
        parse_journal(b"".join(LINES[n] for n in lines), "j")


@pytest.mark.parametrize(
    "line", [b"[]", b"{}", b"null", b"\xff", b'{"sum":"x"}', LINES[0][:-1].replace(b'"n":1', b'"n":2')]
)
def test_a_line_that_was_not_written_here_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_record(line)


# -- on disk
def test_a_journal_is_found_where_it_was_written_and_where_it_was_filed(host: FakeHost, journal: Journal) -> None:
    assert find_journal(host, "oc", "run1") == journal.path
    host.files.make_directory(done_directory("oc"))
    host.files.move(journal.path, f"{done_directory('oc')}/run1.jsonl")
    assert find_journal(host, "oc", "run1") == f"{done_directory('oc')}/run1.jsonl"
    assert find_journal(host, "oc", "run2") == ""


def test_records_survive_a_reload(host: FakeHost, journal: Journal) -> None:
    loaded = Journal.load(host, journal.path)
    assert loaded.records == journal.records
    assert [record.body for record in loaded.records] == list(BODIES)
    assert {record.boot for record in loaded.records} == {host.boot_id()}
    assert journal.path == f"{runs_directory('oc')}/run1.jsonl"


def test_a_torn_end_is_cut_off_for_good_and_the_next_record_follows(host: FakeHost, journal: Journal) -> None:
    text = host.files.read(journal.path)
    for cut in (1, 40, len(render_record(journal.records[-1])) - 1):
        host.files.write(journal.path, text[:-cut])
        loaded = Journal.load(host, journal.path)
        assert len(loaded.records) == len(BODIES) - 1
        loaded.append(BODIES[-1])
        assert [record.body for record in Journal.load(host, journal.path).records] == list(BODIES)


def test_a_record_is_on_disk_when_append_returns_and_not_known_before(host: FakeHost, journal: Journal) -> None:
    known = len(journal.records)
    host.crash_after(1)
    with pytest.raises(Crash):
        journal.append(StepBegun(step="a.2"))
    assert len(journal.records) == known  # this process never learned of it, the disk has it
    assert Journal.load(host, journal.path).records[-1].body == StepBegun(step="a.2")
    assert host.log[-1] == f"files.append {journal.path}"


def test_a_later_boot_writes_its_own_id(host: FakeHost, journal: Journal) -> None:
    host.reboot()
    loaded = Journal.load(host, journal.path)
    loaded.append(StepBegun(step="a.2"))
    assert loaded.records[-1].boot != loaded.records[-2].boot


def test_on_a_full_disk_nothing_is_begun_and_what_was_begun_stops_by_name(host: FakeHost, journal: Journal) -> None:
    def full(path: str, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    fresh = Journal.create(host, "oc", "run2")
    host.files.append = full  # type: ignore[method-assign]
    with pytest.raises(Refused, match=r"run2.jsonl can't be written: No space left on device"):
        fresh.append(BODIES[0])
    before = len(journal.records)
    with pytest.raises(Failed, match="the run stops where it is") as failed:
        journal.append(StepBegun(step="acquire.1"))
    assert "tanist resume oc   or   tanist undo oc" in failed.value.next_step
    assert len(journal.records) == before
