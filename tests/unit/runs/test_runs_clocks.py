"""A clock set back or forward by a year, or to one moment at each boot: no order depends on it, nothing is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tanist.capture.generations import list_generations
from tanist.model.definition import Drill, Retention
from tanist.model.drill import DrillResult
from tanist.plan import places
from tanist.runs.accept import accept, load_accepted
from tanist.runs.backup import backup
from tanist.runs.drill_schedule import why_not_now
from tanist.runs.drills import KEEP, name_drill, read_drilled, result_names, save_result
from tanist.runs.exchange import exchange_with_peers, verify_history
from tanist.runs.history import load_history
from tanist.runs.release import release
from tanist.runs.takeover import TakeoverOptions, takeover
from tanist.steps.sanlock import join
from tests.unit.runs.leases import Leases
from tests.unit.runs.test_runs_lease import die
from tests.unit.runs.test_runs_takeover import claim_of, is_active
from tests.unit.runs.world import TREE, World

YEAR = 365 * 86400.0
JUMPS = pytest.mark.parametrize("jump", [-YEAR, YEAR], ids=["back", "forward"])


def configure(world: World, text: str) -> None:
    """The owner's configuration changes, and is captured."""
    world.a.files.write("/etc/oc/main.conf", text.encode())
    world.a.clock.wall += 2.0
    backup(world.session("ec-a"), mirror=True)


def test_two_runs_of_one_moment_have_names_and_journals_of_their_own(world: World) -> None:
    """A machine without a battery begins each boot at the same moment."""
    moment = world.clock.wall
    for _ in range(3):
        world.clock.wall = moment
        release(world.session("ec-a"))
        world.clock.wall = moment
        takeover(world.session("ec-a"), TakeoverOptions())
    runs = [str(entry["run"]) for entry in load_history(world.session("ec-a"))]
    journals = world.a.files.list("/var/lib/tanist/oc/runs/done")
    assert len(set(runs)) == len(runs) == 7 == len(journals)
    assert runs[1:3] != runs[3:5] and {runs[3], runs[5]} == {f"{runs[1]}-2", f"{runs[1]}-3"}
    assert not [one for one in verify_history(world.session("ec-a"))[1] if one.grave]


@JUMPS
@pytest.mark.requirement("A42")
def test_claim_and_history_keep_their_order(world: World, jump: float) -> None:
    for number, (owner, other) in enumerate((("ec-a", "ec-b"), ("ec-b", "ec-a"), ("ec-a", "ec-b")), start=2):
        world.clock.wall += jump if number % 2 else -jump
        release(world.session(owner))
        takeover(world.session(other), TakeoverOptions())
        assert claim_of(world, other) == (other, number, "held") and is_active(world, other)
        assert exchange_with_peers(world.session(other))
    told = [(entry["kind"], entry["node"]) for entry in load_history(world.session("ec-b"))]
    assert told == [("init", "ec-a"), *EXPECTED]
    assert not [one for one in verify_history(world.session("ec-a"))[1] if one.grave]


EXPECTED = (
    *(("release", "ec-a"), ("takeover", "ec-b"), ("release", "ec-b")),
    *(("takeover", "ec-a"), ("release", "ec-a"), ("takeover", "ec-b")),
)


@JUMPS
@pytest.mark.requirement("A48")
def test_a_takeover_brings_what_was_captured_last_whatever_the_clock_said(world: World, jump: float) -> None:
    configure(world, "one\n")
    world.clock.wall += jump
    configure(world, "two\n")
    world.clock.wall -= jump
    configure(world, "three\n")
    world.a.power_off()
    world.clock.wall += jump
    takeover(world.session("ec-b"), TakeoverOptions(attest="seen off"))
    assert world.b.files.read("/etc/oc/main.conf") == b"three\n"


@JUMPS
def test_the_newest_captures_stay_on_both_nodes(world: World, jump: float) -> None:
    world.controller = replace(world.controller, retention=Retention(keep=3, keep_days=14))
    for number in range(5):
        configure(world, f"{number}\n")
    world.clock.wall += jump
    configure(world, "last\n")
    for host, directory in ((world.a, places.captures(TREE)), (world.b, places.mirror("oc"))):
        listed = list_generations(host, directory)
        assert len(listed) >= 3 and host.files.read(f"{listed[0].path}/manifest.json")
    release(world.session("ec-a"))
    takeover(world.session("ec-b"), TakeoverOptions())
    assert world.b.files.read("/etc/oc/main.conf") == b"last\n"


@JUMPS
@pytest.mark.requirement("A05")
def test_a_lease_runs_out_by_a_clock_that_nobody_sets(world: World, jump: float) -> None:
    leases = Leases(world)
    release(world.session("ec-a"))
    takeover(world.session("ec-a"), TakeoverOptions())
    join(world.b, world.controller, "ec-b")
    world.clock.advance(20.0)
    die(world, leases)
    world.clock.wall += jump
    begun = world.clock.ticks
    takeover(world.session("ec-b"), TakeoverOptions(fence=True, reason="it is gone"))
    assert is_active(world, "ec-b") and 60 < world.clock.ticks - begun < 100


def test_a_drill_of_a_time_to_come_keeps_no_other_from_being_due(world: World) -> None:
    world.controller = replace(world.controller, drill=Drill(every=7 * 86400.0))
    session = world.session("ec-b")
    save_result(session, drilled(world, YEAR, "passed"))
    assert read_drilled(session).good > world.clock.wall
    assert why_not_now(session) == ""
    save_result(session, drilled(world, 0.0, "failed"))
    assert read_drilled(session).result == "failed" and read_drilled(session).good == 0.0
    assert "the next one is due in" in why_not_now(session)


def test_the_result_that_was_just_kept_is_not_removed_as_the_oldest(world: World) -> None:
    session = world.session("ec-b")
    for number in range(KEEP):
        save_result(session, drilled(world, YEAR + number, "passed"))
    last = drilled(world, 0.0, "passed")
    save_result(session, last)
    assert len(result_names(session)) == KEEP and last.run in result_names(session)


def test_two_drills_of_one_moment_have_two_names(world: World) -> None:
    """The clock starts at the same moment at each boot."""
    session = world.session("ec-b")
    first = name_drill(session)
    save_result(session, replace(drilled(world, 0.0, "failed"), run=first))
    assert name_drill(session) == f"{first}-2"
    assert result_names(session) == [first]


def drilled(world: World, ahead: float, result: str) -> DrillResult:
    began = world.clock.wall + ahead
    fields = {"node": "ec-b", "who": "x", "reason": "", "words": "", "capture": "", "data": "", "says": ""}
    return DrillResult(
        run=f"{began:.0f}",
        kind="isolated",
        began=began,
        seconds=1.0,
        result="passed" if result == "passed" else "failed",
        steps=(),
        checked=(),
        forecast=(),
        **fields,
    )


def test_what_was_accepted_for_a_day_is_not_accepted_for_a_year(world: World) -> None:
    session = world.session("ec-b")
    one = accept(session, "kernel", reason="tested", span="1d")
    assert [one] == [found for found in load_accepted(session) if found.holds(world.clock.wall)]
    assert not one.holds(world.clock.wall - YEAR) and not one.holds(world.clock.wall + YEAR)
