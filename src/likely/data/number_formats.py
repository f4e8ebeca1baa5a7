"""Formats of numbers in texts: `1.234,50 €`, `$1,234.50`, `12.5%`."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

__all__ = ["MIN_FITTING_SHARE", "PLAIN", "NumberFormat", "best_formats", "possible_formats", "same_numbers"]

MIN_FITTING_SHARE = 0.8  # of texts: what a format of numbers or dates must fit to be the format of their column
MAX_SAMPLE = 50  # texts that are tried first
SYMBOLS = "$€£¥₹₽₩₪₫₺₴₦₱฿₿"
CODES = (
    *("US$", "C$", "A$", "R$", "kr.", "kr", "zł", "Kč", "Fr.", "%", "‰"),
    *[
        "AED",
        "AUD",
        "BRL",
        "CAD",
        "CHF",
        "CNY",
        "CZK",
        "DKK",
        "EUR",
        "GBP",
        "HKD",
        "HUF",
        "ILS",
        "INR",
        "JPY",
        "KRW",
        "MXN",
        "NOK",
        "NZD",
        "PLN",
        "RON",
        "RUB",
        "SEK",
        "SGD",
        "THB",
        "TRY",
    ],
    *("USD", "ZAR"),
)
SIGN = "|".join([*map(re.escape, CODES), f"[{re.escape(SYMBOLS)}]"])
SPACE = r"[\s\u00a0\u202f]*"
ANY = re.compile(
    rf"{SPACE}[-+]?((?:{SIGN}){SPACE})?[-+]?([0-9.,][0-9.,'’ \u00a0\u202feE+-]*?)({SPACE}(?:{SIGN}))?{SPACE}", re.ASCII
)
EXPONENT = "(?:[eE][-+]?[0-9]+)?"
GROUPS = ("", ".", ",", "'", "’", " ", "\u00a0", "\u202f")


@dataclass(frozen=True)
class NumberFormat:
    """The format in which the numbers of a column are written.

    Attributes
    ----------
    decimal, thousands
        The marks before decimals, and between groups of three digits; empty where there are no groups.
    before, after
        What stands in front of every number and behind it: a currency, a percent sign. The number is what is written:
        of `12.5%` it is 12.5.

    """

    decimal: str = "."
    thousands: str = ""
    before: str = ""
    after: str = ""

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        mark, group = re.escape(self.decimal), re.escape(self.thousands)
        whole = f"[0-9]{{1,3}}(?:{group}[0-9]{{3}})*" if group else "[0-9]+"
        digits = f"(?:{whole})(?:{mark}[0-9]*)?|{mark}[0-9]+"
        before, after = (re.escape(text.strip()) for text in (self.before, self.after))
        return re.compile(rf"{SPACE}([-+]?){before}{SPACE}([-+]?)({digits})({EXPONENT}){SPACE}{after}{SPACE}", re.ASCII)

    def number(self, text: str) -> float:
        """The number that a text holds; NaN where the text does not fit the format."""
        match = self._pattern.fullmatch(text)
        if match is None or (match[1] and match[2]):
            return float("nan")
        digits = match[3].replace(self.thousands, "") if self.thousands else match[3]
        return float(f"{match[1] or match[2]}{digits.replace(self.decimal, '.')}{match[4]}")

    def numbers(self, texts: Iterable[str]) -> np.ndarray:
        """The numbers that texts hold, `(texts,)` float64; NaN where a text does not fit the format."""
        return np.array([self.number(text) for text in texts], dtype=np.float64)

    def texts(self, numbers: np.ndarray, per_unit: int | None) -> list[str]:
        """Numbers in this format, with the decimals of a grid of 1/per_unit, or as many as they need."""
        decimals = len(str(per_unit)) - 1 if per_unit is not None and set(str(per_unit)) <= set("10") else None
        return [self._text(float(number), decimals) for number in numbers]

    def _text(self, number: float, decimals: int | None) -> str:
        plain = f"{abs(number):,.{decimals}f}" if decimals is not None else _all_digits(abs(number))
        whole, _, rest = plain.partition(".")
        whole = whole.replace(",", self.thousands)
        sign = "-" if number < 0 and float(plain.replace(",", "")) else ""
        start = f"{self.before}{sign}" if self.before.endswith(" ") else f"{sign}{self.before}"
        return f"{start}{whole}{self.decimal if rest else ''}{rest}{self.after}"

    def __str__(self) -> str:
        marks = [f"decimal {self.decimal!r}"] if self.decimal != "." else []
        marks += [f"thousands {self.thousands!r}"] if self.thousands else []
        marks += [f"{sign.strip()!r}" for sign in (self.before, self.after) if sign]
        return ", ".join(marks) or "plain numbers"


PLAIN = NumberFormat()


def _all_digits(number: float) -> str:
    return f"{number:,.15g}" if float(f"{number:.15g}") == number else f"{number:,.17g}"


def possible_formats(
    texts: Sequence[str], decimal: str | None = None, counts: np.ndarray | None = None
) -> list[NumberFormat]:
    """The formats of numbers that the first 50 texts allow; those with a plain decimal point first.

    Parameters
    ----------
    texts
        Distinct and not missing.
    decimal
        The decimal mark, where it is known.
    counts
        In how many rows each text occurs.

    """
    matches = [ANY.fullmatch(text) for text in texts[:MAX_SAMPLE]]
    first = [match for match in matches if match]
    if not first or (len(first) < MIN_FITTING_SHARE * len(matches) and not _lone(matches, counts)):
        return []
    before, after = Counter((match[1] or "", match[3] or "") for match in first).most_common(1)[0][0]
    digits = [text for text in texts if any(mark in text for mark in GROUPS[1:])]
    marks = {mark for mark in GROUPS[1:] if any(mark in _body(text, before, after) for text in digits)}
    wanted = (".", ",") if decimal is None else (decimal,)
    groups = [group for group in GROUPS if not group or group in marks]
    return [
        NumberFormat(mark, group, before, after) for mark, group in itertools.product(wanted, groups) if mark != group
    ]


def _lone(matches: Sequence[re.Match[str] | None], counts: np.ndarray | None) -> bool:
    """Whether every text that is no number occurs once: then these are strays; repeated ones would be categories."""
    if counts is None:
        return False
    rows, odd = counts[: len(matches)], np.array([match is None for match in matches])
    return bool((rows[odd] == 1).all() and rows[~odd].sum() > MIN_FITTING_SHARE * rows.sum())


def _body(text: str, before: str, after: str) -> str:
    return text.strip().removeprefix(before.strip()).removesuffix(after.strip()).strip()


def best_formats(
    texts: Sequence[str], counts: np.ndarray, decimal: str | None = None
) -> list[tuple[NumberFormat, np.ndarray]]:
    """The formats that fit every text; else the one that fits most rows, if these are over 80%; else none.

    Of formats that read all texts as the same numbers the first is kept. Where a point can be a decimal point in every
    text it is one.

    Parameters
    ----------
    texts, counts
        Distinct and not missing, and in how many rows each occurs.
    decimal
        The decimal mark, where it is known.

    Returns
    -------
    list
        Of formats and the numbers that they read, NaN where a text does not fit.

    """
    ways = [(way, way.numbers(texts)) for way in possible_formats(texts, decimal, counts)]
    whole: list[tuple[NumberFormat, np.ndarray]] = []
    for way, numbers in ways:
        if not np.isnan(numbers).any() and not any(same_numbers(numbers, other) for _, other in whole):
            whole.append((way, numbers))
            if way.decimal == "." and not way.thousands:
                break
    if whole or not ways:
        return whole
    most = max(ways, key=lambda pair: int(counts[~np.isnan(pair[1])].sum()))
    return [most] if counts[~np.isnan(most[1])].sum() > MIN_FITTING_SHARE * counts.sum() else []


def same_numbers(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two formats read the same numbers."""
    return bool(pd.Series(first).equals(pd.Series(second)))
