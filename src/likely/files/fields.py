"""Plain dictionaries, as JSON has them, to dataclasses: every field by its declared type and range, or not at all."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from likely.errors import quoted

__all__ = ["built", "conform"]

T = TypeVar("T")
NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def built(cls: type[T], values: Any, where: str, ranges: Mapping[str, tuple[float, float]] | None = None) -> T:
    """An instance of a dataclass.

    Parameters
    ----------
    cls
        The dataclass: the types of its fields are what their values must be; lists become tuples, names enums.
    values
        Field -> value; fields with a default may be left out.
    where
        What the values are of, for messages.
    ranges
        Field -> the least and the most that it may be, where it is not `None`.

    Raises
    ------
    ValueError
        If a field is lacking, unknown, of another type, or out of its range.

    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{where} is no object")
    known = {item.name: item for item in dataclasses.fields(cast(Any, cls)) if item.init}
    unknown = next((name for name in values if name not in known), None)
    if unknown is not None:
        raise ValueError(f"{where} has an unknown field {quoted(unknown)}")
    hints = _hints(cast(Any, cls))
    made = {name: conform(hints[name], value, f"{where}.{name}") for name, value in values.items()}
    for name, (least, most) in (ranges or {}).items():
        if made.get(name) is not None and not least <= made[name] <= most:
            raise ValueError(f"{where}.{name} is {quoted(made[name])}, expected {least:g} to {most:g}")
    none = (dataclasses.MISSING, dataclasses.MISSING)
    lacking = next(
        (n for n, one in known.items() if n not in made and (one.default, one.default_factory) == none), None
    )
    if lacking is not None:
        raise ValueError(f"{where} lacks {lacking}")
    return cls(**made)


def conform(hint: Any, value: Any, where: str) -> Any:
    """The value, if it is of a declared type, as that type.

    Raises
    ------
    ValueError
        If it is not.

    """
    if hint is Any:
        return value
    kind, arguments = get_origin(hint) or hint, get_args(hint)
    if kind in (Union, types.UnionType):
        return _any_of(arguments, value, where)
    if kind is Literal and isinstance(value, str) and value in arguments:
        return value
    if kind is tuple and isinstance(value, (list, tuple)):
        return _tuple(arguments, value, where)
    if kind is list and isinstance(value, list):
        return [conform(arguments[0], one, where) for one in value]
    if kind in (dict, Mapping) and isinstance(value, Mapping):
        return {conform(arguments[0], name, where): conform(arguments[1], one, where) for name, one in value.items()}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return built(kind, value, where)
    if (
        isinstance(kind, type)
        and issubclass(kind, Enum)
        and isinstance(value, str)
        and value in [one.value for one in kind]
    ):
        return kind(value)
    if kind is float and type(value) in (int, float):
        return value
    if isinstance(kind, type) and (type(value) is kind if kind in NAMES else isinstance(value, kind)):
        return value
    raise ValueError(f"{where} is {quoted(value)}, expected {NAMES.get(kind, getattr(kind, '__name__', kind))}")


def _any_of(hints: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in hints:
        return None
    for hint in hints[:-1]:
        try:
            return conform(hint, value, where)
        except ValueError:
            continue
    others = [hint for hint in hints if hint is not type(None)]
    return conform(others[-1], value, where)


def _tuple(hints: tuple[Any, ...], values: Any, where: str) -> tuple[Any, ...]:
    if hints[-1] is Ellipsis:
        return tuple(conform(hints[0], value, where) for value in values)
    if len(hints) != len(values):
        raise ValueError(f"{where} has {len(values)} values, expected {len(hints)}")
    return tuple(conform(hint, value, where) for hint, value in zip(hints, values, strict=True))


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)
