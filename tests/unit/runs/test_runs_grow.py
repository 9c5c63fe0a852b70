"""A grow on a fake pair: never without the standby's eyes, never back, whole after each kill and each boot."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tanist.host.fake import Crash
from tanist.journal.claimfile import parse_claim, render_slot
from tanist.model.claim import Claim
from tanist.model.dataclasses import replace
from tanist.model.errors import Failed, Refused
from tanist.model.host import Ran
from tanist.runs.boot import boot, gate
from tanist.runs.carry_on import resume, undo
from tanist.runs.filing import find_open_run
from tanist.runs.grow import Outlook, grow, parse_size
from tanist.runs.history import load_history
from tanist.runs.release import release
from tanist.runs.session import read_active
from tests.unit.runs.test_runs_guard import claim_file, steal
from tests.unit.runs.test_runs_takeover import is_active
from tests.unit.runs.world import DEVICE, Node, World, said

MIB = 1 << 20
BLOCK = 4096


class Larger:
    """A disk as each kernel sees it, and the file system on it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.seen = {"ec-a": 1024 * MIB, "ec-b": 1024 * MIB}
        self.has = 512 * MIB
        self.fails = False
        for node in world.nodes.values():
            self.answer(node)

    def answer(self, node: Node) -> None:
        node.answer_with(["blockdev", "--getsize64"], lambda argv, _: said(argv, f"{self.seen[node.name]}\n".encode()))
        node.answer_with(["dumpe2fs", "-h", DEVICE], lambda argv, _: said(argv, self.super_block()))
        node.answer_with(["resize2fs", DEVICE], lambda argv, _: self.resize(node, argv))

    def super_block(self) -> bytes:
        return f"Block count:              {self.has // BLOCK}\nBlock size:               {BLOCK}\n".encode()

    def resize(self, node: Node, argv: Sequence[str]) -> Ran:
        if self.fails:
            return said(argv, status=1, stderr=b"resize2fs: Permission denied to resize filesystem\n")
        with node._changing("resize2fs"):
            self.has = self.seen[node.name]
        return said(argv)


@pytest.fixture
def larger(world: World) -> Larger:
    return Larger(world)


def do(world: World, name: str = "ec-a", leave: int = 0) -> None:
    session = world.session(name)
    grow(session, Outlook(session, leave), "a larger LUN")


def last(world: World) -> tuple[str, str]:
    ended = load_history(world.session("ec-a"))[-1]
    return str(ended["kind"]), str(ended["outcome"])


@pytest.mark.requirement("A14", "A22")
def test_it_grows_with_the_server_at_work_and_is_in_the_history(world: World, larger: Larger) -> None:
    outlook = Outlook(world.session("ec-a"), 0)
    assert outlook.obstacles == () and outlook.steps == 1
    assert "grow ext4 on /dev/asset from 512 MiB to 1.0 GiB" in outlook.render(world.session("ec-a"))
    assert larger.has == 512 * MIB, "a look grows nothing"
    do(world)
    assert larger.has == 1024 * MIB
    assert last(world) == ("grow", "done") and is_active(world, "ec-a")
    with pytest.raises(Refused, match="there is nothing to grow"):
        do(world)


@pytest.mark.requirement("A14")
def test_refused_while_the_standby_does_not_see_it_or_does_not_answer(world: World, larger: Larger) -> None:
    larger.seen["ec-b"] = 512 * MIB
    with pytest.raises(Refused, match="a node that does not see its new size can't take over"):
        do(world)
    world.b.silent = True
    with pytest.raises(Refused, match="ec-b can't be asked how large its disks are"):
        do(world)
    assert larger.has == 512 * MIB and find_open_run(world.session("ec-a")) is None


