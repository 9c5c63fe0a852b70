"""A valid file, damaged at random: a Controller or BadDefinition, never anything else."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tanist.definition.load import load_controller
from tanist.model.definition import Controller
from tanist.model.errors import BadDefinition

FULL = (Path(__file__).parent / "full.toml").read_bytes()
LINES = FULL.splitlines()
VALUES = st.sampled_from(
    [
        *(b"1", b"-1", b"0", b"1e400", b"nan", b"true", b"1979-05-27", b"07:32:00", b"9" * 4000),
        *(
            b'""',
            b'"/"',
            b'"//"',
            b'"/.."',
            b'"."',
            b'".."',
            b'"-"',
            b'"@"',
            b'"a="',
            b'"="',
            b'"\xc3\xa9"',
            b'"\\u0000"',
        ),
        *(b'"10.0.0.1/33"', b'"::/0"', b'"1.2.3.4/0"', b'"http://["', b'"/etc/cron.d/"', b'".service"'),
        *(b"[]", b"{}", b"[[]]", b"[1]", b'["", ""]', b"{ a = 1 }", b'[{ name = "x" }]', b"[1, { a = [] }]"),
    ]
)
PROBLEM = re.compile(r"full\.toml:(\d+): [^:]+: .+")


def outcome(text: bytes) -> Controller | None:
    try:
        return load_controller(text, "full.toml")
    except BadDefinition as error:
        assert error.problems
        for problem in error.problems:
            match = PROBLEM.fullmatch(problem)
            assert match, problem
            assert 1 <= int(match[1]) <= text.count(b"\n") + 1
        return None


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(FULL)), st.integers(0, 12), st.binary(max_size=6))
def test_bytes_replaced_anywhere(at: int, length: int, new: bytes) -> None:
    outcome(FULL[:at] + new + FULL[at + length :])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(LINES) - 1), VALUES), min_size=1, max_size=5))
@example([(next(i for i, line in enumerate(LINES) if b"interface" in line), b"{}")])
def test_any_value_at_any_key(changes: list[tuple[int, bytes]]) -> None:
    lines = list(LINES)
    for number, value in changes:
        key, equals, _ = lines[number].partition(b" = ")
        if equals:
            lines[number] = key + equals + value
    outcome(b"\n".join(lines))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, len(LINES) - 1), max_size=8), st.lists(st.integers(0, len(LINES) - 1), max_size=4))
def test_lines_dropped_and_doubled(dropped: list[int], doubled: list[int]) -> None:
    lines = [
        line for number, line in enumerate(LINES) if number not in dropped for _ in range(1 + doubled.count(number))
    ]
    outcome(b"\n".join(lines))


@settings(max_examples=100, deadline=None)
@given(st.permutations(re.split(rb"(?m)^(?=\[\[?(?!identity\.))", FULL)[1:]))
def test_the_order_of_tables_does_not_matter_beyond_lists(blocks: list[bytes]) -> None:
    head = FULL[: FULL.index(b"[asset]")]
    controller = outcome(head + b"\n".join(blocks))
    original = outcome(FULL)
    assert controller is not None
    assert original is not None
    assert set(controller.captured_paths) == set(original.captured_paths)
    assert {node.name for node in controller.nodes} == {"ec-a", "ec-b"}


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_at_all(text: bytes) -> None:
    assert outcome(text) is None
