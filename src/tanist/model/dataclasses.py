"""The standard library's dataclasses, as far as tanist uses them, made without compiling code at every start.

The library writes the methods of each class as source text and compiles it whenever a process starts, and brings
inspect, ast and tokenize along: measured, 40 of the 130 ms that a release took before its first act. Here methods are
closures over the names of the fields. Same calls, same behaviour (tests/unit/model/test_dataclasses.py holds one
beside the other); a type checker sees the library's own. Always with slots=True. The library's own functions (fields,
replace, is_dataclass) work on these classes.
"""

from __future__ import annotations

from operator import attrgetter

TYPE_CHECKING = False  # as in typing, whose import takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from dataclasses import MISSING as MISSING
    from dataclasses import Field as Field
    from dataclasses import dataclass as dataclass
    from dataclasses import field as field
    from dataclasses import fields as fields
    from dataclasses import is_dataclass as is_dataclass
    from dataclasses import replace as replace
    from typing import Any, NoReturn

    Setter = Callable[[Any, Any], None]

PARTS = "__tanist_fields__"  # of a class: {name: _Field}


_MISSING: Any = object()


class _Field:
    __slots__ = ("default", "default_factory", "name", "type")

    def __init__(self, default: Any = _MISSING, default_factory: Any = _MISSING) -> None:
        self.name = ""
        self.type: Any = ""
        self.default = default
        self.default_factory = default_factory


class _LibraryFields:
    """`__dataclass_fields__`: made for those who ask by the library's own means."""

    def __get__(self, instance: object, owner: type) -> dict[str, Any]:
        import dataclasses

        made: dict[str, Any] = {}
        for one in getattr(owner, PARTS).values():
            defaults = {key: getattr(one, key) for key in ("default", "default_factory")}
            field: Any = dataclasses.field(**{key: it for key, it in defaults.items() if it is not _MISSING})
            field.name, field.type, field._field_type = one.name, one.type, dataclasses._FIELD  # type: ignore[attr-defined]
            made[one.name] = field
        return made


_LIBRARY_FIELDS = _LibraryFields()


def _dataclass(
    *, slots: bool, frozen: bool = False, kw_only: bool = False, eq: bool = True, init: bool = True
) -> Callable[[type], type]:
    """`init` false: the class has an `__init__` of its own, for one of which there are many."""
    if not slots:
        raise TypeError("a dataclass of tanist has slots=True")
    return lambda cls: _make(cls, frozen, kw_only, eq, init)


def _make(cls: type, frozen: bool, kw_only: bool, eq: bool, init: bool) -> type:
    found: dict[str, _Field] = {}
    for base in reversed(cls.__mro__[1:]):
        found.update(base.__dict__.get(PARTS, {}))
    inherited = set(found)
    body = dict(cls.__dict__)
    for name, annotation in body.get("__annotations__", {}).items():
        if not str(annotation).startswith(("ClassVar", "typing.ClassVar")):
            found[name] = _read_field(name, annotation, body.pop(name, _MISSING))
    for name in ("__dict__", "__weakref__"):
        body.pop(name, None)
    body["__slots__"] = tuple(name for name in found if name not in inherited)
    body[PARTS] = found
    body["__dataclass_fields__"] = _LIBRARY_FIELDS
    body["__match_args__"] = () if kw_only else tuple(found)
    if eq:
        body.setdefault("__eq__", _compare(tuple(found)))
        body["__hash__"] = _hash(tuple(found)) if frozen else None
    if frozen:
        body.update(__setattr__=_refuse_set, __delattr__=_refuse_delete)
    body.setdefault("__repr__", _represent)
    made = type(cls)(cls.__name__, cls.__bases__, body)
    made.__qualname__ = cls.__qualname__
    setters = tuple((name, getattr(made, name).__set__) for name in found)
    body_of: Any = made
    if init:
        body_of.__init__ = _initializer(made.__qualname__, found, setters, kw_only)
    body_of.__getstate__, body_of.__setstate__ = _get_state, _set_state(setters)
    return made


