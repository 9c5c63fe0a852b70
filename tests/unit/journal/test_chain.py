"""The chain of the history: what a hand that changes, removes or moves an entry leaves, in every class of bytes."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Sequence

import pytest

from tanist.journal.chain import Copy, Entry, heads, in_order, lacking, parse_copy, parse_entry, render_entry
from tanist.journal.check_chain import Finding, check_copies

OLD = b'{"ended": "2026-01-01T00:00:00+00:00", "format": 1, "node": "ec-a", "outcome": "done", "run": "r0"}'


def entry(run: str, *previous: Entry, node: str = "ec-a", ended: str = "") -> Entry:
    when = ended or f"2026-11-22T10:00:{int(run[1:]):02d}.000+00:00"
    fields = {"run": run, "node": node, "ended": when, "reason": 'said "so" ü', "seconds": 1.5, "steps": [["a", 0.1]]}
    return parse_entry(render_entry(fields, [(one.run, one.sum) for one in previous]))


def chain(count: int, node: str = "ec-a") -> list[Entry]:
    found: list[Entry] = []
    for number in range(1, count + 1):
        found.append(entry(f"r{number}", *found[-1:], node=node))
    return found


def copy_of(entries: Sequence[Entry]) -> Copy:
    return parse_copy(b"".join(one.line for one in entries))


def grave(*copies: Copy, names: Sequence[str] = ("ec-a", "ec-b", "the asset")) -> list[str]:
    found = check_copies(dict(zip(names, copies, strict=False)))
    return [f"{one.copy}: {one.says}" for one in found if one.grave]


def notes(*copies: Copy, names: Sequence[str] = ("ec-a", "ec-b", "the asset")) -> list[Finding]:
    return [one for one in check_copies(dict(zip(names, copies, strict=False))) if not one.grave]


def test_an_untouched_chain_is_intact() -> None:
    whole = copy_of(chain(4))
    assert check_copies({"ec-a": whole, "ec-b": whole, "the asset": whole}) == ()
    assert check_copies({"ec-a": Copy()}) == ()


def test_every_byte_of_a_line_that_is_changed_is_found_and_the_line_named() -> None:
    """Each byte of an entry in the middle: a bit turned, taken out, doubled; whatever it is a part of."""
    one, two, three = chain(3)
    for at, change in itertools.product(range(len(two.line) - 1), ("turn", "remove", "double")):
        byte = two.line[at : at + 1]
        put = {"turn": bytes([byte[0] ^ 1]), "remove": b"", "double": byte * 2}[change]
        if put == b"\n":
            continue
        line = two.line[:at] + put + two.line[at + 1 :]
        found = grave(parse_copy(one.line + line + three.line))
        assert found, (at, change, line)
        assert "line 2" in found[0] or "r2" in found[0], found


@pytest.mark.parametrize("seed", range(20))
def test_random_damage_is_never_taken_for_an_intact_history(seed: int) -> None:
    whole = b"".join(one.line for one in chain(4))
    dice = random.Random(seed)
    for _ in range(50):
        start = dice.randrange(len(whole) - 1)
        end = min(start + dice.randrange(1, 40), len(whole))
        put = dice.randbytes(dice.randrange(0, 20))
        hurt = whole[:start] + put + whole[end:]
        copy = parse_copy(hurt)
        if hurt == whole or (hurt == whole[:start] and not copy.damaged):
            continue  # cut short: that is for the other copies to say
        assert grave(copy, parse_copy(whole)) or copy.tail, (seed, hurt)


def test_a_value_changed_with_a_sum_made_new_is_found_by_the_entry_that_follows() -> None:
    one, two, three = chain(3)
    fields = {key: value for key, value in two.fields.items() if key not in ("format", "previous", "sum")}
    forged = parse_entry(render_entry({**fields, "reason": "never said"}, two.previous))
    assert grave(copy_of([one, forged, three])) == [
        f"ec-a: altered: r2 is not the entry that r3 follows ({two.sum[:12]})"
    ]


def test_the_last_entry_changed_with_a_new_sum_is_found_by_the_other_copies() -> None:
    one, two = chain(2)
    forged = parse_entry(render_entry({"run": "r2", "node": "ec-a", "ended": two.ended}, two.previous))
    found = grave(copy_of([one, forged]), copy_of([one, two]))
    assert found == [f": r2 is told in 2 ways: {forged.sum[:12]} (ec-a); {two.sum[:12]} (ec-b)"]


def test_a_removed_entry_is_named() -> None:
    one, two, three = chain(3)
    assert grave(copy_of([one, three])) == ["ec-a: removed: r2, which r3 follows, is not there"]
    assert grave(copy_of([two, three])) == ["ec-a: removed: r1, which r2 follows, is not there"]


def test_entries_cut_off_at_the_end_of_a_nodes_own_copy_are_found_by_another_copy() -> None:
    entries = chain(3)
    found = grave(copy_of(entries[:1]), copy_of(entries))
    assert found == ["ec-a: removed: r2, r3, written on ec-a itself and known to another copy"]
    assert grave(Copy(), copy_of(entries), names=("ec-a", "the asset"))


def test_a_copy_that_is_merely_behind_is_no_offence() -> None:
    entries = chain(3)
    assert grave(copy_of(entries), copy_of(entries[:1])) == []
    (note,) = notes(copy_of(entries), copy_of(entries[:1]))
    assert note.copy == "ec-b" and note.says.startswith("lacks 2 that other copies have") and "r2, r3" in note.says
    many = chain(8)
    assert "r6, ..." in notes(copy_of(many), Copy())[0].says or "r5, ..." in notes(copy_of(many), Copy())[0].says


def test_entries_in_another_order_are_found() -> None:
    one, two, three = chain(3)
    assert grave(copy_of([one, three, two])) == ["ec-a: reordered: r2 stands behind r3, which follows it"]


def test_an_entry_that_stands_there_twice_is_found() -> None:
    one, two = chain(2)
    assert grave(copy_of([one, two, two])) == ["ec-a: repeated: r2 stands there twice"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"rubbish", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[1]", "not an object"),
        (b'{"format":3,"run":"r2"}', "format 3, this tanist knows 2"),
        (b'{"format":1,"run":"r2"}', "it does not say which run it is, of which node and when"),
        (b'{"ended":"","format":2,"node":"","run":"r2","sum":"0"}', "its sum does not fit"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_a_line_that_is_no_entry_is_told_with_its_number(line: bytes, why: str) -> None:
    one, _, three = chain(3)
    (found, *_) = grave(parse_copy(one.line + line + b"\n" + three.line))
    assert "line 2" in found and why in found


def test_a_line_with_the_right_sum_and_other_bytes_is_found() -> None:
    (one,) = chain(1)
    spaced = json.dumps(one.fields, sort_keys=True).encode()
    with pytest.raises(ValueError, match="not a byte"):
        parse_entry(spaced)


@pytest.mark.parametrize("previous", [None, "r1", [["r1"]], [["r1", 2]], ["r1"]])
def test_what_an_entry_follows_must_be_told_as_written(previous: object) -> None:
    import hashlib

    from tanist.journal.chain import canonical

    body = {"format": 2, "run": "r1", "node": "a", "ended": "", "previous": previous}
    line = canonical({**body, "sum": hashlib.sha256(canonical(body)).hexdigest()})
    with pytest.raises(ValueError, match="what it follows"):
        parse_entry(line)


def test_a_torn_tail_is_a_note_at_every_byte() -> None:
    one, two = chain(2)
    whole = one.line + two.line
    for cut in range(len(one.line) + 1, len(whole)):
        copy = parse_copy(whole[:cut])
        assert [x.run for x in copy.entries] == ["r1"] and copy.damaged == ()
        assert grave(copy) == []
        assert "cut short" in notes(copy)[0].says


def test_branches_are_explained_and_joined_by_the_next_that_knows_both() -> None:
    base = chain(2)
    left, right = entry("r3", base[-1]), entry("r4", base[-1], node="ec-b")
    apart = copy_of([*base, left, right])
    assert grave(apart) == []
    assert [one.says for one in notes(apart)] == [
        "written apart from each other: r3 | r4; the next run that knows both joins them"
    ]
    assert sorted(heads(apart.entries)) == [("r3", left.sum), ("r4", right.sum)]
    joined = copy_of([*base, left, right, entry("r5", left, right)])
    assert [one.says for one in notes(joined)] == ["written apart from each other: r3 | r4; joined by r5"]


def test_the_order_of_branches_in_a_copy_is_free() -> None:
    base = chain(1)
    left, right = entry("r2", base[-1]), entry("r3", base[-1], node="ec-b")
    last = entry("r4", left, right)
    one, other = copy_of([*base, left, right, last]), copy_of([*base, right, left, last])
    assert grave(one, other) == []
    assert in_order(one.entries) == in_order(other.entries)


def test_what_a_copy_lacks_comes_in_an_order_in_which_it_can_be_appended() -> None:
    entries = chain(5)
    assert lacking(entries[:2], reversed(entries)) == tuple(entries[2:])
    assert lacking(entries, entries) == ()


def test_a_clock_set_back_a_year_changes_no_order_and_is_told() -> None:
    one = entry("r1", ended="2026-11-22T10:00:00.000+00:00")
    two = entry("r2", one, ended="2025-11-22T10:00:00.000+00:00")
    three = entry("r3", two, ended="2025-11-22T10:01:00.000+00:00")
    assert [x.run for x in in_order([three, two, one])] == ["r1", "r2", "r3"]
    (note,) = notes(copy_of([one, two, three]))
    assert "a clock was set back: r2 ended at 2025-11-22" in note.says
    odd = entry("r2", one, ended="yesterday")
    assert grave(copy_of([one, odd])) == []


def test_entries_from_before_the_chain_are_read_and_covered_by_the_first_chained_one() -> None:
    old = parse_entry(OLD)
    assert (old.run, old.previous) == ("r0", ())
    new = entry("r1", old)
    copy = parse_copy(OLD + b"\n" + new.line)
    assert check_copies({"ec-a": copy}) == ()
    hurt = parse_copy(OLD.replace(b'"done"', b'"undone"') + b"\n" + new.line)
    assert grave(hurt) == [f"ec-a: altered: r0 is not the entry that r1 follows ({old.sum[:12]})"]
    many = [parse_entry(OLD.replace(b'"r0"', b'"x%d"' % number)) for number in range(3)]
    assert check_copies({"ec-a": copy_of([*many, entry("r1", *many)])}) == ()
