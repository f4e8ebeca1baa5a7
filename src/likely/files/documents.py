"""JSON that others may have written: read strictly, or not at all."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["MAX_DOCUMENT_BYTES", "parsed"]

MAX_DOCUMENT_BYTES = 2**28  # of a document: 100,000 columns with their knots and categories take about 2^26
MAX_DEPTH = 50  # of objects and lists in each other; ours have at most 12


def parsed(content: bytes) -> Any:
    """What a JSON document holds.

    Parameters
    ----------
    content
        UTF-8.

    Raises
    ------
    ValueError
        If it is no JSON, names a key of an object twice, holds numbers that are not finite or integers beyond 64 bits,
        or nests too deep.

    """
    try:
        values = json.loads(
            content.decode(), object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite, parse_int=_whole
        )
        _demand_shallow(values, MAX_DEPTH)
    except RecursionError as error:
        raise ValueError("it nests too deep") from error
    return values


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("it names a key twice")
    return document


def _no_number(word: str) -> Any:
    raise ValueError(f"it holds {word}, which is no number")


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError(f"it holds {text[:20]}, which is beyond float64")
    return number


def _whole(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= int(text) < 2**64:
        raise ValueError(f"it holds {text[:20]}..., which is beyond 64 bits")
    return int(text)


def _demand_shallow(values: Any, left: int) -> None:
    if left < 0:
        raise ValueError("it nests too deep")
    for value in values.values() if isinstance(values, dict) else values if isinstance(values, list) else ():
        if isinstance(value, (dict, list)):
            _demand_shallow(value, left - 1)
