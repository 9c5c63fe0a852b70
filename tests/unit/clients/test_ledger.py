import json
from pathlib import Path

import pytest

from lab.clients.ledger import Book, Ledger, LedgerTorn, compare, load_book


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def write_at(ledger: Ledger, clock: Clock, now: float) -> None:
    clock.now = now
    ledger.acknowledged(ledger.next_number(), now)


def test_an_outage_lasts_from_the_last_answer_before_to_the_first_after(path: Path, clock: Clock) -> None:
    ledger = Ledger(path, clock)
    ledger.not_connected()  # before the first answer nothing is an outage
    write_at(ledger, clock, 100.0)
    write_at(ledger, clock, 100.4)
    ledger.not_known(3, 100.5, OSError("gone"))
    ledger.not_connected()
    write_at(ledger, clock, 100.9)
    write_at(ledger, clock, 101.0)
    ledger.close()
    (outage,) = load_book(path).outages
    assert (outage.last, outage.first, outage.seconds, outage.failures) == (100.4, 100.9, 0.5, 2)


def test_a_long_silence_without_a_failure_is_an_outage_too(path: Path, clock: Clock) -> None:
    ledger = Ledger(path, clock)
    for now in (100.0, 100.9, 102.5):
        write_at(ledger, clock, now)
    ledger.close()
    assert [outage.seconds for outage in load_book(path).outages] == [1.6]


def test_an_outage_that_did_not_end_has_no_first_answer(path: Path, clock: Clock) -> None:
    ledger = Ledger(path, clock)
    write_at(ledger, clock, 100.0)
    ledger.not_connected()
    ledger.close()
    assert [outage.first for outage in load_book(path).outages] == [None]


def test_a_ledger_is_continued_and_a_torn_last_line_dropped(path: Path, clock: Clock) -> None:
    ledger = Ledger(path, clock)
    write_at(ledger, clock, 100.0)
    ledger.not_known(ledger.next_number(), 100.0, OSError("gone"))
    ledger.close()
    with path.open("a") as file:
        file.write('{"k": "ack", "n": 9')
    assert load_book(path).last == 2
    ledger = Ledger(path, clock)
    write_at(ledger, clock, 101.0)
    ledger.close()
    book = load_book(path)
    assert (book.acked, book.unknown) == ({1, 3}, {2})


def test_a_torn_line_in_the_middle_is_an_error(path: Path) -> None:
    path.write_text('{"k": "ack", "n"\n' + json.dumps({"k": "ack", "n": 2}) + "\n")
    with pytest.raises(LedgerTorn):
        load_book(path)


def test_a_missing_or_doubled_row_is_a_loss_and_an_unknown_one_is_not() -> None:
    book = Book(acked={1, 2}, unknown={3, 4})
    good = compare(book, [1, 2, 3])
    assert (good.lost, good.unknown, good.unknown_kept) == (False, 2, 1)
    assert compare(book, [1]).missing == [2]
    doubled = compare(book, [1, 2, 2])
    assert (doubled.lost, doubled.twice) == (True, [2])
