"""takeover --fence, on two fake machines: what is switched off, what is judged, and what a kill leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tanist.engine import StepFailure
from tanist.host.fake import Crash
from tanist.model.definition import PowerDevice, Proof
from tanist.model.errors import Failed, NotProved, Refused
from tanist.model.evidence import Outcome, Says
from tanist.model.host import Ran
from tanist.runs.boot import boot
from tanist.runs.carry_on import resume, undo
from tanist.runs.filing import find_open_run
from tanist.runs.history import load_history
from tanist.runs.takeover import TakeoverOptions, dry_run, takeover
from tests.unit.runs.picture import differences, take
from tests.unit.runs.test_runs_takeover import claim_of, is_active
from tests.unit.runs.world import World, said

FENCE = TakeoverOptions(fence=True, reason="it hangs")
DEVICE = PowerDevice(node="ec-a", agent="fence_outlet", options=(("ip", "10.99.0.21"),), retry=0)


def has_power(world: World) -> bool:
    return world.a.power


class Outlet:
    """ec-a's plug; `broken`: it says what it likes."""

    def __init__(self, world: World) -> None:
        self.world, self.asked, self.broken = world, list[str](), ""
        world.b.answer_with(["fence_outlet"], self.reply)

    def reply(self, argv: Sequence[str], stdin: bytes) -> Ran:
        action = stdin.decode().strip().rpartition("action=")[2]
        self.asked.append(action)
        self.world.clock.advance(0.2)  # no device answers in no time
        if action == "off" and not self.broken:
            self.world.a.power_off()
        state = self.broken or ("on" if has_power(self.world) else "off")
        text = f"Status: {state.upper()}\n" if action == "status" else ""
        return said(argv, text.encode(), status=2 if text and state == "off" else 0)


@pytest.fixture
def fenced(new_world: Callable[..., World]) -> Callable[[], tuple[World, Outlet]]:
    """ec-a is active and hangs: its kernel answers, nobody else does."""

    def make(proof: Proof = Proof(power=(DEVICE,))) -> tuple[World, Outlet]:  # noqa: B008 - a constant
        world = new_world()
        world.controller = replace(world.controller, proof=proof)
        world.ssh_works = False
        world.warm("ec-b")
        world.open_peer = lambda *_, **__: (_ for _ in ()).throw(OSError("no answer"))  # type: ignore[method-assign]
        return world, Outlet(world)

    return make


Make = Callable[..., tuple[World, Outlet]]


@pytest.mark.requirement("A05", "A42")
def test_an_owner_that_hangs_is_switched_off_only_when_that_was_asked_for(fenced: Make) -> None:
    world, outlet = fenced()
    with pytest.raises(NotProved) as refused:
        takeover(world.session("ec-b"), TakeoverOptions(attest="it is dead, I swear"))
    assert "takeover oc --fence" in refused.value.next_step and "at most 240 s" in refused.value.next_step
    assert set(outlet.asked) == {"status"} and has_power(world)
    takeover(world.session("ec-b"), FENCE)
    assert is_active(world, "ec-b") and not has_power(world)
    (entry,) = [one for one in load_history(world.session("ec-b")) if one["kind"] == "takeover"]
    assert entry["verdict"] == "PROVED"
    assert {"off"} == {item["says"] for item in entry["evidence"] if item["source"] == "power"}


@pytest.mark.requirement("A44")
def test_a_boot_of_the_new_owner_switches_nobody_off(fenced: Make) -> None:
    """The run that made it active had a fence in it; the other node was repaired since, and is a standby."""
    world, outlet = fenced()
    takeover(world.session("ec-b"), FENCE)
    world.a.boot()
    world.ssh_works = True
    world.b.power_off()
    world.dirty = False
    world.b.boot()
    outlet.asked.clear()
    assert boot(world.session("ec-b")) == "active"
    assert has_power(world) and "off" not in outlet.asked


def test_the_dry_run_with_a_fence_shows_it_and_touches_nothing(fenced: Make) -> None:
    world, outlet = fenced()
    observation, text = dry_run(world.session("ec-b"), FENCE)
    assert observation.verdict.outcome is Outcome.ALIVE
    assert "switch ec-a off and read it back: fence_outlet 10.99.0.21" in text
    assert set(outlet.asked) == {"status"} and has_power(world)


def test_nobody_is_switched_off_where_it_is_proved_already(fenced: Make) -> None:
    world, outlet = fenced()
    world.a.power_off()
    takeover(world.session("ec-b"), FENCE)
    assert is_active(world, "ec-b") and "off" not in outlet.asked