def _read_field(name: str, annotation: Any, default: Any) -> _Field:
    found = default if isinstance(default, _Field) else _Field(default)
    if found.default is not _MISSING and type(found.default).__hash__ is None:
        raise ValueError(f"mutable default {type(found.default)} for field {name}: use default_factory")
    found.name, found.type = name, annotation
    return found


def _initializer(
    label: str, found: dict[str, _Field], setters: tuple[tuple[str, Setter], ...], kw_only: bool
) -> Callable[..., None]:
    order, count = tuple(found), len(found)
    defaults = {name: one.default for name, one in found.items() if one.default is not _MISSING}
    made = {name: one.default_factory for name, one in found.items() if one.default_factory is not _MISSING}

    def __init__(self: Any, *positional: Any, **given: Any) -> None:
        if positional:
            _name_positional(label, () if kw_only else order, positional, given)
        values = defaults | given if len(given) != count else given
        if len(values) != count:
            _complete(label, order, made, values)
        try:
            for name, put in setters:
                put(self, values[name])
        except KeyError:
            _complete(label, order, made, values)
            raise

    return __init__


def _complete(label: str, order: tuple[str, ...], made: dict[str, Any], values: dict[str, Any]) -> None:
    for name in order:
        if name not in values:
            if name not in made:
                raise TypeError(f"{label}() lacks {name!r}")
            values[name] = made[name]()
    if len(values) != len(order):
        raise TypeError(f"{label}() has no {', '.join(map(repr, values.keys() - set(order)))}")


def _name_positional(label: str, names: tuple[str, ...], positional: tuple[Any, ...], given: dict[str, Any]) -> None:
    if len(positional) > len(names):
        raise TypeError(f"{label}() takes {len(names)} positional arguments, {len(positional)} were given")
    for name, value in zip(names, positional, strict=False):
        if name in given:
            raise TypeError(f"{label}() got {name!r} twice")
        given[name] = value


def _compare(names: tuple[str, ...]) -> Callable[[Any, Any], Any]:
    values = attrgetter(*names) if names else lambda _self: ()

    def __eq__(self: Any, other: Any) -> Any:
        if type(other) is not type(self):
            return NotImplemented
        return values(self) == values(other)

    return __eq__


def _hash(names: tuple[str, ...]) -> Callable[[Any], int]:
    return lambda self: hash(tuple(getattr(self, name) for name in names))


def _represent(self: Any) -> str:
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name in getattr(self, PARTS))
    return f"{type(self).__qualname__}({values})"


def _refuse_set(_self: Any, name: str, _value: Any) -> NoReturn:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(_self: Any, name: str) -> NoReturn:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _get_state(self: Any) -> list[Any]:
    return [getattr(self, name) for name in getattr(self, PARTS)]


def _set_state(setters: tuple[tuple[str, Setter], ...]) -> Callable[[Any, list[Any]], None]:
    def __setstate__(self: Any, state: list[Any]) -> None:
        for (_, put), value in zip(setters, state, strict=True):
            put(self, value)

    return __setstate__


def _fields(kind: Any) -> Iterable[_Field]:
    """Of the library's own dataclasses, too."""
    if hasattr(kind, PARTS):
        return tuple(getattr(kind, PARTS).values())
    import dataclasses

    found = []
    for one in dataclasses.fields(kind):
        defaults = (_MISSING if it is dataclasses.MISSING else it for it in (one.default, one.default_factory))
        found.append(_Field(*defaults))
        found[-1].name, found[-1].type = one.name, one.type
    return tuple(found)


def _is_dataclass(kind: Any) -> bool:
    return hasattr(kind, PARTS) or hasattr(kind, "__dataclass_fields__")


def _replace(value: Any, /, **changes: Any) -> Any:
    for one in _fields(value):
        if one.name not in changes:
            changes[one.name] = getattr(value, one.name)
    return type(value)(**changes)


if not TYPE_CHECKING:
    MISSING, Field, dataclass, field = _MISSING, _Field, _dataclass, _Field
    fields, is_dataclass, replace = _fields, _is_dataclass, _replace
