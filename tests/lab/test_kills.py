"""kill -9 of tanist, and power cuts, at every record of a takeover and of a release: always one clean end.

Three labs at once, because most of the time is waiting. What is chosen by chance changes with each commit; its seed is
printed, and TANIST_SEED=n repeats it.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from lab.lab import Lab
from lab.machine import why_no_lab
from lab.run import wait_until
from tests.lab.kills import (
    KINDS,
    Kind,
    Point,
    Tally,
    Way,
    check_asks_for_a_person,
    check_cut_off,
    describe_record,
    end,
    is_open,
    kill_after,
    kill_at,
    let_go,
    plain_records,
    resume_pass,
    sampled_pass,
    take,
    undo_pass,
)
from tests.lab.subject import ON_XFS, OPSCENTER, POSTGRESQL, Pair, Subject, expect, other_node, set_up
from tests.lab.witness import watched
from tests.seeds import read_seed
from tools.build_wheel import wheel

AT_ONCE = 3  # labs: most of the time is waiting
SEED = read_seed() % 1_000_000
Pass = Callable[[Pair, int], Tally]


# ---- what runs in the labs


def chance_pass(pair: Pair, seed: int) -> Tally:
    """kill -9 at any moment, not only at records; and twice: the way out is killed as well, and ended by undo."""
    tally, pick = Tally(), random.Random(seed)
    usual = {"takeover": measure(lambda: take(pair, "ec-a")), "release": measure(lambda: pair.must("ec-a", "release"))}
    for number in range(8):
        node = pick.choice(("ec-a", "ec-b"))
        kind = KINDS[number % 2]
        pair.turn(node)
        if kind == "release":
            take(pair, node)
        if not kill_after(pair, node, (kind,), pick.uniform(0.2, 0.9) * usual[kind]):
            (let_go(pair, node) if kind == "takeover" else pair.check_released(node))
            continue
        seen = check_cut_off(pair, node, None)
        twice = is_open(seen) and kill_at(pair, node, ("resume",), pick.randint(1, 12))
        settle(pair, node, "undo" if twice else pick.choice(("resume", "undo")), tally, kind)
    return tally


def measure(act: Callable[[], object]) -> float:
    begun = time.monotonic()
    act()
    return time.monotonic() - begun


def settle(pair: Pair, node: str, way: Way, tally: Tally, kind: Kind) -> None:
    """Whatever the run had come to: one clean end, and home to "released"."""
    seen = pair.look(node)
    point = Point(
        kind=kind, node=node, at=len(seen.journal), record=describe_record(seen.journal) if seen.journal else "none"
    )
    try:
        if end(pair, point, way, seen) == "active":
            let_go(pair, node)
    except AssertionError as error:
        raise AssertionError(f"{point}, then {way}:\n{error}\njournal:\n" + "\n".join(seen.journal)) from error
    tally.points.append((point, way))


def cut_pass(pair: Pair, seed: int) -> Tally:
    """The power fails right after a record. The boot leaves the node inert; then resume, undo, or the other node."""
    tally, pick = Tally(), random.Random(seed)
    for kind in KINDS:
        records = plain_records(pair, kind)
        tally.lengths[kind] = len(records)
        for way in ("resume", "undo", "other", "other-first"):
            at = pick.randint(1, len(records) - 1)
            node = pick.choice(("ec-a", "ec-b"))
            try:
                cut_point(pair, kind, node, at, way, tally, records[at - 1])
            except AssertionError as error:
                raise AssertionError(
                    f"{kind} on {node}, cut at {at} ({records[at - 1]}), then {way}:\n{error}"
                ) from error
    return tally


def cut_point(pair: Pair, kind: Kind, node: str, at: int, way: str, tally: Tally, record: str) -> None:
    pair.turn(node)
    if kind == "release":
        take(pair, node)
    assert kill_at(pair, node, (kind,), at)
    pair.lab.cut(node)
    pair.turn("")
    assert not pair.look(other_node(node)).up
    taken = way == "other-first"
    if taken:
        take(pair, other_node(node), "--attest", "the power cut was seen")
    pair.lab.boot(node)
    check_boots_inert(pair, node)
    pair.checks += 1
    if way == "other":
        take(pair, other_node(node))
        taken = True
    if taken:
        stand_back(pair, kind, node)
    else:
        settle_after_cut(pair, kind, node, "resume" if way == "resume" else "undo")
    tally.points.append((Point(kind=kind, node=node, at=at, record=record), "resume" if way == "resume" else "undo"))


def check_boots_inert(pair: Pair, node: str) -> None:
    """The boot brought nothing up, and says that a person is needed, and what to type."""
    wait_until("tanist@ has ended", lambda: boot_state(pair, node) not in ("activating", "inactive"), timeout=60)
    seen = pair.look(node)
    assert not seen.up, seen
    assert not seen.covers, seen
    assert seen.hostname == node, seen
    assert is_open(seen), seen
    check_asks_for_a_person(pair, seen)
    log = pair.sh(node, 'journalctl -b -o cat -u "tanist@$1"', pair.subject.name)
    assert boot_state(pair, node) == "failed", log
    for text in ("was cut off", f"{node} stays inert", f"tanist resume {pair.subject.name}"):
        assert text in log, log


def boot_state(pair: Pair, node: str) -> str:
    return pair.sh(node, 'systemctl show -P ActiveState "tanist@$1"', pair.subject.name)


def settle_after_cut(pair: Pair, kind: Kind, node: str, way: Way) -> None:
    """As after a kill; only that of a release it is the claim, not the mount, which tells whether it let go."""
    before = pair.look(node)
    held = before.claim.startswith(f"held {node} ")
    pair.turn(node)
    pair.must(node, way)
    if (kind == "takeover" and way == "resume") or (kind == "release" and way == "undo" and held):
        pair.check_active(node)
        let_go(pair, node)
    else:
        pair.check_released(node)


def stand_back(pair: Pair, kind: Kind, node: str) -> None:
    """The other node has it by now: the cut-off run can only end in an inert node, and never brings anything up."""
    other = other_node(node)
    pair.check_active(other)
    resumed = pair.tanist(node, "resume")
    if kind == "takeover":
        expect(resumed, 4, ["life", f"Nothing was changed on {node}"])
    if resumed.returncode != 0:
        pair.must(node, "undo")
    pair.check_inert(node)
    pair.check_active(other)
    let_go(pair, other)


# ---- the tests


def is_opscenters_own(record: str) -> bool:
    """Kinds of step that PostgreSQL does not have."""
    return any(kind in record for kind in ("BindMount", "MountUnmapped", "WriteExports"))


PASSES: dict[str, tuple[Subject, Pass]] = {
    "test_every_record_of_a_takeover_and_of_a_release_then_resume": (POSTGRESQL, resume_pass),
    "test_every_record_of_a_takeover_and_of_a_release_then_undo": (POSTGRESQL, undo_pass),
    "test_a_power_cut_after_a_record": (random.Random(SEED).choice((POSTGRESQL, ON_XFS)), cut_pass),
    "test_kills_at_any_moment_and_twice": (POSTGRESQL, chance_pass),
    "test_a_controller_with_binds_exports_and_three_services": (
        OPSCENTER,
        lambda pair, seed: sampled_pass(pair, seed, is_opscenters_own, 3),
    ),
}


def run_pass(name: str, number: int) -> tuple[Tally, Pair, int]:
    """A lab of its own from beginning to end; answers how many frames of the address the observer saw."""
    subject, work = PASSES[name]
    lab = Lab(f"k{number}p{os.getpid()}")
    try:
        pair = set_up(lab, subject)
        with watched(lab.layout, subject.device, subject.address) as witness:
            tally = work(pair, SEED)
        witness.check()
        assert witness.had, "the asset was never seen mounted"
        pair.check_history()
        return tally, pair, pair.check_address_had_one_owner()
    finally:
        lab.down()


@pytest.fixture(scope="module")
def passes(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[tuple[Tally, Pair, int]]]]:
    reason = why_no_lab()
    if reason is not None:
        pytest.skip(reason)
    wheel()  # once, before several want it
    selected = [name for name in PASSES if any(item.name == name for item in request.session.items)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(run_pass, name, number) for number, name in enumerate(selected)}


@pytest.fixture
def outcome(
    request: pytest.FixtureRequest,
    passes: dict[str, Future[tuple[Tally, Pair, int]]],
    capsys: pytest.CaptureFixture[str],
) -> Tally:
    """The pass of this test, once it has ended. Prints what it covered."""
    name = request.node.name
    try:
        tally, pair, frames = passes[name].result()
    except BaseException:
        with capsys.disabled():
            print(f"\n{name}: TANIST_SEED={SEED}")
        raise
    with capsys.disabled():
        covered = f"{len(tally.points)} points ({tally.describe()}), {pair.checks} checks, {frames} frames"
        print(f"\n{name}: seed {SEED}, {covered}")
    assert tally.points
    assert frames
    return tally


LEAST: dict[Kind, int] = {"takeover": 30, "release": 25}  # records; fewer would mean that the count is wrong


def check_every_record(tally: Tally, way: Way) -> None:
    for kind, least in LEAST.items():
        ran = {point.at for point, how in tally.points if point.kind == kind and how == way and point.tail == "kept"}
        assert tally.lengths[kind] >= least, tally.lengths
        assert ran == set(range(1, tally.lengths[kind] + 1)), (kind, sorted(ran), tally.lengths)
        spoilt = {point.tail for point, _ in tally.points if point.kind == kind}
        assert spoilt > {"kept"}, spoilt


@pytest.mark.requirement("A05", "A42", "A61", "A63", "A66")
def test_every_record_of_a_takeover_and_of_a_release_then_resume(outcome: Tally) -> None:
    check_every_record(outcome, "resume")


@pytest.mark.requirement("A05", "A56", "A57", "A58", "A61")
def test_every_record_of_a_takeover_and_of_a_release_then_undo(outcome: Tally) -> None:
    check_every_record(outcome, "undo")


@pytest.mark.requirement("A05", "A42", "A62")
def test_a_power_cut_after_a_record(outcome: Tally) -> None:
    assert {(point.kind, way) for point, way in outcome.points} >= {
        (kind, way) for kind in KINDS for way in ("resume", "undo")
    }


def test_kills_at_any_moment_and_twice(outcome: Tally) -> None:
    assert {point.kind for point, _ in outcome.points} == {"takeover", "release"}


@pytest.mark.requirement("A45", "A46", "A55")
def test_a_controller_with_binds_exports_and_three_services(outcome: Tally) -> None:
    for kind in KINDS:
        for way in ("resume", "undo"):
            assert any(is_opscenters_own(record) for record in outcome.records(kind, way)), (kind, way)
