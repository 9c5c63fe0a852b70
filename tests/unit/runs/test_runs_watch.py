"""The return gate of a node that is up: what makes it take everything down, and what must never."""

from __future__ import annotations

import contextlib
import errno
import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tanist.host.fake import Crash
from tanist.host.fake_network import FakePort
from tanist.journal.claimfile import load_claim, save_claim
from tanist.journal.journal import find_journal
from tanist.model.claim import Claim
from tanist.model.dataclasses import replace
from tanist.model.errors import TanistError
from tanist.model.host import Address, Ran
from tanist.plan import places
from tanist.proof.hold import Opinion
from tanist.runs.carry_on import undo
from tanist.runs.history import load_history
from tanist.runs.peers import find_activity
from tanist.runs.release import release
from tanist.runs.restore import harestore
from tanist.runs.session import Session, exclusive, read_active
from tanist.runs.status import Status, read_status
from tanist.runs.takeover import TakeoverOptions, takeover
from tanist.runs.watch import Watcher, watch
from tanist.steps.storage import mounted_at
from tests.unit.runs.picture import differences, open_runs, take
from tests.unit.runs.test_runs_takeover import ATTEST, is_active
from tests.unit.runs.world import ASSETS, TREE, UNITS, Node, World, said


def rewrite_claim(host: Node, node: str, epoch: int) -> None:
    found = load_claim(host, TREE)
    assert isinstance(found, Claim)
    save_claim(host, TREE, replace(found, node=node, epoch=epoch, state="held"))


def rob(world: World) -> None:
    """ec-b's claim on the disk, as its takeover leaves it, while ec-a was frozen."""
    rewrite_claim(world.a, "ec-b", 2)


def stranger(world: World, address: str = "10.88.0.60") -> None:
    """Another machine on the wire that has a service address."""
    port = FakePort(mac="02:00:00:00:00:ff", own=(Address(interface="eth9", address=address, prefix=24),))
    world.b.network.ports["eth9"] = port


def rounds(watcher: Watcher, world: World, count: int, seconds: float = 1.0) -> list[str]:
    found: list[str] = []
    for _ in range(count):
        opinion = watcher.round()
        found.append(opinion.says if opinion else "none")
        world.clock.advance(seconds)
    return found


def end_looks() -> None:
    """What a round began in the background has ended."""
    for thread in threading.enumerate():
        if thread.name.startswith("look "):
            thread.join(30)


