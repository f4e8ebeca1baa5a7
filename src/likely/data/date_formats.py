"""Dates as people write them, and which way of writing fits a column."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from likely.data.number_formats import MIN_FITTING_SHARE

__all__ = ["ZONED", "as_texts", "best_formats", "candidates", "parsed"]

MAX_SAMPLE = 20  # texts that are tried first
MONTH = r"[A-Za-z]{3,9}"
DAYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"\d{4}-\d{1,2}-\d{1,2}", ("%Y-%m-%d",)),
    (r"\d{4}/\d{1,2}/\d{1,2}", ("%Y/%m/%d",)),
    (r"\d{4}\.\d{1,2}\.\d{1,2}", ("%Y.%m.%d",)),
    (r"(?:19|20)\d{6}", ("%Y%m%d",)),
    (r"\d{1,2}\.\d{1,2}\.\d{4}", ("%d.%m.%Y",)),
    (r"\d{1,2}/\d{1,2}/\d{4}", ("%d/%m/%Y", "%m/%d/%Y")),
    (r"\d{1,2}-\d{1,2}-\d{4}", ("%d-%m-%Y", "%m-%d-%Y")),
    (r"\d{1,2}\.\d{1,2}\.\d{2}", ("%d.%m.%y",)),
    (r"\d{1,2}/\d{1,2}/\d{2}", ("%d/%m/%y", "%m/%d/%y")),
    (rf"\d{{1,2}}-{MONTH}-\d{{4}}", ("%d-%b-%Y", "%d-%B-%Y")),
    (rf"\d{{1,2}}-{MONTH}-\d{{2}}", ("%d-%b-%y",)),
    (rf"\d{{1,2}}/{MONTH}/\d{{4}}", ("%d/%b/%Y",)),
    (rf"\d{{1,2}} {MONTH} \d{{4}}", ("%d %b %Y", "%d %B %Y")),
    (rf"\d{{1,2}}\. {MONTH} \d{{4}}", ("%d. %b %Y", "%d. %B %Y")),
    (rf"\d{{1,2}}{MONTH}\d{{4}}", ("%d%b%Y",)),
    (rf"{MONTH} \d{{1,2}}, \d{{4}}", ("%b %d, %Y", "%B %d, %Y")),
    (rf"{MONTH} \d{{1,2}} \d{{4}}", ("%b %d %Y", "%B %d %Y")),
    (rf"{MONTH}, \d{{1,2}} {MONTH} \d{{4}}", ("%a, %d %b %Y", "%A, %d %B %Y")),
)
TIME = re.compile(
    r"(?P<mark>T|, | )?\d{1,2}:\d{2}(?P<seconds>:\d{2})?(?P<part>\.\d{1,9})?(?P<gap> ?)(?P<half>[AaPp][Mm])?"
    r"(?P<before> ?)(?P<zone>Z|[-+]\d{2}:?\d{2})?"
)
ZONED, ISO = "%z", "ISO8601"
LIKE_ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(?P<zone>Z|[-+]\d{2}:?\d{2})?)?", re.ASCII
)
ZEROS = re.compile(r"(?<![\d.])0+(?=\d)")


def candidates(text: str) -> list[str]:
    """The formats, for `strptime`, that a text of its shape may be written in (`%3f`: milliseconds)."""
    formats = []
    for shape, forms in DAYS:
        match = re.match(rf"{shape}(?![\d])", text, re.ASCII)
        time = None if match is None else _time(text[match.end() :])
        formats += [form + time for form in forms] if time is not None else []
    alone = _time(text) if text[:1].isdigit() else None
    return formats + ([alone] if alone else [])


def _time(text: str) -> str | None:
    """The format of what stands behind a date, or of a time of day; `None` where it is no time."""
    if not text:
        return ""
    match = TIME.fullmatch(text)
    if match is None or (match["part"] and not match["seconds"]):
        return None
    format = (match["mark"] or "") + ("%I:%M" if match["half"] else "%H:%M")
    format += ":%S" if match["seconds"] else ""
    if match["part"]:
        format += ".%3f" if len(match["part"]) == 4 else ".%f"
    format += match["gap"] + "%p" if match["half"] else match["gap"] if match["zone"] else ""
    if match["zone"]:
        format += match["before"] + ("Z" if match["zone"] == "Z" else ZONED)
    return format


def parsed(texts: Sequence[str], form: str) -> pd.Series:
    """The dates that texts of a format hold, in UTC where they have offsets; NaT where a text does not fit."""
    plain = ISO if form.startswith(ISO) else form.replace("%3f", "%f")
    return pd.to_datetime(pd.Series(list(texts), dtype=object), format=plain, errors="coerce", utc=ZONED in form)


def as_texts(dates: pd.Series, form: str) -> pd.Series:
    """Dates as texts of a format; offsets are those of UTC."""
    if form.startswith(ISO):
        return dates.map(lambda date: date.isoformat())
    form = form.replace(ZONED, "+00:00")
    if "%3f" not in form:
        return dates.dt.strftime(form)
    head, _, tail = form.partition("%3f")
    texts = dates.dt.strftime(head + "%f").str.slice(0, -3)
    return texts + dates.dt.strftime(tail) if tail else texts


def best_formats(texts: Sequence[str], counts: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """The formats that fit every text; else the one that fits most rows, if these are over 80%; else none.

    Of formats that read all texts as the same dates the first is kept. A format fits a text that it writes in the same
    way again, but for zeros in front of days, months and hours.

    Parameters
    ----------
    texts, counts
        Distinct and not missing, and in how many rows each occurs.

    Returns
    -------
    list
        Of formats, and which texts each fits, `(texts,)`.

    """
    forms = list(dict.fromkeys(form for text in texts[:MAX_SAMPLE] for form in candidates(text)))
    matches = [LIKE_ISO.fullmatch(text) for text in texts] if len(forms) > 1 else [None]
    if all(matches):
        zones = {bool(match and match["zone"]) for match in matches}
        forms += [ISO + (ZONED if True in zones else "")] if len(zones) == 1 else []
    whole: list[tuple[str, np.ndarray, pd.Series]] = []
    most: tuple[str, np.ndarray] | None = None
    for form in forms:
        if whole and form.startswith(ISO):
            break
        dates = parsed(texts, form)
        fits = _fits(dates, texts, form)
        if fits.all():
            if not any(dates.equals(other) for _, _, other in whole):
                whole.append((form, fits, dates))
        elif counts[fits].sum() > MIN_FITTING_SHARE * counts.sum() and form != "%Y%m%d":
            most = max([most, (form, fits)], key=lambda one: 0 if one is None else int(counts[one[1]].sum()))
    if whole:
        return [(form, fits) for form, fits, _ in whole]
    return [] if most is None else [most]


def _fits(dates: pd.Series, texts: Sequence[str], form: str) -> np.ndarray:
    fitting = np.array(dates.notna())
    if ZONED in form or form == ISO or not fitting.any():
        return fitting
    again = as_texts(dates[fitting], form)
    given = pd.Series(list(texts), dtype=object)[fitting]
    fitting[fitting] = _bare(again) == _bare(given)
    return fitting


def _bare(texts: pd.Series) -> np.ndarray:
    return np.array([ZEROS.sub("", text).casefold() for text in texts])
