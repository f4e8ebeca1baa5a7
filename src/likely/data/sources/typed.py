"""Fields of one column of separated text, as the type that holds them all."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from likely.data.cells import NUMBER, TOKENS
from likely.data.number_formats import PLAIN, NumberFormat, best_formats
from likely.errors import DataError

__all__ = ["Typed", "amounts", "strings", "typed"]

WHOLE = "^[-+]?[0-9]+$"
DECIMAL = f"^({NUMBER}|[-+]?[iI]nf(inity)?)$"
PADDED = "^[-+]?0[0-9]"
NOT_ZERO = "^[-+]?[0.]*[1-9]"
TRUTHS = pa.array(["True", "TRUE", "true"], pa.large_string())
BOOLEANS = pa.array(["True", "TRUE", "true", "False", "FALSE", "false"], pa.large_string())
DIGITS = re.compile(r"\s*[-+]?[0-9]+\s*", re.ASCII)
STARTS = re.compile(r"[-+.0-9iItTfF]", re.ASCII)
MAX_EXACT = 2.0**53  # integers up to here are exact in float64


@dataclass(frozen=True, eq=False)
class Typed:
    """A column as it was read: values, the word that mostly stands for a missing one, how its numbers are written."""

    values: Any
    token: str | None
    written: NumberFormat | None = None

    @property
    def texts(self) -> bool:
        """Whether the fields are still texts."""
        return isinstance(self.values, pd.Series)


def typed(what: str, texts: pd.Series, notices: list[str]) -> Typed:
    """A column as integers, floats or booleans where every field that is not missing is one; else as strings.

    Integers that int64 cannot hold stay strings, and so do those of a column with zeros in front of one. What had to be
    decided is said in `notices`.

    Raises
    ------
    DataError
        If a number is too large for float64, or so small that it would be 0.

    """
    array = pa.array(texts, pa.large_string())
    trimmed = compute.utf8_trim_whitespace(array)
    missing = compute.is_in(trimmed, pa.array(TOKENS, pa.large_string()))
    empty = missing.to_numpy(zero_copy_only=False)
    token = _token(array.filter(missing)) if empty.any() else None
    there = trimmed.filter(compute.invert(missing)) if empty.any() else trimmed
    if not len(there):
        return Typed(np.full(len(texts), np.nan), token)
    values = None
    if STARTS.match(there[0].as_py()):
        values = (
            _booleans(array, missing, empty)
            if there[0].as_py()[0] in "tTfF"
            else _numbers(what, there, texts.index[~empty], notices)
        )
    if values is None:
        return Typed(texts.mask(empty) if empty.any() else texts, token)
    return Typed(_spread(values, empty) if empty.any() else values, token)


def strings(texts: pd.Series) -> Typed:
    """A column of strings as they stand; fields with a word for missing values are missing."""
    array = pa.array(texts, pa.large_string())
    missing = compute.is_in(compute.utf8_trim_whitespace(array), pa.array(TOKENS, pa.large_string()))
    empty = missing.to_numpy(zero_copy_only=False)
    return Typed(texts.mask(empty), _token(array.filter(missing))) if empty.any() else Typed(texts, None)


def amounts(column: Typed, decimal: str | None) -> list[Typed]:
    """The numbers that a column of texts says, once for each way that reads them all; empty for texts of digits alone.

    Parameters
    ----------
    column
        As `typed` made it; missing fields are NaN.
    decimal
        The decimal mark, where it is known.

    """
    known = column.values.notna().to_numpy()
    codes, distinct = pd.factorize(column.values[known])
    texts = distinct.tolist()
    if all(DIGITS.fullmatch(text) for text in texts):
        return []
    readings = [
        (way, numbers)
        for way, numbers in best_formats(texts, np.bincount(codes), decimal)
        if way != PLAIN and not np.isnan(numbers).any()
    ]
    wholes = [(way, _whole(way, texts, numbers)[codes]) for way, numbers in readings]
    return [
        replace(column, values=numbers if known.all() else _spread(numbers, ~known), written=way)
        for way, numbers in wholes
    ]


def _whole(way: NumberFormat, texts: list[str], numbers: np.ndarray) -> np.ndarray:
    """The numbers, as integers where no text has decimals."""
    plain = not any(way.decimal in text.removeprefix(way.before).removesuffix(way.after) for text in texts)
    exact = plain and bool((np.abs(numbers) < MAX_EXACT).all() and (numbers == np.round(numbers)).all())
    return numbers.astype(np.int64) if exact else numbers


def _token(given: pa.Array) -> str | None:
    words = [pair for pair in compute.value_counts(given).to_pylist() if pair["values"].strip()]
    return str(max(words, key=lambda pair: pair["counts"])["values"]) if words else None


def _all_match(texts: pa.Array, pattern: str) -> bool:
    return bool(compute.all(compute.match_substring_regex(texts, pattern)).as_py())


def _booleans(array: pa.Array, missing: pa.Array, empty: np.ndarray) -> np.ndarray | None:
    present = array.filter(compute.invert(missing)) if empty.any() else array
    if not compute.all(compute.is_in(present, BOOLEANS)).as_py():
        return None
    return np.asarray(compute.is_in(present, TRUTHS).to_numpy(zero_copy_only=False))


def _numbers(what: str, texts: pa.Array, rows: pd.Index, notices: list[str]) -> np.ndarray | None:
    if not _all_match(texts, DECIMAL):
        return None
    whole = _all_match(texts, WHOLE)
    padded = texts.filter(compute.match_substring_regex(texts, PADDED)) if whole else []
    if len(padded):
        notices.append(
            f"{what} has zeros in front, as in {_short(padded[0].as_py())}, so it was read as strings, as codes are; "
            "for numbers give --column NAME=count, levels or grid"
        )
        return None
    try:
        plain = compute.replace_substring_regex(texts, r"^\+", "")
        numbers = compute.cast(plain, pa.int64() if whole else pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    if not whole:
        _check_floats(what, texts, numbers, rows, notices)
    return np.asarray(numbers)


def _check_floats(what: str, texts: pa.Array, numbers: np.ndarray, rows: pd.Index, notices: list[str]) -> None:
    odd = np.flatnonzero(np.isinf(numbers) | (numbers == 0))
    if len(odd):
        beyond = compute.match_substring_regex(texts.take(pa.array(odd)), NOT_ZERO).to_numpy(zero_copy_only=False)
        if beyond.any():
            place = int(odd[beyond][0])
            held, row = _short(texts[place].as_py()), rows[place]
            raise DataError(
                f"{what} holds {held} in row {row}, which is beyond float64; mend it, or rescale the column"
            )
    large = np.flatnonzero((np.abs(numbers) >= MAX_EXACT) & np.isfinite(numbers))
    rounded = [
        i for i in large if (text := texts[int(i)].as_py()).lstrip("+-").isdigit() and int(text) != int(numbers[i])
    ]
    if rounded:
        first = _short(texts[int(rounded[0])].as_py())
        notices.append(f"{what}: {len(rounded)} integer(s) are not exact in float64, such as {first}")


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:30]}... ({len(text)} digits)"


def _spread(values: np.ndarray, empty: np.ndarray) -> Any:
    """Values in the rows that have one, in a type that knows missing cells."""
    full = np.full(len(empty), np.nan if values.dtype.kind == "f" else 0, dtype=values.dtype)
    full[~empty] = values
    if values.dtype.kind == "f":
        return full
    return pd.arrays.BooleanArray(full, empty) if values.dtype.kind == "b" else pd.arrays.IntegerArray(full, empty)
