"""The loop, with a server made of a dictionary. pgledger's own part needs a PostgreSQL: the lab's tests run it."""

import threading
from collections.abc import Callable
from pathlib import Path

from lab.clients.ledger import Ledger, compare, load_book
from lab.clients.load import Limits, Lost, NotConnected, run_load, write_until_stopped


class Server:
    """Takes writes; does what a script says to some of them."""

    def __init__(self, trouble: dict[int, list[str]]) -> None:
        self.trouble, self.rows, self.calls = trouble, list[int](), list[int]()
        self.refuse = 0
        self.after: Callable[[int], object] = lambda number: None

    def connect(self) -> None:
        if self.refuse:
            self.refuse -= 1
            raise NotConnected("refused")

    def write(self, number: int) -> None:
        self.calls.append(number)
        what = self.trouble.get(number, [])
        fault = what.pop(0) if what else ""
        if fault != "lost before" and number not in self.rows:
            self.rows.append(number)
        self.after(number)
        if fault:
            raise Lost(fault)

    def close(self) -> None:
        self.refuse = 2 if self.trouble else 0


def run_to(server: Server, path: Path, last: int) -> None:
    stop = threading.Event()
    server.after = lambda number: stop.set() if number == last else None
    ledger = Ledger(path)
    write_until_stopped(server, ledger, stop, 0.0)
    ledger.close()


def test_an_unknown_write_is_repeated_with_the_same_number(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    server = Server({2: ["lost before"], 4: ["lost after", "lost after"]})
    run_to(server, path, 5)
    assert server.calls == [1, 2, 2, 3, 4, 4, 4, 5]
    assert server.rows == [1, 2, 3, 4, 5]
    book = load_book(path)
    assert book.acked == {1, 2, 3, 4, 5}
    assert [outage.failures for outage in book.outages] == [3, 6]


def test_a_server_that_forgets_is_found_out(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    server = Server({})
    run_to(server, path, 9)
    server.rows.remove(4)
    assert compare(load_book(path), server.rows).missing == [4]


def test_the_load_ends_at_its_file_and_threads_share_the_numbers(tmp_path: Path) -> None:
    path, end = tmp_path / "ledger", tmp_path / "end"
    server = Server({})
    server.after = lambda number: end.touch() if number >= 40 else None
    run_load(lambda: server, Ledger(path), Limits(threads=2, rate=400, until_file=end))
    assert load_book(path).acked == set(server.rows)
    assert len(server.calls) == len(set(server.calls)) >= 40
