"""Id maps: one-to-one over all ids, every named account where it belongs, everything else where it was."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.model.errors import Refused
from tanist.plan.idmap import (
    LAST_ID,
    MAX_BYTES,
    Extent,
    Moved,
    build_extents,
    build_idmap,
    complete,
    describe_ids,
    pair_up,
)

Numbers = dict[str, int]
NAMES = st.sampled_from([f"user{n}" for n in range(8)])
SMALL = st.integers(0, 12)  # close together: collisions, chains and swaps are frequent
ANY = st.integers(0, LAST_ID)


@st.composite
def both_sides(draw: st.DrawFn) -> tuple[Numbers, Numbers]:
    names = draw(st.lists(NAMES, unique=True, min_size=1))
    numbers = draw(st.sampled_from([SMALL, ANY]))
    two = [draw(st.lists(numbers, unique=True, min_size=len(names), max_size=len(names))) for _ in range(2)]
    return dict(zip(names, two[0], strict=True)), dict(zip(names, two[1], strict=True))


def here(extents: tuple[Extent, ...], on_disk: int) -> int:
    found = [to + on_disk - start for start, to, count in extents if start <= on_disk < start + count]
    assert len(found) == 1, (on_disk, found)
    return found[0]


def extents_of(disk: Numbers, local: Numbers) -> tuple[Extent, ...]:
    idmap, _ = build_idmap(disk.items(), local.items(), (), ())
    return idmap.users if idmap is not None else ((0, 0, LAST_ID + 1),)


@pytest.mark.requirement("A54", "A55")
@given(both_sides())
def test_every_account_is_seen_under_its_local_number(sides: tuple[Numbers, Numbers]) -> None:
    disk, local = sides
    extents = extents_of(disk, local)
    assert {name: here(extents, number) for name, number in disk.items()} == local


@pytest.mark.requirement("A55", "A57")
@given(both_sides())
def test_everything_else_is_seen_as_it_is_but_for_what_closes_a_chain(sides: tuple[Numbers, Numbers]) -> None:
    disk, local = sides
    extents = extents_of(disk, local)
    touched = {*disk.values(), *local.values()}
    edges = {n + d for n in touched for d in (-1, 1) if 0 <= n + d <= LAST_ID}
    for number in (edges | {0, 65534, LAST_ID}) - touched:
        assert here(extents, number) == number
    for number in touched - set(disk.values()):
        assert here(extents, number) in set(disk.values())  # it moves to where its chain began


@given(both_sides())
def test_the_map_is_one_to_one_over_all_ids(sides: tuple[Numbers, Numbers]) -> None:
    extents = extents_of(*sides)
    for side in (0, 1):
        position = 0
        for extent in sorted(extents, key=lambda item: item[side]):
            assert extent[side] == position, extents  # no gap, no overlap
            position += extent[2]
        assert position == LAST_ID + 1
    assert list(extents) == sorted(extents)
    assert all(count > 0 for _, _, count in extents)


@pytest.mark.requirement("A65", "A66")
@given(both_sides())
def test_the_map_of_the_way_back_is_the_inverse(sides: tuple[Numbers, Numbers]) -> None:
    disk, local = sides
    there, back = extents_of(disk, local), extents_of(local, disk)
    for number in {*disk.values(), *local.values(), 0, LAST_ID}:
        assert here(back, here(there, number)) == number


@given(both_sides())
def test_neighbours_with_one_offset_share_an_extent(sides: tuple[Numbers, Numbers]) -> None:
    extents = extents_of(*sides)
    for one, other in itertools.pairwise(extents):
        assert (one[1] - one[0], one[0] == one[1]) != (other[1] - other[0], other[0] == other[1]), extents


CASES = [
    ("swapped", {"a": 100, "b": 101}, {"a": 101, "b": 100}, {100: 101, 101: 100}),
    ("chained", {"a": 1, "b": 2, "c": 3}, {"a": 2, "b": 3, "c": 4}, {1: 2, 2: 3, 3: 4, 4: 1}),
    ("one that collides with a foreign id", {"a": 100}, {"a": 500}, {100: 500, 500: 100}),
    ("two chains", {"a": 1, "b": 10}, {"a": 2, "b": 11}, {1: 2, 2: 1, 10: 11, 11: 10}),
    ("a ring of three", {"a": 1, "b": 2, "c": 3}, {"a": 2, "b": 3, "c": 1}, {1: 2, 2: 3, 3: 1}),
    ("at the ends", {"a": 0, "b": LAST_ID}, {"a": LAST_ID, "b": 0}, {0: LAST_ID, LAST_ID: 0, 1: 1}),
    ("only one of two", {"a": 5, "b": 7}, {"a": 5, "b": 8}, {5: 5, 7: 8, 8: 7}),
]


@pytest.mark.requirement("A55")
@pytest.mark.parametrize(("disk", "local", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_known_cases(disk: Numbers, local: Numbers, wanted: dict[int, int]) -> None:
    extents = extents_of(disk, local)
    assert {number: here(extents, number) for number in wanted} == wanted


def test_equal_numbers_need_no_map() -> None:
    assert build_idmap([("a", 5)], [("a", 5), ("more", 9)], [("g", 1)], [("g", 1)]) == (None, ())
    assert describe_ids(()) == ""


def test_a_group_alone_makes_a_map_of_both_kinds() -> None:
    idmap, moved = build_idmap([("a", 5)], [("a", 5)], [("g", 6)], [("g", 7)])
    assert idmap is not None
    assert idmap.users == ((0, 0, LAST_ID + 1),)
    assert idmap.groups == ((0, 0, 6), (6, 7, 1), (7, 6, 1), (8, 8, LAST_ID - 7))
    assert moved == (Moved(name="g", on_disk=6, here=7), Moved(name="", on_disk=7, here=6))
    assert describe_ids(moved) == ", ids by name (g 6->7; to keep the map whole also 7->6)"


@pytest.mark.requirement("A55")
def test_an_account_that_is_missing_here_is_refused_by_name() -> None:
    with pytest.raises(Refused, match="lacks the account b, c, which owns files"):
        build_idmap([("a", 1), ("c", 3), ("b", 2)], [("a", 1)], (), ())
    with pytest.raises(Refused, match="lacks the group g"):
        build_idmap((), (), [("g", 1)], ())


@pytest.mark.parametrize(
    ("disk", "local"), [({"a": 1, "b": 1}, {"a": 2, "b": 3}), ({"a": 1, "b": 2}, {"a": 3, "b": 3})]
)
def test_accounts_that_share_a_number_on_one_side_only_are_refused(disk: Numbers, local: Numbers) -> None:
    with pytest.raises(Refused, match="share one number on one side"):
        pair_up(disk, local, "account")


def test_accounts_that_share_a_number_on_both_sides_move_together() -> None:
    extents = extents_of({"a": 1, "alias": 1}, {"a": 4, "alias": 4})
    assert (here(extents, 1), here(extents, 4)) == (4, 1)


def test_a_map_that_the_kernel_would_not_take_is_refused() -> None:
    disk = {f"u{n}": 1_000_000 + 3 * n for n in range(200)}
    local = {f"u{n}": 2_000_000 + 5 * n for n in range(200)}
    with pytest.raises(Refused, match=rf"differ in too many places .* {MAX_BYTES} fit"):
        build_idmap(disk.items(), local.items(), (), ())
    with pytest.raises(Refused, match="the group numbers"):
        build_idmap((), (), disk.items(), local.items())


def test_a_large_block_moves_in_few_extents() -> None:
    moved = tuple(Moved(name=f"u{n}", on_disk=1000 + n, here=5000 + n) for n in range(500))
    assert len(build_extents(complete(moved))) == 5
    assert build_extents(()) == ((0, 0, LAST_ID + 1),)
