"""Values to JSON and back: exactly, or an error that names the place."""

from __future__ import annotations

import json
import typing
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.model.codec import decode, encode
from tanist.model.evidence import Says
from tanist.model.host import IdMap
from tanist.model.run import Body, Record, StepDone
from tanist.model.steps import PlannedStep, StepSpec
from tests.unit.model.examples import BODIES, MAP, STEPS


def through_json(value: object) -> object:
    return json.loads(json.dumps(encode(value)))


@pytest.mark.parametrize("spec", STEPS, ids=lambda spec: type(spec).__name__)
def test_every_kind_of_step_comes_back_as_it_was(spec: StepSpec) -> None:
    step = PlannedStep(id="a.1", says="does it", direction="apply", spec=spec)
    assert decode(PlannedStep, through_json(step)) == step


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_every_record_comes_back_as_it_was(body: Body) -> None:
    record = Record(n=1, at=1_700_000_000.123456, boot="b1", body=body)
    assert decode(Record, through_json(record)) == record


def test_no_kind_is_without_an_example() -> None:
    assert {type(spec) for spec in STEPS} == set(typing.get_args(StepSpec))
    assert {type(body) for body in BODIES} == set(typing.get_args(Body))


def test_names_of_kinds_are_unique() -> None:
    names = [kind.__name__ for kind in (*typing.get_args(StepSpec), *typing.get_args(Body))]
    assert len(names) == len(set(names))


EXTENTS = st.lists(st.tuples(*[st.integers(0, 2**32 - 1)] * 3), max_size=5).map(tuple)


@given(st.builds(IdMap, users=EXTENTS, groups=EXTENTS))
def test_any_map_comes_back(idmap: IdMap) -> None:
    assert decode(IdMap, through_json(idmap)) == idmap


@given(st.builds(StepDone, step=st.text(), seconds=st.floats(allow_nan=False, allow_infinity=False)))
def test_any_text_and_number_comes_back(body: StepDone) -> None:
    record = Record(n=1, at=0.0, boot="", body=body)
    assert decode(Record, through_json(record)) == record


PLACES: list[tuple[str, object, str]] = [
    ("is", "Nonsense", "unknown kind 'Nonsense'"),
    ("is", None, "unknown kind None"),
    ("seconds", "0.5", r"record\.body\.seconds: expected float, found str"),
    ("seconds", True, r"expected float, found bool"),
    ("step", 1, r"record\.body\.step: expected str, found int"),
    ("step", None, r"expected str, found NoneType"),
    ("more", 1, "unknown field 'more'"),
]


@pytest.mark.parametrize(("field", "value", "says"), PLACES)
def test_what_does_not_fit_is_refused_by_name(field: str, value: object, says: str) -> None:
    body = {"is": "StepDone", "step": "a.1", "seconds": 0.5, field: value}
    with pytest.raises(ValueError, match=says):
        decode(Record, {"n": 1, "at": 0.0, "boot": "b", "body": body}, "record")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"body": "StepDone"}, r"record\.body: str does not fit here"),
        ({"body": []}, r"record\.body: list does not fit here"),
        ({"n": 1.0}, r"record\.n: expected int, found float"),
        ({"n": True}, r"record\.n: expected int, found bool"),
        ({"boot": ...}, r"record: 'boot' is missing"),
    ],
)
def test_a_record_that_is_no_record_is_refused(change: dict[str, object], says: str) -> None:
    fields: dict[str, object] = {"n": 1, "at": 0, "boot": "b", "body": {"is": "StepBegun", "step": "a.1"}, **change}
    with pytest.raises(ValueError, match=says):
        decode(Record, {key: value for key, value in fields.items() if value is not ...}, "record")


@dataclass(frozen=True)
class Odd:
    pair: tuple[int, str]
    word: typing.Literal["yes", "no"]
    says: Says
    number: int | str | None = None
    anything: typing.Any = None


GOOD = {"pair": [1, "a"], "word": "yes", "says": "alive"}


def test_tuples_literals_enums_and_optional_values_are_checked() -> None:
    assert decode(Odd, {**GOOD, "number": 3, "anything": [1]}) == Odd((1, "a"), "yes", Says.ALIVE, 3, [1])
    assert decode(Odd, {**GOOD, "number": None}).number is None
    wrong: tuple[tuple[dict[str, object], str], ...] = (
        ({"pair": [1]}, "expected 2 items, found 1"),
        ({"pair": "1a"}, "expected a list, found str"),
        ({"word": "maybe"}, "'maybe' is none of 'yes', 'no'"),
        ({"says": "perhaps"}, "perhaps"),
        ({"number": 1.5}, "float does not fit"),
    )
    for change, says in wrong:
        with pytest.raises(ValueError, match=says):
            decode(Odd, {**GOOD, **change})
    with pytest.raises(ValueError, match="expected an object, found list"):
        decode(Odd, [])


def test_what_is_no_value_is_not_encoded() -> None:
    with pytest.raises(TypeError, match="cannot encode a set"):
        encode({1})
    with pytest.raises(TypeError, match="cannot encode a type"):
        encode(Odd)
    assert encode(replace(MAP, users=()))["users"] == []
