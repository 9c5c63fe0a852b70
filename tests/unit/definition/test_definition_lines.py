from __future__ import annotations

import tomllib
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.definition.lines import Where, index_lines

TEXT = """\
# first
title = "a # no comment [x]"
dotted.key . "with blank" = 1

[owner]   # a comment
name = '''
[not.a.table]
x = 1'''
days = [ 1,
  2, # two ]
  [ 3, "]" ],
]
dob = 1979-05-27 07:32:00

[[fruit]]
name = "apple"
[fruit.physical]
color = "red"
[[fruit.variety]]
name = "x"
[[fruit.variety]]
name = "y"

[[fruit]]
name = \"\"\"
ba\\"\\"\"nana\"\"\"\"
inline = { a = 1, b.c = "}", d = [ { e = 1 }, { e = 2 } ] }
[ 'a.b' . c ]
last = true"""


def test_every_place_of_a_text_has_its_line() -> None:
    found = index_lines(TEXT)
    expected: dict[Where, int] = {
        ("title",): 2,
        ("dotted",): 3,
        ("dotted", "key", "with blank"): 3,
        ("owner",): 5,
        ("owner", "name"): 6,
        ("owner", "days"): 9,
        ("owner", "days", 0): 9,
        ("owner", "days", 1): 10,
        ("owner", "days", 2): 11,
        ("owner", "days", 2, 1): 11,
        ("owner", "dob"): 13,
        ("fruit", 0): 15,
        ("fruit", 0, "physical", "color"): 18,
        ("fruit", 0, "variety"): 19,
        ("fruit", 0, "variety", 1): 21,
        ("fruit", 0, "variety", 1, "name"): 22,
        ("fruit", 1): 24,
        ("fruit", 1, "name"): 25,
        ("fruit", 1, "inline"): 27,
        ("fruit", 1, "inline", "b", "c"): 27,
        ("fruit", 1, "inline", "d", 1, "e"): 27,
        ("a.b", "c"): 28,
        ("a.b", "c", "last"): 29,
    }
    assert {where: found.lines.get(where) for where in expected} == expected
    assert set(places(tomllib.loads(TEXT), ())) <= set(found.lines)


def test_an_unknown_place_has_the_line_of_what_holds_it() -> None:
    found = index_lines(TEXT)
    assert found.find(("fruit", 1, "price")) == 24
    assert found.find(("owner", "days", 2, 7)) == 11
    assert found.find(("nothing",)) == 1
    assert found.find(()) == 1


def test_text_that_never_ends_is_followed_as_far_as_it_goes() -> None:
    assert index_lines('a = 1\n\n[t]\nb = [1,\n 2,\nc = "').last == 4


# -- documents made at random: whatever tomllib finds, the index has, on the line where it was written

KEYS = st.sampled_from(["a", "b", "c", "k-1", "_", "12", '"x y"', "'q.r'", '"\\u0041#"'])
SCALARS = st.sampled_from(["1", "-3.5", "inf", "true", "1979-05-27 07:32:00Z", '"#]}"', "'[a]'", '"\\"="', '""', "0xF"])
LONG = st.sampled_from(['"""\nx = 1\n[a]\n"""', "'''\n'' ]\n'''", '"""a\\\n   b"""', '"""q"""""', "''''q'''"])
GAPS = st.sampled_from(["", " ", "\n", " # ], }\n  ", "\n\n"])
VALUES = st.recursive(
    st.one_of(SCALARS, LONG),
    lambda inner: st.one_of(
        st.builds(
            lambda items, gap: "[" + gap + ("," + gap).join(items) + gap + "]", st.lists(inner, max_size=3), GAPS
        ),
        st.builds(
            lambda pairs: "{" + ", ".join(f" {key} = {value}" for key, value in pairs.items()) + " }",
            st.dictionaries(KEYS, inner, max_size=3),
        ),
    ),
    max_leaves=6,
)
DOTTED = st.lists(KEYS, min_size=1, max_size=3).map(" . ".join)
LINES = st.one_of(
    st.builds(lambda key, value: f"{key} = {value}", DOTTED, VALUES),
    st.builds(lambda key: f"[{key}]", DOTTED),
    st.builds(lambda key: f"[[ {key} ]] # x", DOTTED),
    st.sampled_from(["", "# [c]", "   "]),
)


def places(value: object, where: Where) -> Iterator[Where]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*where, key)
        yield from places(inner, (*where, key))


@settings(max_examples=400, deadline=None)
@given(st.lists(LINES, max_size=12))
def test_the_index_has_every_place_that_the_parser_has(lines: list[str]) -> None:
    kept: list[str] = []
    for line in lines:  # drop what would not parse in its place
        try:
            tomllib.loads("\n".join([*kept, line]))
        except tomllib.TOMLDecodeError:
            continue
        before = set(index_lines("\n".join(kept)).lines)
        kept.append(line)
        text = "\n".join(kept)
        found = index_lines(text).lines
        assert set(places(tomllib.loads(text), ())) == set(found)
        first = text.count("\n") - line.count("\n") + 1
        assert all(found[where] >= first for where in set(found) - before)
        assert all(where in found for where in before)