def test_refused_where_it_is_not_active_or_where_the_disk_became_smaller(world: World, larger: Larger) -> None:
    with pytest.raises(Refused, match="ec-b is not the active node"):
        do(world, "ec-b")
    larger.seen = {"ec-a": 256 * MIB, "ec-b": 256 * MIB}
    with pytest.raises(Refused, match="it became smaller"):
        do(world)
    release(world.session("ec-a"))
    with pytest.raises(Refused, match="is not the active node"):
        do(world)
    assert larger.has == 512 * MIB


def test_a_failure_ends_the_run_and_the_next_one_goes_on(world: World, larger: Larger) -> None:
    larger.fails = True
    with pytest.raises(Failed, match=r"Permission denied.*What has grown stays so, and the server goes on"):
        do(world)
    assert last(world) == ("grow", "failed") and find_open_run(world.session("ec-a")) is None
    assert is_active(world, "ec-a")
    larger.fails = False
    do(world)
    assert last(world) == ("grow", "done")


def killed_at(world: World, after: int) -> bool:
    world.a.crash_after(after)
    try:
        do(world)
    except Crash:
        return True
    finally:
        world.a.revive()
    return False


@pytest.mark.requirement("A61")
@pytest.mark.parametrize("way", ["resume", "undo", "boot"])
def test_killed_after_any_change_it_ends_and_the_server_goes_on(world: World, larger: Larger, way: str) -> None:
    points = 0
    while killed_at(world, points + 1):
        points += 1
        is_open = find_open_run(world.session("ec-a")) is not None
        if way == "boot":
            world.a.power_off()
            world.a.boot()
            gate(world.session("ec-a"))
            assert boot(world.session("ec-a")) == "active"
        elif is_open:
            end(world, way)
        assert find_open_run(world.session("ec-a")) is None and is_active(world, "ec-a")
        if larger.has < 1024 * MIB:
            do(world)
        assert larger.has == 1024 * MIB and last(world)[0] in ("grow", "start")
        larger.has = 512 * MIB  # for the next round
    assert points > 5


def end(world: World, way: str) -> None:
    try:
        (resume if way == "resume" else undo)(world.session("ec-a"))
    except Refused as refused:
        assert "before it had a plan" in refused.message  # resumed too early
        undo(world.session("ec-a"))


def test_resumed_only_while_the_standby_still_sees_it(world: World, larger: Larger) -> None:
    world.a.then.append(("resize2fs", lambda: world.a.die("here")))
    with pytest.raises(Crash):
        do(world)
    world.a.revive()
    larger.seen["ec-b"] = 512 * MIB
    with pytest.raises(Refused, match="does not see its new size"):
        resume(world.session("ec-a"))
    undo(world.session("ec-a"))
    assert "what has grown stays so" in world.said("ec-a") and larger.has == 1024 * MIB


def test_a_run_whose_claim_was_taken_grows_nothing(world: World, larger: Larger) -> None:
    outlook = Outlook(world.session("ec-a"), 0)
    steal(world, "ec-b")
    with pytest.raises(Failed, match="this grow was made for epoch 1 and is over"):
        grow(world.session("ec-a"), outlook)
    assert larger.has == 512 * MIB and read_active(world.session("ec-a")) == ""


def test_a_claim_that_somebody_released_by_hand_stops_it(world: World, larger: Larger) -> None:
    outlook = Outlook(world.session("ec-a"), 0)
    found = parse_claim(claim_file(world).read_bytes())
    assert isinstance(found, Claim)
    claim_file(world).write_bytes(render_slot(replace(found, state="released"), 90) * 2)
    with pytest.raises(Failed, match="and no run of this node did that"):
        grow(world.session("ec-a"), outlook)
    assert larger.has == 512 * MIB


def test_sizes_as_people_type_them() -> None:
    assert (parse_size("512M"), parse_size("20G"), parse_size("1t")) == (512 << 20, 20 << 30, 1 << 40)
    for text in ("", "G", "20", "1.5G", "-1G"):
        with pytest.raises(Refused, match="is no size"):
            parse_size(text)
