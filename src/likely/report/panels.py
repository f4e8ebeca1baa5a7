"""Figures in the page: many small ones side by side, and one that is drawn for wide pages and for telephones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from likely.report.theme import NARROW, WIDTH, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Panel", "panels", "responsive"]


_LARGE = 3  # panels in a line, below which each has the width of a telephone


class Panel(NamedTuple):
    """A small figure with a title over it, a number beside the title, and a note below."""

    title: str
    figure: Figure
    alt: str
    number: str = ""
    note: str = ""


def panels(shown: Sequence[Panel], across: int = 4) -> str:
    """Lay panels out in lines of `across`, or one fewer or more where a single one would be left over."""
    count = len(shown)
    lines = next((n for n in (across, across - 1, across + 1) if n > 1 and (count <= n or count % n != 1)), across)
    cells = []
    for one in shown:
        number = f"<span>{escape(one.number)}</span>" if one.number else ""
        note = f'<p class="words">{escape(one.note)}</p>' if one.note else ""
        caption = f"<figcaption><b>{escape(one.title)}</b>{number}</figcaption>"
        cells.append(f"<figure>{caption}{svg(one.figure, one.alt)}{note}</figure>")
    style = "panels large" if across < _LARGE else "panels"
    return f'<div class="{style}" style="--across: {lines}">{"".join(cells)}</div>'


def responsive(draw: Callable[[float], Figure], alt: str, style: str = "") -> str:
    """Draw a figure twice, as wide as the page and as a telephone; the reader's browser shows one of them."""
    wide, narrow = (svg(draw(width), alt) for width in (WIDTH, NARROW))
    return f'<figure class="wide {style}">{wide}</figure><figure class="narrow {style}">{narrow}</figure>'
