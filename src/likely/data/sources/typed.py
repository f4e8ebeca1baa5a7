"""Fields of one column of separated text, as the type that holds them all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from likely.data.cells import NUMBER, TOKENS
from likely.errors import DataError

__all__ = ["Typed", "typed"]

WHOLE = "^[-+]?[0-9]+$"
DECIMAL = f"^({NUMBER}|[-+]?[iI]nf(inity)?)$"
PADDED = "^[-+]?0[0-9]"
NOT_ZERO = "^[-+]?[0.]*[1-9]"
TRUTHS = pa.array(["True", "TRUE", "true"], pa.large_string())
BOOLEANS = pa.array(["True", "TRUE", "true", "False", "FALSE", "false"], pa.large_string())
STARTS = re.compile(r"[-+.0-9iItTfF]", re.ASCII)
LARGEST = 2.0**53


@dataclass(frozen=True, eq=False)
class Typed:
    """A column, and the word that stands most often where it has no value."""

    values: Any
    token: str | None


def typed(what: str, texts: pd.Series, notices: list[str]) -> Typed:
    """Integers, floats or booleans where every field that is not missing is one; else strings as they stand.

    Integers that int64 cannot hold stay strings. What had to be decided is said in `notices`.

    Raises
    ------
    DataError
        If a number is too large for float64, or so small that it would be 0.

    """
    array = pa.array(texts, pa.large_string())
    trimmed = compute.utf8_trim_whitespace(array)
    missing = compute.is_in(trimmed, pa.array(TOKENS, pa.large_string()))
    hole = missing.to_numpy(zero_copy_only=False)
    token = _token(array.filter(missing)) if hole.any() else None
    present = trimmed.filter(compute.invert(missing)) if hole.any() else trimmed
    if not len(present):
        return Typed(np.full(len(texts), np.nan), token)
    made = None
    if STARTS.match(present[0].as_py()):
        made = _booleans(array, missing, hole) if present[0].as_py()[0] in "tTfF" else _numbers(what, present, notices)
    if made is None:
        return Typed(texts.mask(hole) if hole.any() else texts, token)
    return Typed(_spread(made, hole) if hole.any() else made, token)


def _token(given: pa.Array) -> str | None:
    words = [pair for pair in compute.value_counts(given).to_pylist() if pair["values"].strip()]
    return str(max(words, key=lambda pair: pair["counts"])["values"]) if words else None


def _all_match(texts: pa.Array, pattern: str) -> bool:
    return bool(compute.all(compute.match_substring_regex(texts, pattern)).as_py())


def _booleans(array: pa.Array, missing: pa.Array, hole: np.ndarray) -> np.ndarray | None:
    present = array.filter(compute.invert(missing)) if hole.any() else array
    if not compute.all(compute.is_in(present, BOOLEANS)).as_py():
        return None
    return np.asarray(compute.is_in(present, TRUTHS).to_numpy(zero_copy_only=False))


def _numbers(what: str, texts: pa.Array, notices: list[str]) -> np.ndarray | None:
    if not _all_match(texts, DECIMAL):
        return None
    padded = texts.filter(compute.match_substring_regex(texts, PADDED))
    whole = _all_match(texts, WHOLE)
    try:
        plain = compute.replace_substring_regex(texts, r"^\+", "")
        made = compute.cast(plain, pa.int64() if whole else pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    if not whole:
        _check_floats(what, texts, made, notices)
    padded = padded.filter(compute.match_substring_regex(padded, WHOLE))
    if len(padded):
        first = padded[0].as_py()
        notices.append(
            f"{what} was read as numbers, so zeros in front are lost: {_short(first)} is {_short(_bare(first))}"
        )
    return np.asarray(made)


def _check_floats(what: str, texts: pa.Array, made: np.ndarray, notices: list[str]) -> None:
    odd = np.flatnonzero(np.isinf(made) | (made == 0))
    if len(odd):
        beyond = compute.match_substring_regex(texts.take(pa.array(odd)), NOT_ZERO).to_numpy(zero_copy_only=False)
        if beyond.any():
            text = texts[int(odd[beyond][0])].as_py()
            raise DataError(f"{what} holds {_short(text)}, which is beyond float64; mend it, or rescale the column")
    large = np.flatnonzero((np.abs(made) >= LARGEST) & np.isfinite(made))
    rounded = [i for i in large if (text := texts[int(i)].as_py()).lstrip("+-").isdigit() and int(text) != int(made[i])]
    if rounded:
        first = _short(texts[int(rounded[0])].as_py())
        notices.append(f"{what}: {len(rounded)} integer(s) are not exact in float64, such as {first}")


def _bare(text: str) -> str:
    return ("-" if text[0] == "-" else "") + (text.lstrip("+-").lstrip("0") or "0")


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:30]}... ({len(text)} digits)"


def _spread(made: np.ndarray, hole: np.ndarray) -> Any:
    """Values in the rows that have one, in a type that knows missing cells."""
    full = np.full(len(hole), np.nan if made.dtype.kind == "f" else 0, dtype=made.dtype)
    full[~hole] = made
    if made.dtype.kind == "f":
        return full
    return pd.arrays.BooleanArray(full, hole) if made.dtype.kind == "b" else pd.arrays.IntegerArray(full, hole)
