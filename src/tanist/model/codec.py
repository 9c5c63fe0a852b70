"""Dataclasses to JSON values and back, strictly typed.

In: a frozen dataclass whose fields are str, int, float, bool, None, Literal, Enum, tuples, dataclasses or unions of
these (at most one tuple among them). Out: dicts and lists for the json module; a union member carries its class name
as "is". `decode` raises ValueError that names the place for anything that does not fit. It never guesses and never
calls code.
"""

from __future__ import annotations

import types
import typing
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from tanist.model import dataclasses

T = TypeVar("T")


def encode(value: object) -> Any:
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        body = {field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"is": type(value).__name__, **body}
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise TypeError(f"cannot encode a {type(value).__name__}")


def decode(kind: type[T], data: Any, where: str = "value") -> T:
    return typing.cast(T, _decode(kind, data, where))


def _decode(kind: Any, data: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if kind is typing.Any:
        return data
    if origin in (typing.Union, types.UnionType):
        return _decode_union(typing.get_args(kind), data, where)
    if origin is typing.Literal:
        if data not in typing.get_args(kind):
            raise ValueError(f"{where}: {data!r} is none of {', '.join(map(repr, typing.get_args(kind)))}")
        return data
    if origin is tuple:
        return _decode_tuple(typing.get_args(kind), data, where)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _decode_dataclass(kind, data, where)
    return _decode_scalar(kind, data, where)


def _decode_scalar(kind: Any, data: Any, where: str) -> Any:
    if kind is float and type(data) is int:
        return float(data)
    if kind in (str, int, float, bool) and type(data) is kind:
        return data
    raise ValueError(f"{where}: expected {getattr(kind, '__name__', kind)}, found {type(data).__name__}")


def _decode_union(members: tuple[Any, ...], data: Any, where: str) -> Any:
    if data is None and type(None) in members:
        return None
    if isinstance(data, dict):
        for member in members:
            if dataclasses.is_dataclass(member) and member.__name__ == data.get("is"):  # type: ignore[union-attr]
                return _decode(member, data, where)
        raise ValueError(f"{where}: unknown kind {data.get('is')!r}")
    if isinstance(data, list):
        for member in members:
            if typing.get_origin(member) is tuple:
                return _decode(member, data, where)
    for member in members:
        if type(data) is member:
            return data
    raise ValueError(f"{where}: {type(data).__name__} does not fit here")


def _decode_tuple(args: tuple[Any, ...], data: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(data, list):
        raise ValueError(f"{where}: expected a list, found {type(data).__name__}")
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(_decode(args[0], item, f"{where}[{i}]") for i, item in enumerate(data))
    if len(args) != len(data):
        raise ValueError(f"{where}: expected {len(args)} items, found {len(data)}")
    return tuple(_decode(arg, item, f"{where}[{i}]") for i, (arg, item) in enumerate(zip(args, data, strict=True)))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _decode_dataclass(kind: type, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise ValueError(f"{where}: expected an object, found {type(data).__name__}")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = set(data) - set(fields) - {"is"}
    if unknown:
        raise ValueError(f"{where}: unknown field {min(unknown)!r}")
    values = {name: _decode(_hints(kind)[name], data[name], f"{where}.{name}") for name in fields if name in data}
    missing = [name for name, field in fields.items() if name not in values and _required(field)]
    if missing:
        raise ValueError(f"{where}: {missing[0]!r} is missing")
    return kind(**values)


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
