"""How numbers, cells and sentences are written in the page."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["cell", "coded", "error", "labelled", "nats", "optional", "signed"]

_NONE = "–"
_MAX_TEXT = 40  # characters of a text in a table


def optional(value: Any) -> float:
    """Return a number, NaN for what is not there."""
    return math.nan if value is None or pd.isna(value) else float(value)


def nats(value: Any, digits: int = 3) -> str:
    """Write a number with fixed decimals and keep all of it in the ``value`` attribute, for copying."""
    number = optional(value)
    if math.isnan(number):
        return _NONE
    if math.isinf(number):
        return "−∞" if number < 0 else "∞"
    text = f"{number:.{digits}f}".replace("-", "−")
    return f'<data value="{number!r}" title="{number!r}">{text}</data>'


def signed(value: float, digits: int = 2) -> str:
    """Write a difference with its sign."""
    return f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", "−")


def error(value: Any) -> str:
    """Write a standard error to two significant digits."""
    number = optional(value)
    if not math.isfinite(number):
        return _NONE
    decimals = 1 if number <= 0 else min(max(1 - math.floor(math.log10(number)), 0), 9)
    return f'<data value="{number!r}" title="{number!r}">{number:.{decimals}f}</data>' if number else "0"


def coded(sentence: str) -> str:
    """Escape a sentence and set what it has in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(sentence))


def labelled(numbers: Sequence[str], labels: Sequence[str]) -> str:
    """Cells of a line of a table, each with its column's name for pages too narrow for columns."""
    pairs = zip(numbers, labels, strict=True)
    return "".join(f'<td class="n" data-label="{label}">{number}</td>' for number, label in pairs)


def cell(value: Any) -> str:
    """Write one cell of a user's table, escaped; a missing one as a dot."""
    if value is None or (np.isscalar(value) and pd.isna(value)) or value is pd.NaT or value is pd.NA:
        return '<span class="missing" title="missing">·</span>'
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.6g}"
    text = value.isoformat(sep=" ").removesuffix(" 00:00:00") if isinstance(value, pd.Timestamp) else str(value)
    return escape(text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…")
