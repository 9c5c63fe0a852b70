"""What a boot brings up, and what it does not: an ex-owner is inert, an owner comes back with the same epoch."""

from __future__ import annotations

import pytest

from tanist.model.errors import Failed, NotProved, Rebooting, Refused
from tanist.model.host import Address
from tanist.runs.boot import PATIENCE, boot, gate
from tanist.runs.carry_on import resume, undo
from tanist.runs.release import release
from tanist.runs.takeover import TakeoverOptions, takeover
from tests.unit.runs.picture import differences, take
from tests.unit.runs.test_runs_takeover import ATTEST, claim_of, is_active
from tests.unit.runs.world import TREE, UNITS, World


@pytest.mark.requirement("A62", "A64")
def test_an_ex_owner_boots_inert_gives_its_own_files_back_and_says_who_owns_it(world: World) -> None:
    release(world.session("ec-a"))
    inert = take(world, "ec-b")
    takeover(world.session("ec-b"), TakeoverOptions())
    world.b.power_off()
    takeover(world.session("ec-a"), ATTEST)
    world.b.boot()
    gate(world.session("ec-b"))
    assert boot(world.session("ec-b")) == "inert"
    found = differences(inert, take(world, "ec-b"))
    assert set(found) <= {"claim"}
    assert "inert: oc is held by ec-a, epoch 3" in world.said("ec-b")
    assert is_active(world, "ec-a")


@pytest.mark.requirement("A60")
def test_the_owner_comes_up_again_with_the_same_epoch(world: World) -> None:
    before = take(world, "ec-a")
    world.a.power_off()
    world.a.boot()
    gate(world.session("ec-a"))
    assert not world.a.files.exists("/etc/cron.d/oc")
    assert boot(world.session("ec-a")) == "active"
    assert differences(before, take(world, "ec-a")) == {}
    assert boot(world.session("ec-a")) == "active"
    assert "is up on ec-a already" in world.said("ec-a")


@pytest.mark.parametrize("state", ["active", "activating"])
def test_the_asset_is_not_mounted_under_services_that_a_boot_started_by_itself(world: World, state: str) -> None:
    """They work on what lies below the mount point and write by path: into the asset, once it is there."""
    world.a.power_off()
    world.a.boot()
    gate(world.session("ec-a"))
    for unit in UNITS:
        world.a.units[unit].state = state
    with pytest.raises(Failed, match=f"{UNITS[0]}, {UNITS[1]} runs already, on what lies below {TREE}"):
        boot(world.session("ec-a"))
    assert not any(mount.target == TREE for mount in world.a.mounts())
    for unit in UNITS:
        world.a.units[unit].state = "inactive"
    resume(world.session("ec-a"))
    assert is_active(world, "ec-a")


def test_a_standby_boots_inert(world: World) -> None:
    world.b.reboot()
    assert boot(world.session("ec-b")) == "inert"


def test_an_owner_that_shows_life_elsewhere_is_not_brought_up(world: World) -> None:
    """Somebody else has the address: the claim alone must not start the services."""
    world.a.power_off()
    world.b.network.ports["ens3"].added.append(Address(interface="ens3", address="10.88.0.60", prefix=24))
    world.a.boot()
    gate(world.session("ec-a"))
    with pytest.raises(NotProved):
        boot(world.session("ec-a"))
    assert all(world.a.units[unit].state == "inactive" for unit in UNITS)


def test_a_start_that_was_held_is_resumed_or_undone(world: World) -> None:
    before = take(world, "ec-a")
    for end in (resume, undo):
        world.a.reboot()
        world.a.answer(["/opt/oc/bin/check"], status=1, stderr="sick")
        gate(world.session("ec-a"))
        with pytest.raises(Exception, match="sick"):
            boot(world.session("ec-a"))
        world.a._answer_commands()
        end(world.session("ec-a"))
        if end is resume:
            assert differences(before, take(world, "ec-a")) == {}
    assert claim_of(world, "ec-a") == ("ec-a", 1, "released")
    assert not take(world, "ec-a")["active"]


@pytest.mark.requirement("A39", "A60")
def test_a_takeover_with_a_reboot_on_the_way_goes_on_after_the_boot(world: World) -> None:
    world.a.power_off()
    with pytest.raises(Rebooting):
        takeover(world.session("ec-b"), TakeoverOptions(attest="seen off", reboot=True))
    world.b.reboot()
    gate(world.session("ec-b"))
    assert boot(world.session("ec-b")) == "active"
    assert is_active(world, "ec-b") and claim_of(world, "ec-b") == ("ec-b", 2, "held")


def test_a_takeover_with_a_reboot_is_not_resumed_when_the_claim_moved_on_meanwhile(world: World) -> None:
    world.a.power_off()
    with pytest.raises(Rebooting):
        takeover(world.session("ec-b"), TakeoverOptions(attest="seen off", reboot=True))
    world.b.power_off()
    world.a.boot()
    takeover_from_a = TakeoverOptions(attest="ec-b is off")
    assert boot(world.session("ec-a")) == "inert"  # it has lost the controller: its own files return
    takeover(world.session("ec-a"), takeover_from_a)
    world.b.boot()
    gate(world.session("ec-b"))
    with pytest.raises(Refused):
        boot(world.session("ec-b"))
    assert is_active(world, "ec-a") and not is_active(world, "ec-b")


def test_an_owner_whose_peer_is_busy_with_its_own_boot_asks_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.a.power_off()
    world.a.boot()
    gate(world.session("ec-a"))
    world.ssh_works = False
    sleep, begun = world.a.sleep, world.a.monotonic()

    def answer_later(seconds: float) -> None:
        world.ssh_works = world.a.monotonic() - begun > PATIENCE / 2
        sleep(seconds)

    monkeypatch.setattr(world.a, "sleep", answer_later)
    assert boot(world.session("ec-a")) == "active"
    assert is_active(world, "ec-a") and world.violations == ()


def test_an_owner_whose_peer_is_up_and_says_nothing_stays_inert_after_a_while(world: World) -> None:
    world.a.power_off()
    world.a.boot()
    gate(world.session("ec-a"))
    world.ssh_works = False
    begun = world.a.monotonic()
    with pytest.raises(NotProved):
        boot(world.session("ec-a"))
    assert PATIENCE <= world.a.monotonic() - begun < 2 * PATIENCE and not is_active(world, "ec-a")
