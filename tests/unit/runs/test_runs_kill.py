"""kill -9 and power cuts after every change of whole runs: resume ends as if nothing had been, undo as if never begun.

One world goes through all points: whatever a cut leaves behind would show in the next round. TANIST_EVERY_POINT=1 tries
all of them in both modes; without it each mode takes every tenth, begun at another one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from tanist.host.fake import Crash
from tanist.model.errors import Failed, NotProved, Refused
from tanist.runs.boot import boot, gate
from tanist.runs.carry_on import resume, undo
from tanist.runs.filing import find_open_run
from tanist.runs.release import release
from tanist.runs.session import Session, read_active
from tanist.runs.takeover import TakeoverOptions, takeover
from tests.unit.runs.picture import Picture, differences, take
from tests.unit.runs.world import ADDRESSES, TREE, UNITS, World

EVERY = bool(os.environ.get("TANIST_EVERY_POINT"))
MODES = pytest.mark.parametrize(("mode", "kind", "first"), [("host", "filesystem", 1), ("alias", "directory", 6)])
ME = "ec-b"


class Rounds:
    """ec-b takes over and releases, again and again; `inert` and `active` are how it must look in between."""

    def __init__(self, world: World) -> None:
        world.a.power_off()
        self.world, self.node = world, world.b
        self.inert = self.look()
        self.takeover()
        self.active = self.look()
        self.release()
        self.expect(self.inert)

    def look(self) -> Picture:
        picture = take(self.world, ME)
        claim = picture["claim"]
        held = isinstance(claim, tuple) and claim[2] == "held" and claim[0] == ME
        return {**picture, "claim": held, "open runs": 0}

    def expect(self, wanted: Picture, why: object = "") -> None:
        assert differences(wanted, self.look()) == {}, why
        assert find_open_run(self.world.session(ME)) is None

    def takeover(self) -> None:
        takeover(self.world.session(ME), TakeoverOptions(attest="seen off"))

    def release(self) -> None:
        release(self.world.session(ME))

    def resume(self) -> None:
        resume(self.world.session(ME))

    def undo(self) -> None:
        undo(self.world.session(ME))

    def is_active(self) -> bool:
        return bool(self.look()["active"])

    def is_open(self) -> bool:
        return find_open_run(self.world.session(ME)) is not None

    def kill(self, after: int, act: Callable[[], None]) -> bool:
        """Whether it came that far."""
        self.node.crash_after(after)
        try:
            act()
        except Crash:
            return True
        finally:
            self.node.revive()
        return False


def points(first: int) -> Iterator[int]:
    yield from range(1, 1000) if EVERY else range(first, 1000, 10)


@pytest.fixture
def rounds(new_world: Callable[..., World], mode: str, kind: str) -> Rounds:
    return Rounds(new_world(mode, kind))


@MODES
@pytest.mark.requirement("A38", "A42")
def test_a_run_that_was_killed_goes_on_to_the_same_end(rounds: Rounds, first: int) -> None:
    for after in points(first):
        killed = rounds.kill(after, rounds.takeover)
        if rounds.is_open():
            rounds.resume()
        elif not rounds.is_active():
            rounds.takeover()
        rounds.expect(rounds.active, f"takeover killed after change {after}")
        killed = rounds.kill(after, rounds.release) or killed
        if rounds.is_open():
            rounds.resume()
        elif rounds.is_active():
            rounds.release()
        rounds.expect(rounds.inert, f"release killed after change {after}")
        if not killed:
            break
    assert after > 50


@MODES
def test_a_takeover_that_was_killed_is_undone_without_a_trace(rounds: Rounds, first: int) -> None:
    for after in points(first):
        killed = rounds.kill(after, rounds.takeover)
        if rounds.is_open():
            rounds.undo()
        elif rounds.is_active():
            rounds.release()
        rounds.expect(rounds.inert, f"killed after change {after}")
        if not killed:
            break
    assert after > 50


@MODES
def test_a_release_that_was_killed_is_undone_or_once_the_asset_is_let_go_finished(rounds: Rounds, first: int) -> None:
    ends = []
    for after in points(first):
        if not rounds.is_active():
            rounds.takeover()
        killed = rounds.kill(after, rounds.release)
        if rounds.is_open():
            rounds.undo()
        ends.append(rounds.is_active())
        rounds.expect(rounds.active if ends[-1] else rounds.inert, f"killed after change {after}")
        if not killed:
            break
    assert after > 50
    assert ends == sorted(ends, reverse=True) and {True, False} == set(ends)


@MODES
def test_an_undo_that_was_killed_is_undone_again(rounds: Rounds, first: int) -> None:
    for after in points(first):
        rounds.node.answer(["/opt/oc/bin/check"], status=1)
        with pytest.raises(Failed):
            rounds.takeover()
        killed = rounds.kill(after, rounds.undo)
        if killed and rounds.is_open():
            if after > 1:  # the first change is the record that says so
                with pytest.raises(Refused, match="already being taken back"):
                    rounds.resume()
            rounds.undo()
        rounds.expect(rounds.inert, f"undo killed after change {after}")
        if not killed:
            break
    assert after > 30


@MODES
@pytest.mark.requirement("A60", "A62")
def test_after_a_power_cut_the_node_stays_inert_until_a_person_ends_the_run(rounds: Rounds, first: int) -> None:
    for after in points(first):
        killed = rounds.kill(after, rounds.takeover)
        rounds.node.reboot()
        session = rounds.world.session(ME)
        gate(session)
        if rounds.is_open():
            with pytest.raises(Refused, match="stays inert"):
                boot(session)
            expect_silence(rounds)
            (rounds.resume if after // 10 % 2 else rounds.undo)()
        elif rounds.is_active() and rounds.world.controller.asset.kind == "directory":
            with pytest.raises(NotProved, match="gives no word: it may have taken over meanwhile"):
                boot(session)
            expect_silence(rounds)
            rounds.release()
        elif rounds.is_active():
            assert boot(session) == "active"
        else:
            assert boot(session) == "inert"
        rounds.expect(rounds.active if rounds.is_active() else rounds.inert, f"power cut after change {after}")
        if rounds.is_active():
            rounds.release()
        rounds.expect(rounds.inert, f"power cut after change {after}")
        if not killed:
            break
    assert after > 50


@MODES
@pytest.mark.requirement("A40", "A42")
def test_after_a_power_cut_in_a_release_resume_lets_go_and_undo_starts_from_the_claim(
    rounds: Rounds, first: int
) -> None:
    for after in points(first):
        if not rounds.is_active():
            rounds.takeover()
        killed = rounds.kill(after, rounds.release)
        rounds.node.reboot()
        session = rounds.world.session(ME)
        gate(session)
        held = bool(rounds.look()["claim"])
        if rounds.is_open():
            with pytest.raises(Refused, match="stays inert"):
                boot(session)
            expect_silence(rounds)
            (rounds.resume if after // 10 % 2 else rounds.undo)()
            assert rounds.is_active() == (held and not after // 10 % 2), f"power cut after change {after}"
        elif is_alone(session):
            expect_silence(rounds)
            rounds.release()
        else:
            assert boot(session) == ("active" if held else "inert")
        rounds.expect(rounds.active if rounds.is_active() else rounds.inert, f"power cut after change {after}")
        if not killed:
            break
    assert after > 50


def is_alone(session: Session) -> bool:
    """A directory is each node's own: without the other node's word its claim is not believed, and a person acts."""
    if session.controller.asset.kind != "directory" or not read_active(session):
        return False
    with pytest.raises(NotProved, match="a directory is not shared"):
        boot(session)
    return True


@MODES
@pytest.mark.requirement("A62")
def test_after_a_power_cut_in_a_release_nothing_comes_up_by_itself_and_the_release_ends(
    rounds: Rounds, first: int
) -> None:
    for after in points(first):
        rounds.takeover()
        killed = rounds.kill(after, rounds.release)
        rounds.node.reboot()
        session = rounds.world.session(ME)
        gate(session)
        if rounds.is_open():
            with pytest.raises(Refused, match="stays inert"):
                boot(session)
            expect_silence(rounds)
            rounds.resume()
        elif is_alone(session):
            expect_silence(rounds)
            rounds.release()
        else:
            assert (boot(session) == "active") == rounds.is_active()
            if rounds.is_active():
                rounds.expect(rounds.active, f"power cut after change {after}")
                rounds.release()
        rounds.expect(rounds.inert, f"power cut after change {after}")
        if not killed:
            break
    assert after > 50


def expect_silence(rounds: Rounds) -> None:
    node = rounds.node
    assert not {one.address for port in node.interfaces() for one in port.addresses} & set(ADDRESSES)
    assert not any(node.units[unit].state == "active" for unit in UNITS)
    assert not any(mount.target == TREE for mount in node.mounts())
    assert not any(node.files.exists(path) for path in ("/etc/cron.d/oc", "/etc/exports.d/tanist-oc.exports"))
