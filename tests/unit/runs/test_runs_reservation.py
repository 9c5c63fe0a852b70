"""The asset's disk reserved for the active node, on two fake machines: taken, handed over, fought for, cut off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tanist.host.fake import Crash
from tanist.model.definition import Controller, Proof, Reserving
from tanist.model.errors import Failed, NotProved, Refused
from tanist.model.reservation import Reservation, build_key, describe_key
from tanist.proof.hold import Opinion
from tanist.runs.boot import boot
from tanist.runs.carry_on import resume, undo
from tanist.runs.filing import find_open_run
from tanist.runs.proofs import survey
from tanist.runs.release import release
from tanist.runs.reservation import ReservationEye, clear, judge_own_key, reserve_now
from tanist.runs.takeover import TakeoverOptions, dry_run, takeover
from tests.unit.runs.target import Target
from tests.unit.runs.test_runs_takeover import claim_of, is_active
from tests.unit.runs.world import DEVICE, World

FENCE = TakeoverOptions(fence=True, reason="it hangs")
KEY = {(node, epoch): build_key("oc", node, epoch) for node in ("ec-a", "ec-b") for epoch in range(9)}


@pytest.fixture
def pair(new_world: Callable[..., World]) -> tuple[World, Target]:
    """ec-a is active, and has reserved the disk."""
    world, target = new_world(), Target()
    world.controller = with_reservation(world.controller)
    target.fit(world)
    reserve_now(world.session("ec-a"))
    assert target.keys == {("ec-a", DEVICE): KEY["ec-a", 1]} and target.holder == ("ec-a", DEVICE)
    return world, target


def with_reservation(controller: Controller) -> Controller:
    return replace(controller, proof=Proof(reservation=Reserving()))


def cut_off(world: World) -> None:
    """ec-a hangs: nobody hears of it, and its tanist does nothing."""
    world.a.silent, world.ssh_works = True, False
    world.warm("ec-b")
    world.open_peer = lambda *_, **__: (_ for _ in ()).throw(OSError("no answer"))  # type: ignore[method-assign]


Pair = tuple[World, Target]


@pytest.mark.requirement("A05", "A42")
def test_an_owner_that_hangs_loses_its_disk_only_when_that_was_asked_for(pair: Pair) -> None:
    world, target = pair
    cut_off(world)
    with pytest.raises(NotProved) as refused:
        takeover(world.session("ec-b"), TakeoverOptions(attest="it is dead, I swear"))
    assert "takeover oc --fence" in refused.value.next_step and f"reserve {DEVICE} for ec-b alone" in str(
        refused.value.next_step
    )
    assert target.may_write("ec-a") and not target.may_write("ec-b")
    _, text = dry_run(world.session("ec-b"), FENCE)
    assert f"reserve {DEVICE} for ec-b alone and read it back, epoch 2" in text and target.may_write("ec-a")
    world.a.power_off()  # the fake disk has no reservations of its own: two mounts would be seen as a violation
    takeover(world.session("ec-b"), FENCE)
    assert is_active(world, "ec-b") and claim_of(world, "ec-b") == ("ec-b", 2, "held")
    assert target.keys == {("ec-b", DEVICE): KEY["ec-b", 2]} and target.holder == ("ec-b", DEVICE)
    assert not target.may_write("ec-a")


def test_a_release_takes_the_key_off_before_the_other_node_may_take_the_asset(pair: Pair) -> None:
    world, target = pair
    told = []
    release(world.session("ec-a"), on_let_go=lambda: told.append(dict(target.keys)))
    assert told == [{}] and target.holder is None
    takeover(world.session("ec-b"), TakeoverOptions())
    assert target.keys == {("ec-b", DEVICE): KEY["ec-b", 2]}
    release(world.session("ec-b"))
    assert target.keys == {} and target.holder is None


def test_what_a_dead_owner_left_registered_is_taken_off_by_whoever_may_take_over(pair: Pair) -> None:
    """It booted again, stays inert and says so: its key from before is still at the target."""
    world, target = pair
    world.a.power_off()
    cut_off(world)
    takeover(world.session("ec-b"), FENCE)
    release(world.session("ec-b"))
    world.dirty = False
    target.keys[("ec-a", DEVICE)] = KEY["ec-a", 1]
    takeover(world.session("ec-b"), TakeoverOptions())
    assert set(target.keys) == {("ec-b", DEVICE)}


@pytest.mark.parametrize("trouble", ["aptpl", "preempt-abort", "hangs"])
def test_targets_that_lack_a_word_or_hang_in_it_are_judged_by_what_is_read_back(pair: Pair, trouble: str) -> None:
    world, target = pair
    if trouble == "hangs":
        target.hangs.add("preempt-abort")
    else:
        target.unsupported.add(trouble)
    world.a.power_off()
    cut_off(world)
    takeover(world.session("ec-b"), FENCE)
    assert is_active(world, "ec-b") and set(target.keys) == {("ec-b", DEVICE)}


def test_a_foreign_key_is_refused_by_name_and_goes_only_when_it_is_named(pair: Pair) -> None:
    world, target = pair
    world.a.power_off()
    cut_off(world)
    target.keys[("other", "sdx")] = 0xBEEF
    with pytest.raises(Failed, match="0xbeef is no key of oc") as failed:
        takeover(world.session("ec-b"), FENCE)
    assert "Everything was undone" in failed.value.message
    assert claim_of(world, "ec-b") == ("ec-a", 1, "held") and target.keys[("other", "sdx")] == 0xBEEF
    assert clear(world.session("ec-b"), "")[0].endswith("no key that could go; now: " + tail(target))
    with pytest.raises(Refused, match="is no key"):
        clear(world.session("ec-b"), "xyz")
    assert "gone: a foreign key, 0xbeef" in clear(world.session("ec-b"), "0xbeef")[0]
    assert ("other", "sdx") not in target.keys
    takeover(world.session("ec-b"), FENCE)
    assert is_active(world, "ec-b")


def test_a_clearing_that_fails_leaves_no_key_that_lets_a_standby_write(pair: Pair) -> None:
    world, target = pair
    target.keys[("other", "sdx")] = 0xBEEF
    target.unsupported |= {"preempt", "preempt-abort"}
    before = dict(target.keys)
    with pytest.raises(Failed, match="0xbeef could not be preempted"):
        clear(world.session("ec-b"), "0xbeef")
    assert target.keys == before and not target.may_write("ec-b")
    target.unsupported.clear()
    world.b.then.append(("sg_persist --no-inquiry --out --register-ignore", lambda: world.b.die("it is registered")))
    with pytest.raises(Crash):
        clear(world.session("ec-b"), "0xbeef")
    world.b.revive()
    assert target.may_write("ec-b"), "what a killed one left"
    assert f"gone: {describe_key(KEY['ec-b', 0], 'oc', ['ec-a', 'ec-b'])}" in clear(world.session("ec-b"), "")[0]
    assert target.keys == before


def tail(target: Target) -> str:
    assert target.holder == ("ec-a", DEVICE)
    return (
        "ec-a's key of epoch 1, a foreign key, 0xbeef registered; ec-a's key of epoch 1 holds it: "
        "Write Exclusive, registrants only"
    )


@pytest.mark.requirement("A42")
@pytest.mark.parametrize("after", [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 14, 20, 34])
@pytest.mark.parametrize("way", [resume, undo])
def test_cut_off_anywhere_it_goes_on_or_back_and_the_old_owner_never_writes_beside_it(
    pair: Pair, after: int, way: Callable[..., None]
) -> None:
    world, target = pair
    world.a.power_off()
    cut_off(world)
    world.b.crash_after(after)
    with pytest.raises(Crash):
        takeover(world.session("ec-b"), FENCE)
    world.b.revive()
    if find_open_run(world.session("ec-b")) is None:
        return
    was_taken = claim_of(world, "ec-b") != ("ec-a", 1, "held") or world.disk.holder == "ec-b"
    way(world.session("ec-b"))
    assert find_open_run(world.session("ec-b")) is None
    if way is resume:
        assert is_active(world, "ec-b") and set(target.keys) == {("ec-b", DEVICE)}
    else:
        assert not is_active(world, "ec-b")
        assert not (was_taken and target.may_write("ec-a")), "what ec-b has written to stays out of ec-a's reach"


def test_an_undone_takeover_keeps_the_old_owner_out_until_a_person_clears_it(pair: Pair) -> None:
    world, target = pair
    cut_off(world)
    world.b.units["oc-ec.service"].fails = True
    world.a.power_off()
    world.b.answer(["/opt/oc/bin/check"], status=1)
    world.b.answer(["tune2fs"], status=1)
    world.b.crash_after(12)
    with pytest.raises(Crash):
        takeover(world.session("ec-b"), FENCE)
    world.b.revive()
    undo(world.session("ec-b"))
    assert target.keys == {("ec-b", DEVICE): KEY["ec-b", 2]}
    assert (
        clear(world.session("ec-b"), "")[0]
        == f"{DEVICE}: gone: ec-b's key of epoch 2; now: nobody registered, nobody holds it"
    )
    assert target.keys == {}


def test_a_stale_node_never_preempts_a_newer_one(pair: Pair) -> None:
    """Frozen between its verdict and its reservation; meanwhile the other took over, for the same epoch or a later."""
    world, target = pair
    world.a.power_off()
    cut_off(world)
    target.drop([("ec-a", DEVICE)])
    for epoch in (2, 3):
        target.keys, target.holder = {("ec-a", DEVICE): KEY["ec-a", epoch]}, ("ec-a", DEVICE)
        target.asked.clear()
        with pytest.raises(Failed, match=f"ec-a's key of epoch {epoch}"):
            takeover(world.session("ec-b"), FENCE)
        assert target.keys == {("ec-a", DEVICE): KEY["ec-a", epoch]} and target.asked == []


def test_a_boot_reserves_again_and_stays_inert_where_another_has_reserved(pair: Pair) -> None:
    world, target = pair
    world.a.power_off()
    world.a.boot()
    target.keys.clear()
    target.holder = None
    assert boot(world.session("ec-a")) == "active"
    assert target.keys == {("ec-a", DEVICE): KEY["ec-a", 1]}
    world.a.power_off()
    world.a.boot()
    target.keys, target.holder = {("ec-b", DEVICE): KEY["ec-b", 2]}, ("ec-b", DEVICE)
    with pytest.raises(Failed, match="on ec-b: tanist proofs oc --clear"):
        boot(world.session("ec-a"))
    assert not is_active(world, "ec-a") and set(target.keys) == {("ec-b", DEVICE)}


# -- the watch
def seen(*keys: int, holder: int = 0) -> tuple[Reservation, ...]:
    return (Reservation(device=DEVICE, paths=("/dev/sda",), keys=keys, holder=holder, kind="k" if holder else ""),)


def test_a_key_that_vanished_is_a_loss_where_another_is_there_and_else_cannot_be_told(pair: Pair) -> None:
    controller = pair[0].controller
    mine, theirs = KEY["ec-a", 1], KEY["ec-b", 2]

    def judge(found: tuple[Reservation, ...], *, armed: bool = True) -> Opinion:
        return judge_own_key(found, controller, "ec-a", 1, armed=armed)

    assert judge(seen(mine, holder=mine)).says == "kept"
    assert judge(seen(mine, 0xBEEF, holder=mine)).says == "kept"
    lost = judge(seen(theirs, holder=theirs))
    assert (lost.says, lost.foreign) == ("lost", True) and "ec-b's key of epoch 2" in lost.why
    assert judge(seen(theirs, holder=theirs), armed=False).says == "lost"
    assert judge(seen(theirs), armed=False).says == "kept", "a key without a reservation stops nobody"
    assert judge(seen()).says == "untold" and "--reserve" in judge(seen()).why
    assert judge(seen(), armed=False).says == "kept"
    assert judge(()).says == "kept", "a disk that can't be asked is the claim's matter"


def test_the_watch_misses_a_key_that_it_has_seen(pair: Pair) -> None:
    world, target = pair
    eye, session = ReservationEye(), world.session("ec-a")
    assert eye(session, 1).says == "kept"
    target.keys, target.holder = {("ec-b", DEVICE): KEY["ec-b", 2]}, ("ec-b", DEVICE)
    assert eye(session, 1).says == "kept", "it was asked a moment ago"
    world.clock.advance(6)
    assert eye(session, 1).says == "lost"
    assert eye(session, 1).says == "lost"
    world.controller = replace(world.controller, proof=Proof())
    assert ReservationEye()(world.session("ec-a"), 1).says == "kept"


# -- on request
def test_nothing_is_reserved_for_a_standby_and_nothing_of_an_active_node_is_cleared(pair: Pair) -> None:
    world, target = pair
    with pytest.raises(Refused, match="not the active node"):
        reserve_now(world.session("ec-b"))
    before = dict(target.keys)
    assert "no key that could go" in clear(world.session("ec-a"), "")[0]
    assert "no key that could go" in clear(world.session("ec-b"), "")[0]
    for node in ("ec-a", "ec-b"):
        with pytest.raises(Refused, match="ec-a's key, and ec-a is active"):
            clear(world.session(node), f"{KEY['ec-a', 1]:#x}")
    assert target.keys == before
    world.controller = replace(world.controller, proof=Proof())
    with pytest.raises(Refused, match="asks for no reservation"):
        reserve_now(world.session("ec-a"))


def test_the_survey_finds_what_the_disk_can_do_before_anybody_defined_it(pair: Pair) -> None:
    world, target = pair
    world.b.answer(["systemd-detect-virt"], "kvm\n")
    (found,) = [one for one in survey(world.session("ec-b")).findings if one.engine == "reservation"]
    assert (found.state, found.suffices) == ("ready", "reservation")
    assert "ec-a's key of epoch 1, which holds it" in found.detail
    assert survey(world.session("ec-b")).lacking == ()
    world.controller = replace(world.controller, proof=Proof())
    (found,) = [one for one in survey(world.session("ec-b")).findings if one.engine == "reservation"]
    assert found.state == "not set up" and "[proof.reservation] in the definition" in found.mend
    world.controller = with_reservation(world.controller)
    target.keys.clear()
    target.holder = None
    (found,) = [one for one in survey(world.session("ec-b")).findings if one.engine == "reservation"]
    assert "nobody has reserved it" in found.detail and "--reserve" in found.mend
    target.unsupported.add("reserve")
    assert survey(world.session("ec-b")).lacking == ("ec-a",)
    assert set(target.asked) == {"ec-a register-ignore", "ec-a reserve"}
