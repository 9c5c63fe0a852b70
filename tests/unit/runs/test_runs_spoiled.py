"""This node's own disk full or spoiled: what must hold, holds up nothing else, and each command says it in words."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from tanist.host.fake import Crash
from tanist.journal.journal import done_directory, runs_directory
from tanist.model.errors import Failed, TanistError
from tanist.model.unread import Unread
from tanist.plan import places
from tanist.runs.backup import backup
from tanist.runs.boot import boot, gate
from tanist.runs.carry_on import undo
from tanist.runs.exchange import exchange_with_peers
from tanist.runs.filing import find_open_run
from tanist.runs.glance import mirrored_file
from tanist.runs.history import load_history
from tanist.runs.peers import ask_peer, find_activity, read_word
from tanist.runs.readout import ask_readout
from tanist.runs.release import release
from tanist.runs.restore import harestore
from tanist.runs.session import Session, read_active
from tanist.runs.takeover import TakeoverOptions, takeover
from tanist.runs.watch import Watcher
from tests.unit.runs.picture import open_runs
from tests.unit.runs.test_runs_takeover import is_active
from tests.unit.runs.test_runs_watch import break_reading
from tests.unit.runs.world import World, said

CRON = "/etc/cron.d/oc"


@pytest.mark.requirement("A05", "A61")
@pytest.mark.parametrize("point", ["systemctl stop oc-proxy", "systemctl stop oc-ec", "remove_address"])
def test_a_release_is_not_taken_back_beside_a_disk_that_does_not_say_whose_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """Another node may have cut this one off from it, and be the active one: no address returns, and no service."""
    session = world.session("ec-a")
    world.a.then.append((point, lambda: world.a.die("here")))
    with pytest.raises(Crash):
        release(session)
    world.a.revive()
    before = find_activity(session)
    with monkeypatch.context() as patched:
        break_reading(world.a, patched)
        for _ in range(2):
            with pytest.raises(Failed, match="the claim can't be read"):
                undo(session)
            assert set(find_activity(session)) <= set(before) and open_runs(world.a) == 1
    world.a.answer_with(["debugfs"], lambda argv, stdin: world.a._debugfs(argv, stdin))
    undo(session)
    assert is_active(world, "ec-a") and open_runs(world.a) == 0


@pytest.mark.requirement("A62")
def test_the_gate_holds_on_a_full_disk_with_a_run_that_could_not_be_filed_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = world.a.files.append

    def full(path: str, data: bytes) -> None:
        if path == places.history("oc"):
            raise OSError(errno.ENOSPC, "No space left on device", path)
        append(path, data)

    monkeypatch.setattr(world.a.files, "append", full)
    harestore(world.session("ec-a"), TakeoverOptions())
    assert open_runs(world.a) == 1
    world.a.power_off()
    world.a.boot()
    assert world.a.files.exists(CRON)
    gate(world.session("ec-a"))
    assert not world.a.files.exists(CRON)


@pytest.mark.requirement("A62")
def test_the_gate_holds_beside_a_journal_that_is_damaged(world: World) -> None:
    record = f"files.append {runs_directory('oc')}"
    world.a.then.append((record, lambda: world.a.then.append((record, lambda: world.a.die("here")))))
    with pytest.raises(Crash):
        release(world.session("ec-a"))
    world.a.revive()
    (name,) = [one for one in world.a.files.list(runs_directory("oc")) if one.endswith(".jsonl")]
    path = f"{runs_directory('oc')}/{name}"
    text = world.a.files.read(path)
    world.a.files.write(path, text.replace(b"release", b"rebase", 1))
    world.a.power_off()
    world.a.boot()
    assert world.a.files.exists(CRON)
    gate(world.session("ec-a"))
    assert not world.a.files.exists(CRON)
    with pytest.raises(Failed, match="is damaged at line 1"):
        boot(world.session("ec-a"))


@pytest.mark.requirement("A62")
@pytest.mark.parametrize(
    "spoil", [lambda text: text[:300] + b"x" + text[301:], lambda _: b""], ids=["damaged", "empty"]
)
def test_the_gate_holds_where_the_journal_of_the_active_run_is_spoiled(
    world: World, spoil: Callable[[bytes], bytes]
) -> None:
    session = world.session("ec-a")
    path = f"{done_directory('oc')}/{read_active(session)}.jsonl"
    text, cron = world.a.files.read(path), world.a.files.read(CRON)
    world.a.files.write(path, spoil(text))
    world.a.power_off()
    world.a.boot()
    with pytest.raises(TanistError):
        gate(session)
    assert not world.a.files.exists(CRON)
    with pytest.raises(TanistError):
        boot(session)
    world.a.files.write(path, text)
    assert boot(session) == "active"
    assert world.a.files.read(CRON) == cron


@pytest.mark.parametrize("text", [b"", b"{", b"{}", b"[]", b'{"run": 7}', b"\xff"])
@pytest.mark.parametrize(
    "act",
    [
        boot,
        release,
        lambda session: backup(session, mirror=False),
        lambda session: takeover(session, TakeoverOptions()),
    ],
    ids=["boot", "release", "habackup", "takeover"],
)
def test_a_mark_that_cannot_be_read_is_told_in_words(
    world: World, act: Callable[[Session], object], text: bytes
) -> None:
    path = places.active_file("oc")
    world.a.files.write(path, text)
    with pytest.raises(Failed, match=f"{path} can't be read"):
        act(world.session("ec-a"))
    assert read_word(world.session("ec-a")).state == "active"


@pytest.mark.parametrize("text", [b"{}", b"[]", b'{"run": "r1"}', b'{"run": "r1", "epoch": "x"}'])
def test_a_mark_that_cannot_be_read_does_not_end_the_watch(world: World, text: bytes) -> None:
    world.a.files.write(places.active_file("oc"), text)
    assert Watcher(world.session("ec-a")).round() is None
    assert "the watch can't look" in world.said("ec-a")


def test_a_node_that_answers_with_what_no_parser_can_take_is_told_in_words(world: World) -> None:
    world.a.answer_with(["ssh"], lambda argv, _: said(argv, b"[" * 100000))
    session = world.session("ec-a")
    for found in (ask_peer(session, "ec-b"), ask_readout(session, "ec-b")):
        assert isinstance(found, Unread) and "its answer can't be read" in found.why
    assert not exchange_with_peers(session)


def test_a_spoiled_note_of_what_a_node_took_keeps_no_release(world: World) -> None:
    session = world.session("ec-a")
    backup(session, mirror=True)
    world.a.files.write(mirrored_file(session, "ec-b"), b"\xff")
    release(session)
    assert read_active(session) == ""


def test_a_run_that_succeeded_says_so_while_another_process_writes_the_history(world: World) -> None:
    """As a `tanist chain` of the other node does, which hangs on the asset."""
    release(world.session("ec-a"))
    lock = world.b.lock(f"{places.runtime('oc')}/history.lock", "a chain")
    assert not isinstance(lock, str)
    takeover(world.session("ec-b"), TakeoverOptions())
    assert is_active(world, "ec-b") and open_runs(world.b) == 1
    assert "this run is over, and not in the history yet" in world.said("ec-b")
    lock.close()
    assert find_open_run(world.session("ec-b")) is None
    assert load_history(world.session("ec-b"))[-1]["kind"] == "takeover"
