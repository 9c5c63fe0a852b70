"""tanist's quick dataclasses beside the standard library's: whatever one does, the other does."""

from __future__ import annotations

import copy
import dataclasses as library
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from tanist.model import dataclasses as quick

Make = Callable[[Any], dict[str, Any]]


def make(kind: Any) -> dict[str, Any]:
    @kind.dataclass(frozen=True, slots=True, kw_only=True)
    class Point:
        KINDS: ClassVar[int] = 3
        x: int
        y: int = 2
        names: tuple[str, ...] = kind.field(default=())

        @property
        def sum(self) -> int:
            return self.x + self.y

    @kind.dataclass(frozen=True, slots=True)
    class Pair:
        left: str
        right: str = "r"

    @kind.dataclass(slots=True)
    class Bag:
        first: int
        items: list[int] = kind.field(default_factory=list)

    @kind.dataclass(slots=True, eq=False)
    class Handle:
        number: int

    @kind.dataclass(frozen=True, slots=True, kw_only=True)
    class Deep(Point):
        z: int = 9

    @kind.dataclass(slots=True, kw_only=True, init=False)
    class Own:
        first: int
        second: int = 2

        def __init__(self, *, first: int, second: int = 2) -> None:
            self.first, self.second = 10 * first, second

    return {"Point": Point, "Pair": Pair, "Bag": Bag, "Handle": Handle, "Deep": Deep, "Own": Own}


OURS, THEIRS = make(quick), make(library)
BOTH = pytest.mark.parametrize("kinds", [OURS, THEIRS], ids=["tanist", "library"])


@BOTH
def test_values_defaults_and_methods(kinds: dict[str, Any]) -> None:
    point = kinds["Point"](x=1)
    assert (point.x, point.y, point.names, point.sum, point.KINDS) == (1, 2, (), 3, 3)
    assert kinds["Pair"]("a") == kinds["Pair"](left="a", right="r")
    assert kinds["Deep"](x=1).z == 9 and kinds["Deep"](x=1).sum == 3
    bag = kinds["Bag"](1)
    assert bag.items == [] and kinds["Bag"](1).items is not bag.items
    own = kinds["Own"](first=1)
    assert (own.first, own.second) == (10, 2) and own == kinds["Own"](first=1) != kinds["Own"](first=2)


@BOTH
@pytest.mark.parametrize(
    ("name", "positional", "named"),
    [
        ("Point", (), {}),
        ("Point", (1,), {}),
        ("Point", (), {"x": 1, "w": 2}),
        ("Point", (), {"x": 1, "y": 2, "names": (), "w": 2}),
        ("Pair", ("a", "b", "c"), {}),
        ("Pair", ("a",), {"left": "b"}),
        ("Pair", (), {"right": "b"}),
    ],
)
def test_wrong_arguments_are_a_type_error(
    kinds: dict[str, Any], name: str, positional: tuple[Any, ...], named: dict[str, Any]
) -> None:
    with pytest.raises(TypeError):
        kinds[name](*positional, **named)


@BOTH
def test_equality_and_hash(kinds: dict[str, Any]) -> None:
    point, bag, handle = kinds["Point"], kinds["Bag"], kinds["Handle"]
    assert point(x=1) == point(x=1) != point(x=2)
    assert hash(point(x=1)) == hash(point(x=1)) and len({point(x=1), point(x=1), point(x=2)}) == 2
    assert point(x=1) != kinds["Deep"](x=1) and point(x=1) != (1, 2, ())
    assert bag(1) == bag(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(bag(1))
    assert handle(1) != handle(1) and isinstance(hash(handle(1)), int)


@BOTH
def test_frozen_means_frozen(kinds: dict[str, Any]) -> None:
    point = kinds["Point"](x=1)
    with pytest.raises(library.FrozenInstanceError):
        point.x = 2
    with pytest.raises(library.FrozenInstanceError):
        del point.x
    with pytest.raises((AttributeError, TypeError)):  # the library's own trips over its slots here
        point.other = 2
    bag = kinds["Bag"](1)
    bag.first = 2
    assert bag.first == 2
    with pytest.raises(AttributeError):
        bag.other = 1


@BOTH
def test_the_text_and_a_match(kinds: dict[str, Any]) -> None:
    assert repr(kinds["Pair"]("a")).endswith("Pair(left='a', right='r')")
    assert repr(kinds["Deep"](x=1)).endswith("Deep(x=1, y=2, names=(), z=9)")
    match kinds["Pair"]("a", "b"):
        case object(left="a", right=found):
            assert found == "b"
    assert kinds["Pair"].__match_args__ == ("left", "right") and kinds["Point"].__match_args__ == ()


@BOTH
def test_the_librarys_functions_work_on_both(kinds: dict[str, Any]) -> None:
    kind: Any = kinds["Point"]
    point: Any = kind(x=1)
    for functions in (library, quick):
        assert functions.replace(point, y=5) == kind(x=1, y=5)
        with pytest.raises(TypeError):
            functions.replace(point, w=5)
    assert [one.name for one in library.fields(kinds["Deep"])] == ["x", "y", "names", "z"]
    assert library.asdict(point) == {"x": 1, "y": 2, "names": ()}
    ours: Any = quick.fields(kinds["Bag"])
    assert [(one.name, one.default is quick.MISSING) for one in ours] == [("first", True), ("items", True)]
    assert ours[1].default_factory is list and ours[0].type == "int"
    assert [one.is_dataclass(it) for one in (library, quick) for it in (point, kind, 3, int)] == [
        True,
        True,
        False,
        False,
    ] * 2


@BOTH
def test_a_copy_is_equal(kinds: dict[str, Any]) -> None:
    for value in (kinds["Point"](x=1), kinds["Bag"](1, [2])):
        assert copy.copy(value) == value and copy.deepcopy(value) == value


def test_a_value_can_be_pickled() -> None:
    from tanist.model.host import Address

    address = Address(interface="eth0", address="10.0.0.1", prefix=24)
    assert pickle.loads(pickle.dumps(address)) == address


@BOTH
def test_a_mutable_default_is_refused(kinds: dict[str, Any]) -> None:
    kind: Any = quick if kinds is OURS else library
    with pytest.raises(ValueError, match="mutable default"):

        @kind.dataclass(slots=True)
        class Wrong:
            items: list[int] = []  # noqa: RUF012 - that is the point


def test_the_commands_of_an_outage_do_without_the_library() -> None:
    """inspect, ast and compiled methods took a third of the time before a release's first act."""
    code = "import sys, tanist.runs.takeover, tanist.runs.release; sys.exit('dataclasses' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