@pytest.mark.parametrize("state", ["on", "unknown"])
def test_a_device_that_does_not_say_off_ends_the_run_as_it_began(fenced: Make, state: str) -> None:
    world, outlet = fenced()
    before, outlet.broken = take(world, "ec-b"), state
    with pytest.raises(Failed, match="Everything was undone") as failed:
        takeover(world.session("ec-b"), FENCE)
    assert "not switched on again" in failed.value.message
    assert differences(before, take(world, "ec-b")).keys() <= {"claim"}
    assert claim_of(world, "ec-b") == ("ec-a", 1, "held") and find_open_run(world.session("ec-b")) is None


@pytest.mark.requirement("A05")
def test_a_device_that_says_off_of_the_wrong_machine_proves_nothing(fenced: Make) -> None:
    world, outlet = fenced()
    outlet.broken = "off"
    with pytest.raises(Failed, match="not stopped for certain"):
        takeover(world.session("ec-b"), FENCE)
    assert claim_of(world, "ec-b") == ("ec-a", 1, "held") and has_power(world)
    assert world.disk.holder == "ec-a"


def test_without_a_device_for_the_owner_a_fence_is_refused(fenced: Make) -> None:
    world, _ = fenced(Proof(power=(replace(DEVICE, node="ec-b"),)))
    with pytest.raises(Refused, match="nothing is defined that could stop ec-a"):
        takeover(world.session("ec-b"), FENCE)


def test_a_set_that_asks_for_a_persons_word_too_needs_it(fenced: Make) -> None:
    world, outlet = fenced(Proof(power=(DEVICE,), policy=(("power", "attestation"),)))
    with pytest.raises(Refused, match="nothing is defined"):
        takeover(world.session("ec-b"), FENCE)
    assert "off" not in outlet.asked
    takeover(world.session("ec-b"), replace(FENCE, attest="I am at the rack"))
    assert is_active(world, "ec-b")


@pytest.mark.parametrize("after", [1, 2, 3, 4, 5, 6, 7, 9, 12, 16, 30])
@pytest.mark.parametrize("way", [resume, undo])
def test_cut_off_anywhere_it_goes_on_or_back_and_ec_a_never_runs_again_by_itself(
    fenced: Make, after: int, way: Callable[..., None]
) -> None:
    world, _ = fenced()
    world.b.crash_after(after)
    with pytest.raises(Crash):
        takeover(world.session("ec-b"), FENCE)
    world.b.revive()
    if find_open_run(world.session("ec-b")) is None:
        assert has_power(world) or is_active(world, "ec-b"), "nothing is done before the first record"
        return
    way(world.session("ec-b"))
    assert find_open_run(world.session("ec-b")) is None
    if way is resume:
        assert is_active(world, "ec-b") and not has_power(world)
    else:
        assert not is_active(world, "ec-b")
        assert all(unit.state != "active" for name, unit in world.b.units.items() if name.startswith("oc-"))


def test_a_fence_that_was_cut_off_is_judged_anew_before_anything_is_taken(fenced: Make) -> None:
    """The plug went off; then tanist was killed; then a person switched ec-a on again, and it answers."""
    world, _ = fenced()
    for after in range(1, 20):
        world.b.crash_after(after)
        with pytest.raises(Crash):
            takeover(world.session("ec-b"), FENCE)
        world.b.revive()
        if not has_power(world):
            break
        journal = find_open_run(world.session("ec-b"))
        if journal is not None:
            undo(world.session("ec-b"))
    assert not has_power(world)
    state = world.session("ec-b").engine(find_open_run(world.session("ec-b"))).state  # type: ignore[arg-type]
    assert state.judged is None
    world.a.boot()
    with pytest.raises(Failed, match="Everything was undone"):
        resume(world.session("ec-b"))
    assert has_power(world) and claim_of(world, "ec-b") == ("ec-a", 1, "held")


def test_what_the_journal_keeps_of_a_fence_says_when_it_was(fenced: Make) -> None:
    world, outlet = fenced()
    outlet.broken = "on"
    with pytest.raises(Failed) as failed:
        takeover(world.session("ec-b"), FENCE)
    assert not isinstance(failed.value, StepFailure)
    (entry,) = [one for one in load_history(world.session("ec-b")) if one["kind"] == "takeover"]
    assert (entry["outcome"], entry["verdict"]) == ("undone", "ALIVE")
    assert {Says.ON.value} == {item["says"] for item in entry["evidence"] if item["source"] == "power"}