def break_reading(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in place nor from the raw device."""

    def fail(path: str, size: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error", path)

    monkeypatch.setattr(node.files, "read_direct", fail)
    monkeypatch.setattr(node, "_debugfs", lambda argv, _: said(argv, stderr=b"Input/output error"))
    node.answer_with(["debugfs"], lambda argv, stdin: node._debugfs(argv, stdin))


def told(world: World, name: str) -> Status:
    text = (
        (Path(__file__).parent / "oc.toml").read_text().format(mode="host", asset=ASSETS[world.controller.asset.kind])
    )
    world.nodes[name].files.write("/etc/tanist/controllers/oc.toml", text.encode())
    return read_status(world.nodes[name], "oc", name)


def inert_now(world: World) -> None:
    assert find_activity(world.session("ec-a")) == ()
    assert world.a.resets and all(timer.closed for timer in world.a.resets)


@pytest.mark.requirement("A05", "A61")
def test_an_owner_that_lost_the_claim_takes_everything_down_and_is_itself_again(world: World) -> None:
    release(world.session("ec-a"))
    inert = take(world, "ec-a")
    takeover(world.session("ec-a"), TakeoverOptions())
    watcher = Watcher(world.session("ec-a"))
    assert rounds(watcher, world, 3) == ["kept"] * 3
    rewrite_claim(world.a, "ec-b", 3)
    world.a.log.clear()
    assert rounds(watcher, world, 2) == ["lost", "none"]
    inert_now(world)
    assert set(differences(inert, take(world, "ec-a"))) <= {"claim", f"disk {TREE}"}
    status = told(world, "ec-a")
    assert status.state == "standby" and "the claim is held by ec-b, epoch 3" in status.why
    assert "not up on ec-a" in world.a.files.read("/run/motd.d/tanist-oc").decode()
    last = load_history(world.session("ec-a"))[-1]
    assert (last["kind"], last["outcome"]) == ("release", "done")
    assert last["reason"].startswith("lost while this node was up: the claim is held by ec-b")


def test_the_disk_is_cut_off_first_then_cron_addresses_services_and_mounts(world: World) -> None:
    rob(world)
    world.a.log.clear()
    Watcher(world.session("ec-a")).round()
    log = "\n".join(world.a.log)
    order = ["cut_off /var/opt/oc", "/etc/cron.d/oc", "remove_address", "stop", f"unmount {TREE}"]
    at = [log.index(word) for word in order]
    assert at == sorted(at), log


@pytest.mark.parametrize("may_reset", [True, False])
def test_a_btrfs_cannot_be_cut_off_so_the_machine_resets_before_anything_is_unmounted(
    world: World, may_reset: bool
) -> None:
    entries = world.a._mounts.entries
    entries[:] = [replace(entry, mount=replace(entry.mount, fstype="btrfs")) for entry in entries]
    noted: list[str] = []
    session = replace(world.session("ec-a"), report=lambda event: noted.append(event.says))
    if not may_reset:
        controller = session.controller
        session = replace(session, controller=replace(controller, gate=replace(controller.gate, reset=False)))
    rob(world)
    before = world.clock.ticks
    Watcher(session).round()
    assert any(timer.due < before + 5 for timer in world.a.resets) is may_reset
    assert any("this machine resets now" in line for line in noted) is may_reset


def test_the_claim_and_the_captures_are_the_next_owners(world: World) -> None:
    rob(world)
    captures = world.top / "disk/.tanist/captures"
    before, claim = sorted(captures.iterdir()), (world.top / "disk/.tanist/claim").read_bytes()
    Watcher(world.session("ec-a")).round()
    assert sorted(captures.iterdir()) == before
    assert (world.top / "disk/.tanist/claim").read_bytes() == claim


@pytest.mark.requirement("A63")
def test_a_standby_and_a_node_that_released_have_nothing_to_watch(world: World) -> None:
    assert rounds(Watcher(world.session("ec-b")), world, 2) == ["none", "none"]
    watcher = Watcher(world.session("ec-a"))
    release(world.session("ec-a"))
    assert rounds(watcher, world, 2) == ["none", "none"]
    assert world.a.resets == []


def test_no_round_disturbs_a_run_of_this_nodes_own(world: World) -> None:
    """In every moment of a release, a switchover's other half, and of a takeover: the watch goes on beside it."""
    runs: dict[str, Callable[[], None]] = {
        "ec-a": lambda: release(world.session("ec-a")),
        "ec-b": lambda: takeover(world.session("ec-b"), TakeoverOptions()),
    }
    for name, run in runs.items():
        node, watcher, seen = world.nodes[name], Watcher(world.session(name)), list[str]()

        def beside(watcher: Watcher = watcher, node: Node = node, seen: list[str] = seen) -> None:
            opinion = watcher.round()
            seen.append(opinion.says if opinion else "none")
            node.then.append(("", beside))

        node.then.append(("", beside))
        run()
        node.then.clear()
        assert len(seen) > 20 and node.resets == []
    assert is_active(world, "ec-b")
    assert rounds(Watcher(world.session("ec-b")), world, 3) == ["kept"] * 3


def test_a_claim_that_cannot_be_read_for_a_while_is_no_loss(world: World) -> None:
    watcher = Watcher(world.session("ec-a"))
    with pytest.MonkeyPatch.context() as patch:
        break_reading(world.a, patch)
        assert rounds(watcher, world, 50) == ["untold"] * 50
        assert "the claim can't be read" in told(world, "ec-a").why
    assert rounds(watcher, world, 10) == ["kept"] * 10
    assert told(world, "ec-a").why == ""
    assert is_active(world, "ec-a") and world.a.resets == []


def test_a_claim_that_cannot_be_read_for_the_definitions_time_is_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = Watcher(world.session("ec-a"))
    break_reading(world.a, monkeypatch)
    assert rounds(watcher, world, 61)[54:].count("lost") == 1
    inert_now(world)
    assert "for 60 s: the claim can't be read" in world.said("ec-a")


def test_a_clock_that_jumps_over_the_time_is_not_yet_a_loss(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stalled machine: one look before, one after, and hours between."""
    watcher = Watcher(world.session("ec-a"))
    break_reading(world.a, monkeypatch)
    assert rounds(watcher, world, 2, seconds=7200) == ["untold", "untold"]


def test_an_old_claim_on_the_disk_is_told_and_not_believed_at_once(world: World) -> None:
    watcher = Watcher(world.session("ec-a"))
    body = json.loads(world.a.files.read(places.active_file("oc")))
    world.a.files.write(places.active_file("oc"), json.dumps({**body, "epoch": 7}).encode())
    assert rounds(watcher, world, 1) == ["untold"]
    assert "the disk shows an old claim (held by ec-a, epoch 1" in world.said("ec-a")


@pytest.mark.requirement("A61")
def test_another_machine_with_the_address_does_not_drive_out_the_holder_of_the_claim(world: World) -> None:
    watcher = Watcher(world.session("ec-a"))
    stranger(world)
    assert rounds(watcher, world, 12) == ["kept"] * 12
    announced = [line for line in world.a.log if line.startswith("announce 10.88.0.60")]
    assert len(announced) >= 2
    assert "02:00:00:00:00:ff answers for 10.88.0.60 too" in told(world, "ec-a").why
    del world.b.network.ports["eth9"]
    assert rounds(watcher, world, 6)[-1] == "kept"
    assert told(world, "ec-a").why == ""
    world.wire.violations.clear()


@pytest.mark.requirement("A61")
def test_another_machine_with_the_address_and_a_claim_that_cannot_be_read_is_a_loss(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = Watcher(world.session("ec-a"))
    stranger(world)
    break_reading(world.a, monkeypatch)
    assert rounds(watcher, world, 1) == ["lost"]
    inert_now(world)
    world.wire.violations.clear()


@pytest.mark.parametrize("how", ["higher", "dark", "lower"])
def test_in_a_directory_the_other_nodes_word_decides_about_a_second_answer(
    new_world: Callable[..., World], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = new_world(kind="directory")
    watcher = Watcher(world.session("ec-a"))
    stranger(world)
    if how == "dark":
        world.ssh_works = False
    if how == "higher":
        monkeypatch.setattr("tanist.runs.peers.read_epoch_seen", lambda _: 5)
        world.b.add_address(Address(interface="ens3", address="10.88.0.61", prefix=24))
    assert rounds(watcher, world, 1) == (["kept"] if how == "lower" else ["lost"])
    assert bool(find_activity(world.session("ec-a"))) == (how == "lower")
    world.wire.violations.clear()


def test_a_tree_that_became_read_only_is_a_loss(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    table = type(world.a).mounts

    def read_only(self: Node) -> object:
        return tuple(replace(one, read_only=one.target == TREE) for one in table(self))

    monkeypatch.setattr(type(world.a), "mounts", read_only)
    assert rounds(Watcher(world.session("ec-a")), world, 1) == ["lost"]
    inert_now(world)
    assert not any(line.startswith("cut_off") for line in world.a.log)


def test_a_tree_that_cannot_be_written_is_a_loss_after_the_time_and_a_full_one_never(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = Watcher(world.session("ec-a"))
    code = errno.ENOSPC

    def fail(path: str, data: bytes, offset: int = 0) -> None:
        raise OSError(code, "no", path)

    rounds(watcher, world, 1)
    monkeypatch.setattr(world.a.files, "overwrite", fail)
    assert set(rounds(watcher, world, 15, seconds=10)) == {"kept"}
    code = errno.EIO
    assert "lost" not in rounds(watcher, world, 50)
    assert "lost" in rounds(watcher, world, 20)
    inert_now(world)


def test_a_service_that_does_not_stop_is_killed(world: World) -> None:
    """systemctl stop fails; the reset is not closed before everything is down."""
    rob(world)
    stuck = [True]

    def kill(argv: Sequence[str], _: bytes) -> Ran:
        stuck[0] = False
        world.a.units[UNITS[0]].state = "inactive"
        return said(argv)

    world.a.answer(["systemctl", "stop", "--", UNITS[0]], status=1, stderr="Job timed out")
    world.a.answer_with(["systemctl", "kill", "--signal=SIGKILL", "--", UNITS[0]], kill)
    assert rounds(Watcher(world.session("ec-a")), world, 1) == ["lost"]
    assert not stuck[0]
    inert_now(world)
    assert f"still in use: {TREE} is mounted; {UNITS[0]} runs" in world.said("ec-a")


def test_what_cannot_be_stopped_at_all_ends_in_the_reset(world: World) -> None:
    """The timer is never closed: on a real machine the power goes at `due`, here the test's clock says so."""
    rob(world)
    world.a.answer(["systemctl", "stop", "--", UNITS[0]], status=1)
    world.a.answer(["systemctl", "kill"], status=1)

    class ResetError(Exception):
        pass

    original = world.a.sleep

    def sleep(seconds: float) -> None:
        original(seconds)
        if world.a.resets and world.clock.ticks >= world.a.resets[0].due:
            raise ResetError

    world.a.sleep = sleep  # type: ignore[method-assign]
    begun = world.clock.ticks
    with pytest.raises(ResetError):
        Watcher(world.session("ec-a")).round()
    assert not world.a.resets[0].closed
    assert world.clock.ticks - begun == pytest.approx(30, abs=2)
    assert not any("10.88.0.60" in str(one) for port in world.a.interfaces() for one in port.addresses)


def test_without_leave_to_reset_none_is_armed(world: World) -> None:
    session = world.session("ec-a")
    tame = replace(session.controller, gate=replace(session.controller.gate, reset=False))
    rob(world)
    assert rounds(Watcher(replace(session, controller=tame)), world, 1) == ["lost"]
    assert world.a.resets == [] and find_activity(session) == ()


@pytest.mark.parametrize("spoil", ["damaged", "gone"])
@pytest.mark.parametrize("reset", [True, False])
def test_without_the_journal_of_what_is_in_force_all_goes_down_by_the_definition(
    world: World, spoil: str, reset: bool
) -> None:
    session = world.session("ec-a")
    gate = replace(session.controller.gate, reset=reset)
    session = replace(session, controller=replace(session.controller, gate=gate))
    path = find_journal(world.a, "oc", read_active(session))
    if spoil == "gone":
        world.a.files.remove(path)
    else:
        Path(world.a.files.real(path)).write_bytes(b"{}\n" * 9)
    rob(world)
    watcher = Watcher(session)
    rounds(watcher, world, 2)
    assert find_activity(session) == () and all(timer.closed for timer in world.a.resets)
    assert len(world.a.resets) == (2 if reset else 0)
    assert not world.a.files.exists("/etc/cron.d/oc") and mounted_at(world.a, TREE) is None
    assert "the claim is held by ec-b" in told(world, "ec-a").why, "a person is told"


def test_a_release_that_was_cut_off_and_the_journal_below_it_damaged_is_taken_down_too(world: World) -> None:
    session = world.session("ec-a")
    path = find_journal(world.a, "oc", read_active(session))
    world.a.then.append(("remove_address", lambda: world.a.die("here")))
    with pytest.raises(Crash):
        release(session)
    world.a.revive()
    Path(world.a.files.real(path)).write_bytes(b"{}\n" * 9)
    rob(world)
    rounds(Watcher(session), world, 2)
    assert find_activity(session) == () and all(timer.closed for timer in world.a.resets)


@pytest.mark.parametrize("after", range(1, 40, 3))
def test_a_watch_that_is_killed_while_it_takes_down_goes_on_when_it_is_started_again(world: World, after: int) -> None:
    rob(world)
    world.a.crash_after(after)
    with contextlib.suppress(Crash, TanistError):
        Watcher(world.session("ec-a")).round()
    world.a.revive()
    rounds(Watcher(world.session("ec-a")), world, 2)
    assert find_activity(world.session("ec-a")) == ()


def test_what_a_run_that_was_cut_off_left_in_use_is_taken_down_when_another_node_owns_it(orphan: World) -> None:
    """The takeover of ec-b was killed with the address up; then ec-a took over."""
    orphan.b.then.append(("announce", lambda: orphan.b.crash_after(1)))
    with pytest.raises(Crash):
        takeover(orphan.session("ec-b"), ATTEST)
    orphan.b.revive()
    watcher = Watcher(orphan.session("ec-b"))
    assert find_activity(orphan.session("ec-b")) != ()
    assert rounds(watcher, orphan, 2) == ["kept", "kept"]  # a person's to resume or undo
    with exclusive(orphan.session("ec-b"), "resume"):  # no look takes the lock: a status would call it a run at work
        assert rounds(watcher, orphan, 1) == ["kept"]
    rewrite_claim(orphan.b, "ec-a", 3)
    assert rounds(watcher, orphan, 1) == ["lost"]
    assert find_activity(orphan.session("ec-b")) == ()
    assert told(orphan, "ec-b").state == "needs-a-person"
    undo(orphan.session("ec-b"))
    assert rounds(watcher, orphan, 1) == ["none"]


def test_another_engines_look_counts(world: World) -> None:
    """The seam for a lease."""
    answers = [Opinion(says="kept"), Opinion(says="lost", why="the lease ran out", foreign=True)]
    watcher = Watcher(world.session("ec-a"), [lambda _s, _e: answers[0]])
    assert rounds(watcher, world, 1) == ["kept"]
    answers.pop(0)
    assert rounds(watcher, world, 1) == ["lost"]
    assert "the lease ran out" in world.said("ec-a")


def test_a_loss_seen_just_before_a_run_of_this_nodes_own_is_looked_at_again(world: World) -> None:
    session = world.session("ec-a")
    watcher = Watcher(session)
    with exclusive(session, "release"):
        rob(world)
        assert watcher.round() is None
    assert find_activity(session) != ()
    assert watcher.round() is not None and find_activity(session) == ()


def test_the_watch_ends_when_the_definition_changes_and_survives_what_it_cannot_do(world: World) -> None:
    session, turns = world.session("ec-a"), iter([False, False, True])
    watch(session, until=lambda: next(turns))
    world.a.files.write(places.active_file("oc"), b"{")
    assert Watcher(session).round() is None
    assert "the watch can't look" in world.said("ec-a")


def test_the_watch_brings_the_histories_together(world: World) -> None:
    session: Session = world.session("ec-a")
    watcher = Watcher(session)
    for _ in range(3):
        watcher.round()
        end_looks()  # the clock must not run on beside it: a call of 20 s would be over before it began
        world.clock.advance(61)
    assert world.b.files.read(places.history("oc")) == world.a.files.read(places.history("oc"))


def test_a_round_reads_the_journal_of_an_open_run_once(orphan: World, monkeypatch: pytest.MonkeyPatch) -> None:
    orphan.b.then.append(("announce", lambda: orphan.b.crash_after(1)))
    with pytest.raises(Crash):
        takeover(orphan.session("ec-b"), ATTEST)
    orphan.b.revive()
    watcher, read, found = Watcher(orphan.session("ec-b")), orphan.b.files.read, []

    def counted(path: str, limit: int = 1 << 20) -> bytes:
        found.append(path)
        return read(path, limit)

    monkeypatch.setattr(orphan.b.files, "read", counted)
    assert rounds(watcher, orphan, 3) == ["kept"] * 3
    assert len([path for path in found if path.endswith(".jsonl") and "/runs/" in path]) == 3


@pytest.mark.parametrize("name", ["ec-a", "ec-b"])
def test_a_run_that_was_killed_behind_its_last_record_is_filed_away_by_the_watch(world: World, name: str) -> None:
    """On the active node and on a standby; not in the first round that sees it, for it may be just ending."""
    node, session = world.nodes[name], world.session(name)
    if name == "ec-b":
        release(world.session("ec-a"))
    node.then.append((f"files.append {places.history('oc')}", lambda: node.die("here")))
    with pytest.raises(Crash):
        harestore(session, TakeoverOptions())
    node.revive()
    assert open_runs(node) == 1
    watcher = Watcher(session)
    rounds(watcher, world, 1)
    assert open_runs(node) == 1
    with exclusive(session, "restore"):
        rounds(watcher, world, 1)
    assert open_runs(node) == 1
    rounds(watcher, world, 1)
    assert open_runs(node) == 0
    kind = "restore" if name == "ec-a" else "takeover"
    assert [entry["kind"] for entry in load_history(session)].count(kind) == 1
    assert is_active(world, name)
