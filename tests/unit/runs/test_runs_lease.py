"""A controller with a lease on two fake machines: taken, given back, waited for, lost, and cut off at every change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tanist.engine import StepFailure
from tanist.facts.lease import read_daemon
from tanist.host.fake import Crash
from tanist.model.definition import Proof
from tanist.model.errors import Failed, NotProved, TanistError
from tanist.model.host import Ran
from tanist.proof.lease import LeaseRecord, read_record
from tanist.runs.carry_on import resume, undo
from tanist.runs.filing import find_open_run
from tanist.runs.first import init
from tanist.runs.lease import LeaseEye, describe_lease, give_back_lease
from tanist.runs.release import release
from tanist.runs.takeover import TakeoverOptions, dry_run, takeover
from tanist.steps.sanlock import free_lease, holds, join
from tests.unit.runs.leases import LEASE, Leases
from tests.unit.runs.test_runs_fencing import DEVICE, Outlet
from tests.unit.runs.test_runs_takeover import claim_of, is_active
from tests.unit.runs.world import World

NewWorld = Callable[..., World]
FENCE = TakeoverOptions(fence=True, reason="it is gone")


def record(world: World, node: str) -> LeaseRecord:
    found = read_record(world.b, world.controller, node, LEASE)
    assert isinstance(found, LeaseRecord)
    return found


def state_of(world: World, node: str) -> tuple[str, bool]:
    return record(world, node).state, record(world, node).watchdog


def flags(leases: Leases) -> tuple[bool, bool]:
    return leases.nodes["ec-a"].holding, leases.nodes["ec-a"].used


def held_by(leases: Leases) -> str:
    return leases.owner[0] if leases.owner else ""


@pytest.fixture
def leased(new_world: NewWorld) -> Callable[..., tuple[World, Leases]]:
    """ec-a is active and holds the lease, ec-b is in the lockspace."""

    def make(**machine: object) -> tuple[World, Leases]:
        world = new_world()
        leases = Leases(world, **machine)  # type: ignore[arg-type]
        release(world.session("ec-a"))
        takeover(world.session("ec-a"), TakeoverOptions())
        join(world.b, world.controller, "ec-b")
        world.clock.advance(20.0)
        return world, leases

    return make


Make = Callable[..., tuple[World, Leases]]


def die(world: World, leases: Leases) -> None:
    leases.stop("ec-a")
    world.a.power_off()
    world.ssh_works = False


@pytest.mark.requirement("A63")
def test_the_active_node_holds_the_lease_and_a_release_gives_it_back(leased: Make) -> None:
    world, leases = leased()
    assert held_by(leases) == "ec-a" and flags(leases) == (True, True)
    assert state_of(world, "ec-a") == ("held", True)
    release(world.session("ec-a"))
    assert held_by(leases) == "" and flags(leases) == (False, False)
    assert state_of(world, "ec-a")[0] == "released"
    takeover(world.session("ec-b"), TakeoverOptions())
    assert held_by(leases) == "ec-b" and claim_of(world, "ec-b") == ("ec-b", record(world, "ec-b").epoch, "held")


def test_the_first_owner_takes_it_with_its_init_and_a_taken_back_init_gives_it_back(tmp_path: Path) -> None:
    world = World(tmp_path / "world")
    leases = Leases(world)
    init(world.session("ec-a"))
    assert held_by(leases) == "ec-a" and state_of(world, "ec-a") == ("held", True)
    release(world.session("ec-a"))
    assert held_by(leases) == ""

    world = World(tmp_path / "another")
    leases = Leases(world)
    world.a.then.append(("files.overwrite", lambda: world.a.die("here")))
    with pytest.raises(Crash):
        init(world.session("ec-a"))
    world.a.revive()
    undo(world.session("ec-a"))
    assert held_by(leases) == "" and not is_active(world, "ec-a") and world.violations == ()


@pytest.mark.requirement("A05", "A42")
def test_a_dead_owner_of_metal_is_proved_down_by_its_lease_once_that_ran_out(leased: Make) -> None:
    world, leases = leased()
    die(world, leases)
    with pytest.raises(NotProved) as refused:
        takeover(world.session("ec-b"), TakeoverOptions())
    assert "wait until the lease of ec-a has run out; at most 80 s" in refused.value.next_step
    begun = world.clock.ticks
    takeover(world.session("ec-b"), FENCE)
    assert is_active(world, "ec-b") and 60 < world.clock.ticks - begun < 100
    assert leases.owner == ("ec-b", 1)


def test_an_owner_that_died_long_ago_is_not_waited_for(leased: Make) -> None:
    world, leases = leased()
    die(world, leases)
    world.clock.advance(100.0)
    takeover(world.session("ec-b"), TakeoverOptions())
    assert is_active(world, "ec-b")


@pytest.mark.requirement("A05")
@pytest.mark.parametrize("machine", [{"machine": "kvm"}, {"watchdog": False}], ids=str)
def test_a_lease_of_a_guest_or_without_a_watchdog_is_no_proof_alone(leased: Make, machine: dict[str, object]) -> None:
    world, leases = leased(**machine)
    die(world, leases)
    world.clock.advance(100.0)
    world.controller = replace(world.controller, proof=Proof(lease=LEASE, policy=(("lease",),)))
    with pytest.raises(NotProved):
        takeover(world.session("ec-b"), TakeoverOptions(attest="I saw it"))
    with pytest.raises(Failed, match="proves nothing alone"):
        takeover(world.session("ec-b"), FENCE)
    world.controller = replace(world.controller, proof=Proof(lease=LEASE))
    takeover(world.session("ec-b"), TakeoverOptions(attest="I saw it"))
    assert is_active(world, "ec-b")


@pytest.mark.requirement("A05", "A42")
def test_a_guest_that_renewed_a_moment_before_it_died_is_waited_for(leased: Make) -> None:
    world, leases = leased(machine="kvm")
    die(world, leases)
    world.clock.advance(1.0)
    takeover(world.session("ec-b"), replace(FENCE, attest="seen dark"))
    assert is_active(world, "ec-b") and held_by(leases) == "ec-b"
    assert not any(argv[:3] == ("sanlock", "client", "init") for argv in world.b.ran)


@pytest.mark.requirement("A05")
def test_an_owner_that_is_cut_off_but_renews_is_neither_attested_nor_waited_away(leased: Make) -> None:
    world, leases = leased(machine="kvm")
    world.a.silent, world.ssh_works = True, False
    with pytest.raises(NotProved) as refused:
        takeover(world.session("ec-b"), TakeoverOptions(attest="it is dead, I swear"))
    assert "ec-a renews its lease" in refused.value.next_step
    with pytest.raises(Failed, match="it is alive: renewed its lease"):
        takeover(world.session("ec-b"), replace(FENCE, attest="it is dead, I swear"))
    assert claim_of(world, "ec-b") == ("ec-a", 2, "held") and find_open_run(world.session("ec-b")) is None
    assert leases.owner == ("ec-a", 1)


def test_where_power_proves_it_nobody_waits_for_the_lease(leased: Make) -> None:
    world, leases = leased()
    world.controller = replace(world.controller, proof=Proof(lease=LEASE, power=(DEVICE,)))
    Outlet(world)
    die(world, leases)
    world.clock.advance(8.0)
    begun = world.clock.ticks
    takeover(world.session("ec-b"), TakeoverOptions())
    assert is_active(world, "ec-b") and world.clock.ticks - begun < 20 and leases.owner == ("ec-b", 1)


def test_a_renewal_before_the_power_was_cut_does_not_veto(leased: Make) -> None:
    world, leases = leased()
    world.controller = replace(world.controller, proof=Proof(lease=LEASE, power=(DEVICE,)))
    world.a.silent, world.ssh_works = True, False

    outlet = Outlet(world)

    def cut(argv: Sequence[str], stdin: bytes) -> Ran:
        if b"action=off" in stdin:
            leases.stop("ec-a")
        return outlet.reply(argv, stdin)

    world.b.answer_with(["fence_outlet"], cut)
    takeover(world.session("ec-b"), FENCE)
    assert is_active(world, "ec-b")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        ("daemon", "sanlock does not run"),
        ("disk", "Input/output error"),
        ("blank", "no lease yet"),
        ("record", "its slots|both slots|unreadable"),
        ("away", "has not joined the lockspace"),
    ],
)
@pytest.mark.requirement("A05")
def test_what_cannot_be_told_never_helps(leased: Make, spoil: str, why: str) -> None:
    world, leases = leased()
    die(world, leases)
    world.clock.advance(100.0)
    match spoil:
        case "daemon":
            leases.nodes["ec-b"].up = False
        case "disk":
            leases.broken = "dd: error reading '/dev/lease': Input/output error"
        case "blank":
            leases.write = lambda: None  # type: ignore[method-assign]
            leases.bytes[: 1 << 20] = bytes(1 << 20)
        case "record":
            leases.bytes[2 << 20 : (2 << 20) + 8192] = b"?" * 8192
        case _:
            leases.nodes["ec-b"].joined = None
    with pytest.raises(NotProved):
        takeover(world.session("ec-b"), TakeoverOptions())
    with pytest.raises(TanistError, match=why):
        takeover(world.session("ec-b"), FENCE)
    assert claim_of(world, "ec-b") == ("ec-a", 2, "held") and find_open_run(world.session("ec-b")) is None


def test_a_dry_run_shows_the_lease_and_takes_none(leased: Make) -> None:
    world, leases = leased()
    die(world, leases)
    world.clock.advance(10.0)
    _, text = dry_run(world.session("ec-b"), FENCE)
    assert "wait until the lease of ec-a has run out" in text and "take the lease on /dev/lease" in text
    assert leases.owner == ("ec-a", 1)
    assert any("it runs out in" in line for line in describe_lease(world.session("ec-b")))


# -- kills
@pytest.mark.parametrize("way", [resume, undo], ids=["resume", "undo"])
def test_a_takeover_cut_off_at_any_change_of_the_lease_ends_cleanly(
    new_world: NewWorld, way: Callable[..., None]
) -> None:
    tried = set()
    for after in range(1, 12):
        world = new_world()
        leases = Leases(world)
        release(world.session("ec-a"))
        world.warm("ec-b")
        begun = len(world.b.log)
        world.b.crash_after(after)
        with pytest.raises(Crash):
            takeover(world.session("ec-b"), TakeoverOptions())
        tried |= {line.split()[0] for line in world.b.log[begun:][-1:]}
        world.b.revive()
        if find_open_run(world.session("ec-b")) is None:
            continue
        way(world.session("ec-b"))
        active = is_active(world, "ec-b")
        assert active is (way is resume), after
        assert holds(read_daemon(world.b), world.controller) is active, after
        assert leases.nodes["ec-b"].holding is active, after
        assert find_open_run(world.session("ec-b")) is None
    assert tried >= {"join", "hold", "dd"}


def test_a_release_cut_off_at_any_change_of_the_lease_is_finished(leased: Make) -> None:
    world, leases = leased()
    release(world.session("ec-a"))
    steps = [at for at, line in enumerate(reversed(world.a.log)) if line.startswith(("drop", "dd"))]
    takeover(world.session("ec-a"), TakeoverOptions())
    before = len(world.a.log)
    release(world.session("ec-a"))
    length = len(world.a.log) - before
    for at in steps:
        takeover(world.session("ec-a"), TakeoverOptions())
        world.a.crash_after(length - at)
        with pytest.raises(Crash):
            release(world.session("ec-a"))
        world.a.revive()
        resume(world.session("ec-a"))
        assert held_by(leases) == "" and flags(leases) == (False, False)
        assert state_of(world, "ec-a")[0] == "released" and find_open_run(world.session("ec-a")) is None


@pytest.mark.requirement("A05")
def test_a_release_that_a_boot_cut_off_takes_the_lease_before_it_mounts_again(leased: Make) -> None:
    world, leases = leased()
    world.a.crash_after(4)
    with pytest.raises(Crash):
        release(world.session("ec-a"))
    leases.stop("ec-a")
    leases.nodes["ec-a"].holding = False
    world.a.power_off()
    world.a.boot()
    seen: list[bool] = []
    world.a.then.append(("mount_device", lambda: seen.append(holds(read_daemon(world.a), world.controller))))
    resume(world.session("ec-a"))
    assert seen == [True] and held_by(leases) == "" and state_of(world, "ec-a")[0] == "released"


@pytest.mark.requirement("A05")
def test_only_the_holder_that_was_proved_stopped_loses_its_lease(leased: Make) -> None:
    """Its machine was started again, and took the lease, while the takeover slept."""
    world, leases = leased()
    assert leases.owner == ("ec-a", 1)
    for over in ("1:2", "2:1", ""):
        free_lease(world.b, world.controller, over)
        assert leases.owner == ("ec-a", 1), over
    free_lease(world.b, world.controller, "1:1")
    assert leases.owner is None


def test_a_lease_that_sanlock_does_not_give_back_holds_the_release_up_and_says_so(leased: Make) -> None:
    world, _leases = leased()
    world.a.answer(["systemctl", "stop", "tanist-lease-oc.service"])
    with pytest.raises((Failed, StepFailure), match="did not give back the lease"):
        release(world.session("ec-a"))
    assert claim_of(world, "ec-a") == ("ec-a", 2, "released")


def test_a_node_that_is_not_active_can_give_it_back(leased: Make) -> None:
    world, leases = leased()
    with pytest.raises(TanistError, match="is the active node"):
        give_back_lease(world.session("ec-a"))
    leases.owner, leases.nodes["ec-b"].holding = ("ec-b", 1), True
    give_back_lease(world.session("ec-b"))
    assert held_by(leases) == "" and not leases.nodes["ec-b"].holding


# -- the watch
def look(eye: LeaseEye, world: World, seconds: float = 2.0) -> str:
    world.clock.advance(seconds)
    return eye(world.session("ec-a"), 2).says


@pytest.mark.requirement("A44")
def test_the_watch_finds_the_lease_lost_to_another_node_at_once(leased: Make) -> None:
    world, leases = leased()
    eye = LeaseEye()
    assert look(eye, world) == "kept"
    leases.owner = ("ec-b", 1)
    assert look(eye, world) == "lost"
    assert eye(world.session("ec-a"), 2).foreign


@pytest.mark.requirement("A44")
def test_a_lease_that_sanlock_gave_up_is_lost_after_the_time_in_which_it_may_be_renewed(leased: Make) -> None:
    world, leases = leased()
    eye = LeaseEye()
    assert look(eye, world) == "kept"
    leases.nodes["ec-a"].up = False
    assert look(eye, world) == "untold"
    assert look(eye, world, 8 * LEASE.io_timeout) == "lost"


def test_leases_that_cannot_be_read_for_a_moment_are_no_loss(leased: Make) -> None:
    world, leases = leased()
    eye = LeaseEye()
    assert look(eye, world) == "kept"
    leases.broken = "Input/output error"
    assert look(eye, world) == "kept"  # sanlock still has it, and knows best whether it can renew it
    leases.nodes["ec-a"].holding = False
    assert look(eye, world) == "untold"


def test_a_node_that_never_took_the_lease_is_not_judged_by_it(new_world: NewWorld) -> None:
    world = new_world()
    Leases(world)
    assert look(LeaseEye(), world) == "kept"
    world.controller = replace(world.controller, proof=Proof())
    assert look(LeaseEye(), world) == "kept"
