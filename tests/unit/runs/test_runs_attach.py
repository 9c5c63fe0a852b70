"""A volume that a program attaches to one node at a time, on two fake machines: handed over, taken from a dead one."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tanist.host.clock import timestamp
from tanist.model.dataclasses import replace
from tanist.model.definition import Proof
from tanist.model.errors import NotProved, Refused
from tanist.model.host import Ran
from tanist.model.layers import IscsiLayer, MdLayer, ProgramLayer
from tanist.plan import places
from tanist.runs.appear import wait_for_disks
from tanist.runs.attach import load_claim_seen
from tanist.runs.boot import boot, gate
from tanist.runs.first import init
from tanist.runs.release import release
from tanist.runs.session import read_active
from tanist.runs.switchover import switchover
from tanist.runs.takeover import TakeoverOptions, takeover
from tests.unit.runs.test_runs_fencing import DEVICE as FENCED
from tests.unit.runs.test_runs_fencing import FENCE, Outlet
from tests.unit.runs.test_runs_takeover import ATTEST, claim_of, is_active
from tests.unit.runs.world import DEVICE, Node, World, make_controller, said

PROGRAM = "/opt/oc/bin/cloud"
LAYER = ProgramLayer(program=PROGRAM, device=DEVICE)


class Cloud:
    """Who has the volume; its device is there on that machine only."""

    def __init__(self, world: World) -> None:
        self.world, self.holder, self.asked = world, "", dict[str, list[str]]()
        self.on_taking: Callable[[], None] = lambda: None
        for node in world.nodes.values():
            self.fit(node)

    def fit(self, node: Node) -> None:
        Path(f"{node.root}{PROGRAM}").write_text("#!/bin/sh\n")
        os.chmod(f"{node.root}{PROGRAM}", 0o755)
        node.answer_with([PROGRAM], lambda argv, stdin: self.answer(node, argv, stdin))
        node.answer(["blockdev"])

    def answer(self, node: Node, argv: Sequence[str], stdin: bytes) -> Ran:
        if argv[1] != "state":
            self.asked.setdefault(node.name, []).append(argv[1])
        match argv[1]:
            case "acquire" if self.holder:
                return said(argv, status=1, stderr=b"in use")
            case "force-acquire" if b'"proof": "' not in stdin:
                raise AssertionError("without a proof")
            case "acquire" | "force-acquire":
                self.on_taking()
                self.give(node.name)
            case "release":
                self.give("")
        where = {"": "free", node.name: "here"}.get(self.holder, "elsewhere")
        return said(argv, f'{{"state": "{where}", "holder": "{self.holder}"}}'.encode())

    def give(self, holder: str) -> None:
        self.holder = holder
        for node in self.world.nodes.values():
            path = Path(f"{node.root}{DEVICE}")
            path.unlink(missing_ok=True)
            if node.name == holder:
                os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(7, 201))


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """ec-a is active."""
    plain = make_controller()
    controller = replace(plain, asset=replace(plain.asset, layers=(LAYER,)))
    world = World(tmp_path / "world", controller=controller)
    made = Cloud(world)
    init(world.session("ec-a"))
    yield made
    assert world.violations == ()


def test_a_release_detaches_and_the_other_node_attaches_it_without_a_persons_word(cloud: Cloud) -> None:
    world = cloud.world
    assert cloud.holder == "ec-a"
    release(world.session("ec-a"))
    assert cloud.holder == ""
    takeover(world.session("ec-b"), TakeoverOptions())
    assert is_active(world, "ec-b") and cloud.holder == "ec-b"
    assert claim_of(world, "ec-b") == ("ec-b", 2, "held")
    assert cloud.asked["ec-b"] == ["acquire"]


def test_a_dead_nodes_volume_is_taken_only_with_a_verdict(cloud: Cloud) -> None:
    world = cloud.world
    world.a.power_off()
    seen = world.b.files.read(places.claim_seen("oc"))
    world.b.files.remove(places.claim_seen("oc"))
    with pytest.raises(Refused, match="attached to ec-a, and no claim of oc was ever seen here"):
        takeover(world.session("ec-b"), ATTEST)
    world.b.files.write(places.claim_seen("oc"), seen)
    with pytest.raises(NotProved):
        takeover(world.session("ec-b"), TakeoverOptions())
    assert "ec-b" not in cloud.asked and cloud.holder == "ec-a"
    takeover(world.session("ec-b"), ATTEST)
    assert cloud.asked["ec-b"] == ["force-acquire"] and is_active(world, "ec-b")


def test_a_volume_that_no_node_has_is_looked_at_and_put_back_where_nothing_is_proved(cloud: Cloud) -> None:
    world = cloud.world
    world.a.power_off()
    cloud.give("")  # the cloud took it from the dead machine
    with pytest.raises(NotProved):
        takeover(world.session("ec-b"), TakeoverOptions())
    assert cloud.asked["ec-b"] == ["acquire", "release"] and cloud.holder == ""
    takeover(world.session("ec-b"), ATTEST)
    assert is_active(world, "ec-b")


def test_a_boot_waits_for_disks_that_a_log_in_shows_and_for_no_others(cloud: Cloud) -> None:
    world, session = cloud.world, cloud.world.session("ec-b")
    begun = session.host.monotonic()
    wait_for_disks(session)
    assert session.host.monotonic() == begun, "no boot attaches a volume"
    shown = IscsiLayer(target="iqn.2026-01.test:a", portals=("10.66.0.21:3260",), device=DEVICE)
    world.controller = replace(world.controller, asset=replace(world.controller.asset, layers=(shown,)))
    wait_for_disks(world.session("ec-b"))
    assert session.host.monotonic() >= begun + 60
    late = session.host.monotonic()
    cloud.give("ec-b")
    wait_for_disks(world.session("ec-b"))
    assert session.host.monotonic() == late


def test_a_boot_waits_for_the_disks_of_an_adapter_and_less_for_the_rest_of_a_mirror(world: World) -> None:
    host = world.a
    legs = ("/dev/leg0", "/dev/leg1")

    def waits(*layers: MdLayer) -> float:
        world.controller = replace(world.controller, asset=replace(world.controller.asset, layers=layers))
        begun = host.monotonic()
        wait_for_disks(world.session("ec-a"))
        return host.monotonic() - begun

    assert waits() == 0
    Path(f"{host.root}{DEVICE}").unlink()
    assert waits() == 60
    mirror = MdLayer(device=DEVICE, uuid="0:1:2:3", members=legs)
    assert waits(mirror) == 60
    Path(f"{host.root}{legs[1]}").touch()
    assert waits(mirror) == 10
    Path(f"{host.root}{legs[0]}").touch()
    assert waits(mirror) == 0


def test_an_ex_owner_that_boots_without_the_disk_believes_who_is_active(cloud: Cloud) -> None:
    world = cloud.world
    world.a.power_off()
    takeover(world.session("ec-b"), ATTEST)
    world.a.boot()
    session = world.session("ec-a")
    gate(session)
    world.ssh_works = False
    with pytest.raises(NotProved):
        boot(session)
    assert read_active(session), "without a word it waits for a person"
    world.ssh_works = True
    heard = timestamp(world.a)
    assert boot(session) == "inert"
    seen = load_claim_seen(session)
    assert seen is not None and (seen.node, seen.epoch, seen.run) == ("ec-b", 2, "") and seen.since >= heard
    assert read_active(session) == "" and world.a.hostname() == "ec-a"
    assert claim_of(world, "ec-b") == ("ec-b", 2, "held") and is_active(world, "ec-b") and world.violations == ()


def test_a_living_owners_volume_stays_with_it_whatever_a_person_says(cloud: Cloud) -> None:
    world = cloud.world
    with pytest.raises(NotProved, match="shows life"):
        takeover(world.session("ec-b"), ATTEST)
    assert "ec-b" not in cloud.asked and is_active(world, "ec-a")


def test_a_switchover_brings_the_volume_along_and_back(cloud: Cloud) -> None:
    world = cloud.world
    for owner, target in (("ec-a", "ec-b"), ("ec-b", "ec-a")):
        switchover(world.session(owner), target, "maintenance")
        assert is_active(world, target) and cloud.holder == target


def test_an_owner_that_hangs_is_switched_off_before_its_volume_is_taken(cloud: Cloud) -> None:
    world = cloud.world
    world.controller = replace(world.controller, proof=Proof(power=(FENCED,)))
    outlet = Outlet(world)
    world.ssh_works = False
    world.warm("ec-b")
    world.open_peer = lambda *_, **__: (_ for _ in ()).throw(OSError("no answer"))  # type: ignore[method-assign]
    cloud.on_taking = lambda: outlet.asked.append("taken")
    with pytest.raises(NotProved):
        takeover(world.session("ec-b"), TakeoverOptions(attest="it is dead, I swear"))
    assert "taken" not in outlet.asked and cloud.holder == "ec-a"
    takeover(world.session("ec-b"), FENCE)
    assert is_active(world, "ec-b") and not world.a.power
    asked = [word for word in outlet.asked if word != "status"]
    assert asked == ["off", "taken"] and claim_of(world, "ec-b") == ("ec-b", 2, "held")


def test_a_takeover_that_fails_detaches_what_it_has_attached(cloud: Cloud) -> None:
    world = cloud.world
    release(world.session("ec-a"))
    world.b.files.write("/n1gc-setup/.version.properties", b"product.version=2.1.0.999\n")
    with pytest.raises(Refused):
        takeover(world.session("ec-b"), TakeoverOptions())
    assert cloud.holder == ""
    takeover(world.session("ec-a"), TakeoverOptions())
    assert is_active(world, "ec-a")
