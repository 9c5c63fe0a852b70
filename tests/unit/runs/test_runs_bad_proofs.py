"""Leases that are full, blank, foreign or damaged, disks that strangers reserved: refused, undone, nothing taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tanist.facts.lease import HOST_MAGIC
from tanist.model.definition import Proof, Reserving
from tanist.model.errors import NotProved, TanistError
from tanist.model.host import Ran
from tanist.model.reservation import MARK, build_key
from tanist.runs.boot import boot, gate
from tanist.runs.filing import find_open_run
from tanist.runs.release import release
from tanist.runs.reservation import reserve_now
from tanist.runs.takeover import TakeoverOptions, takeover
from tanist.steps.sanlock import join
from tests.unit.runs.leases import LEASE, Leases, mark
from tests.unit.runs.target import Target
from tests.unit.runs.test_runs_lease import die
from tests.unit.runs.test_runs_takeover import claim_of, is_active
from tests.unit.runs.world import World, said

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method):  # typing has it from Python 3.12 on
        return method


NewWorld = Callable[..., World]
Spoil = Callable[["Spoilt"], None]
RECORDS, RECORD = 2 << 20, 8192


class Spoilt(Leases):
    """`hurt`: done to what the daemons write. `full`: the place takes no write any more. `refuses`: what sanlock says
    to who wants to join; `stuck`: sanlock cannot read the resource."""

    hurt: Callable[[bytearray], None] | None = None
    full = stuck = False
    refuses = ""

    @override
    def write(self) -> None:
        super().write()
        if self.hurt is not None:
            self.hurt(self.bytes)

    @override
    def _write(self, node: object, argv: Sequence[str], stdin: bytes) -> Ran:
        if self.full:
            return said(argv, status=1, stderr=b"dd: error writing '/dev/lease': No space left on device")
        return super()._write(node, argv, stdin)  # type: ignore[arg-type]

    @override
    def _join(self, node: object, argv: Sequence[str]) -> Ran:
        if self.refuses:
            return said(argv, status=1, stderr=self.refuses.encode())
        return super()._join(node, argv)  # type: ignore[arg-type]

    @override
    def _settle(self, name: str) -> None:
        if not self.stuck:
            super()._settle(name)


def flip(at: int) -> Callable[[bytearray], None]:
    def act(data: bytearray) -> None:
        data[at] ^= 1

    return act


def name_it_otherwise(data: bytearray) -> None:

    for number in (1, 2):
        data[(number - 1) * 512 : number * 512] = mark(HOST_MAGIC, "x", number, 1, 1, space="others")


def blank(data: bytearray) -> None:
    data[: 1 << 20] = bytes(1 << 20)


def damage_lockspace(leases: Spoilt) -> None:
    leases.hurt = flip(160)


def damage_resource(leases: Spoilt) -> None:
    leases.hurt, leases.stuck = flip((1 << 20) + 150), True


SPOILT: dict[str, tuple[Spoil, str]] = {
    "the lockspace is damaged": (damage_lockspace, "wrong checksum"),
    "the lockspace is blank": (lambda one: setattr(one, "hurt", blank), "there is no lease yet"),
    "the lockspace is another's": (lambda one: setattr(one, "hurt", name_it_otherwise), "it is somebody else's"),
    "the resource is damaged": (damage_resource, "wrong checksum; what made it unreadable"),
    "the place is full": (lambda one: setattr(one, "full", True), "No space left on device"),
    "its number is taken": (lambda one: setattr(one, "refuses", "262 -262"), "do two nodes have one name"),
    "the daemon has no room": (lambda one: setattr(one, "refuses", "28 -28"), "sanlock cannot join"),
    "the disk cannot be read": (lambda one: setattr(one, "broken", "Input/output error"), "Input/output error"),
}


@pytest.mark.requirement("A05", "A63")
@pytest.mark.parametrize("kind", SPOILT)
def test_a_lease_that_cannot_be_had_ends_the_takeover_as_it_began(new_world: NewWorld, kind: str) -> None:
    world = new_world()
    leases = Spoilt(world)
    release(world.session("ec-a"))
    spoil, says = SPOILT[kind]
    spoil(leases)
    with pytest.raises(TanistError, match=says):
        takeover(world.session("ec-b"), TakeoverOptions())
    assert find_open_run(world.session("ec-b")) is None and not is_active(world, "ec-b")
    assert claim_of(world, "ec-b") == ("ec-a", 1, "released")
    assert not leases.nodes["ec-b"].holding and leases.owner is None
    leases.hurt, leases.full, leases.stuck, leases.refuses, leases.broken = None, False, False, "", ""
    takeover(world.session("ec-b"), TakeoverOptions())
    assert is_active(world, "ec-b") and leases.owner == ("ec-b", leases.nodes["ec-b"].generation)


def swap(data: bytearray) -> None:
    """ec-b's record, which let go, at ec-a's place."""
    first, second = data[RECORDS : RECORDS + RECORD], data[RECORDS + RECORD : RECORDS + 2 * RECORD]
    data[RECORDS : RECORDS + 2 * RECORD] = second + first


def tear(data: bytearray) -> None:
    for slot in (0, 4096):
        data[RECORDS + slot + 100 : RECORDS + slot + 4096] = bytes(3996)


@pytest.mark.requirement("A05")
@pytest.mark.parametrize("hurt", [swap, tear, flip(1), blank, name_it_otherwise])
def test_a_dead_owners_lease_that_is_not_its_own_or_damaged_proves_nothing(
    new_world: NewWorld, hurt: Callable[[bytearray], None]
) -> None:
    world = new_world()
    leases = Spoilt(world)
    for name in ("ec-a", "ec-b", "ec-b", "ec-a"):  # both have a record, ec-b's says released
        release(world.session("ec-a" if is_active(world, "ec-a") else "ec-b"))
        takeover(world.session(name), TakeoverOptions())
    assert is_active(world, "ec-a")
    join(world.b, world.controller, "ec-b")
    die(world, leases)
    world.clock.advance(200.0)
    whole = bytes(leases.bytes)
    hurt(leases.bytes)
    leases.hurt = hurt if hurt not in (swap, tear) else None
    before = claim_of(world, "ec-b")
    with pytest.raises(NotProved):
        takeover(world.session("ec-b"), TakeoverOptions())
    with pytest.raises(TanistError):
        takeover(world.session("ec-b"), TakeoverOptions(fence=True, reason="it is gone"))
    assert claim_of(world, "ec-b") == before and find_open_run(world.session("ec-b")) is None
    leases.hurt, leases.bytes = None, bytearray(whole)
    takeover(world.session("ec-b"), TakeoverOptions())
    assert is_active(world, "ec-b") and LEASE.lapses_after < 200


# -- reservations
STRANGERS = {
    "by hand": 0xBEEF,
    "another controller's": build_key("other", "ec-a", 3),
    "of a node that is none here": build_key("oc", "ec-z", 1),
    "ours but for one bit": build_key("oc", "ec-a", 1) ^ 1 << 30,
    "with nothing but the mark": MARK << 48,
    "the largest": (1 << 64) - 1,
}


@pytest.fixture
def reserved(new_world: NewWorld) -> tuple[World, Target]:
    world, target = new_world(), Target()
    world.controller = replace(world.controller, proof=Proof(reservation=Reserving()))
    target.fit(world)
    reserve_now(world.session("ec-a"))
    return world, target


@pytest.mark.requirement("A05", "A42")
@pytest.mark.parametrize("holds", [True, False], ids=["holds it", "is registered"])
@pytest.mark.parametrize("whose", STRANGERS)
def test_a_strangers_key_is_left_alone_and_nothing_is_taken(
    reserved: tuple[World, Target], whose: str, holds: bool
) -> None:
    world, target = reserved
    release(world.session("ec-a"))
    key, path = STRANGERS[whose], ("stranger", "sdz")
    target.keys[path] = key
    target.holder = path if holds else None
    with pytest.raises(TanistError, match=f"{key:#x} is no key of oc"):
        takeover(world.session("ec-b"), TakeoverOptions())
    assert target.keys == {path: key} and target.holder == (path if holds else None)
    assert find_open_run(world.session("ec-b")) is None and not is_active(world, "ec-b")
    assert claim_of(world, "ec-b") == ("ec-a", 1, "released")


@pytest.mark.requirement("A44")
def test_an_owner_that_boots_beside_a_strangers_key_stays_inert(reserved: tuple[World, Target]) -> None:
    world, target = reserved
    world.a.power_off()
    target.keys = {("stranger", "sdz"): 0xBEEF}
    target.holder = ("stranger", "sdz")
    world.a.boot()
    gate(world.session("ec-a"))
    with pytest.raises(TanistError, match="0xbeef is no key of oc"):
        boot(world.session("ec-a"))
    assert target.keys == {("stranger", "sdz"): 0xBEEF}
    assert not any(mount.target == world.controller.tree for mount in world.a.mounts())
