"""JSON to dataclasses. Keys that a class does not have are newer than it, and ignored."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from typing import Any, TypeVar

T = TypeVar("T")


def decode(cls: type[T], data: dict[str, Any]) -> T:
    """Make a ``cls`` of a JSON object; a missing key becomes the field's default, else None."""
    fields: list[tuple[str, Any]] = _fields(cls)  # type: ignore[arg-type]
    return cls(**{name: _value(kind, data[name]) for name, kind in fields if name in data}, **_missing(cls, data))


@functools.cache
def _fields(cls: Any) -> list[tuple[str, Any]]:
    hints = typing.get_type_hints(cls)
    return [(field.name, hints[field.name]) for field in dataclasses.fields(cls) if field.init]


def _missing(cls: type, data: dict[str, Any]) -> dict[str, None]:
    return {
        field.name: None
        for field in dataclasses.fields(cls)
        if field.init
        and field.name not in data
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    }


def _value(kind: Any, value: Any) -> Any:
    origin = typing.get_origin(kind)
    if value is None:
        return None
    if origin is types.UnionType or origin is typing.Union:
        return _value(next(arm for arm in typing.get_args(kind) if arm is not types.NoneType), value)
    if origin is tuple:
        return tuple(_value(typing.get_args(kind)[0], item) for item in value)
    if origin is dict:
        return dict(value)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return decode(kind, value)
    return float(value) if kind is float else value
