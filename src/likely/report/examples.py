"""Examples of X in the page: pictures on grids, rows in tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from likely.data.pictures import grid
from likely.report.numbers import cell, nats
from likely.report.theme import picture

__all__ = [
    "MARKED",
    "captioned",
    "columns",
    "costliest_first",
    "frame",
    "given",
    "marked_frame",
    "paired_frame",
    "paired_pictures",
    "pairs",
    "pictures",
]

_PAGE_PIXELS = 960  # width of a grid of pictures
_MAX_ROWS = 12  # of a table of examples
_MAX_COLUMNS = 14  # of such a table, those that cost most
_FEW = 3  # columns that a telephone has room for
_COSTLY, _STRONG = 1.0, 6.0  # nats from which a cell is marked, and at which it is marked most strongly
MARKED = (
    "−log P(x) is a sum: what each cell costs given the codes that the row could have, E<sub>P(z|x)</sub>[−log "
    "P(x<sub>j</sub>|z)], and what the code costs, D[P(z|x)‖P(z)]. Marked are the parts that cost at least 1 nat more "
    "than they do on average: +3 means that a value is e³ ≈ 20 times less probable than is usual there. A row can be "
    "improbable for an unusual combination, which its <b>code</b> tells of, with no improbable cell. "
    "<code>likely anomalies RUN DATA</code> does the same for other rows."
)


def given(value: Any) -> bool:
    """Whether a part of the findings is there and not empty."""
    return value is not None and len(value) > 0


def pictures(images: np.ndarray, alt: str) -> str:
    """Lay pictures out on one grid that fits the page's width."""
    return f'<div class="pictures">{picture(grid(images, _across(images, len(images))), alt)}</div>'


def paired_pictures(originals: np.ndarray, reconstructions: np.ndarray) -> str:
    """Put each reconstruction under its original."""
    count = min(len(originals), len(reconstructions))
    across = _across(originals, count)
    blocks = []
    for start in range(0, count, across):
        part = slice(start, min(start + across, count))
        sheet = grid(np.concatenate([originals[part], reconstructions[part]]), columns=part.stop - start)
        blocks.append(picture(sheet, "First row: pictures as they are. Second row: their reconstructions."))
    return f'<div class="pictures">{"".join(blocks)}</div>'


def _across(images: np.ndarray, count: int) -> int:
    """How many pictures to put side by side: what fits at the grid's scale, in rows of about equal length."""
    fitting = max(1, _PAGE_PIXELS // int(grid(images[:1]).width))
    return math.ceil(count / math.ceil(count / fitting))


def columns(images: np.ndarray, captions: Sequence[str], alt: str) -> str:
    """Lay lines of pictures `(lines, columns, height, width[, 3])` out with a caption above each column, in HTML."""
    shown = [
        f"<figure><figcaption>{caption}</figcaption>{picture(grid(images[:, place], columns=1), f'{alt}: {place + 1}')}"
        "</figure>"
        for place, caption in enumerate(captions)
    ]
    return f'<div class="columns" style="--across: {len(shown)}">{"".join(shown)}</div>'


def pairs(images: np.ndarray, distances: np.ndarray, alt: str) -> str:
    """Show one picture above the other, `(pairs, 2, height, width[, 3])`, and how far they are apart below them."""
    shown = [
        f"<figure>{picture(grid(pair, columns=1), alt)}<figcaption>{distance:.2f}</figcaption></figure>"
        for pair, distance in zip(images, distances, strict=True)
    ]
    return f'<div class="strip">{"".join(shown)}</div>'


def captioned(images: np.ndarray, log_px: np.ndarray | None, alt: str) -> str:
    """Show single pictures, each with its log P(x) under it."""
    shown = []
    for index, image in enumerate(images):
        number = "" if log_px is None else f"<figcaption>{nats(log_px[index], 1)}</figcaption>"
        shown.append(f"<figure>{picture(grid(image[None]), alt)}{number}</figure>")
    return f'<div class="strip">{"".join(shown)}</div>'


def frame(rows: pd.DataFrame, log_px: np.ndarray | None = None) -> str:
    """Write the first rows of a frame, log P(x) in front where it is known."""
    lines = []
    for index in range(min(len(rows), _MAX_ROWS)):
        front = "" if log_px is None else f'<td class="n strong">{nats(log_px[index], 1)}</td>'
        lines.append(f"<tr>{front}{_cells(rows, index)}</tr>")
    return _table(rows, lines, "" if log_px is None else "<th class='n'>log P(x)</th>")


def marked_frame(rows: pd.DataFrame, log_px: np.ndarray, excess: pd.DataFrame, code: np.ndarray) -> str:
    """Write rows with log P(x), and mark what makes them improbable, the columns that cost most in front.

    Parameters
    ----------
    rows, log_px
        In the same order.
    excess, code
        Nats above the mean, one line per row: of each cell, by name of column, NaN where unknown; and of the code.
    """
    shown = rows[costliest_first(rows, excess)[:_MAX_COLUMNS]]
    lines = []
    for index in range(min(len(rows), _MAX_ROWS)):
        costs = [excess[name].iat[index] if name in excess else math.nan for name in shown.columns]
        cells = [
            _marked(cell(shown.iat[index, place]), cost, _aligned(shown, place)) for place, cost in enumerate(costs)
        ]
        front = f'<td class="n strong">{nats(log_px[index], 1)}</td>{_marked("", code[index], "")}'
        lines.append(f"<tr>{front}{''.join(cells)}</tr>")
    hidden = rows.shape[1] - shown.shape[1]
    more = f'<p class="note">and {hidden} more column{"s" * (hidden > 1)}, which cost less</p>' if hidden else ""
    return _table(shown, lines, "<th class='n'>log P(x)</th><th>code</th>") + more


def costliest_first(rows: pd.DataFrame | np.ndarray | None, excess: pd.DataFrame | None) -> list[Any]:
    """The columns of the least probable rows, those that cost most in front; none where that is not known."""
    if excess is None or not isinstance(rows, pd.DataFrame):
        return []
    worth = excess.clip(lower=0).sum().reindex(rows.columns).fillna(0.0)
    return list(worth.sort_values(ascending=False, kind="stable").index)


def _marked(text: str, cost: float, style: str) -> str:
    """A cell, coloured by what it costs; strongest from 6 nats on."""
    if not cost >= _COSTLY:
        return f"<td{style}>{text}</td>"
    depth = 15 + 45 * min(cost / _STRONG, 1)
    return f'<td{style} style="--depth: {depth:.0f}%" data-cost>{text} <small>+{cost:.1f}</small></td>'


def paired_frame(originals: pd.DataFrame, reconstructions: pd.DataFrame) -> str:
    """Write each row with its reconstruction under it."""
    lines = []
    for index in range(min(len(originals), len(reconstructions), _MAX_ROWS // 2)):
        lines.append(f'<tr class="first"><th class="side">x</th>{_cells(originals, index)}</tr>')
        lines.append(f'<tr class="second"><th class="side">model</th>{_cells(reconstructions, index)}</tr>')
    return _table(originals, lines, "<th></th>")


def _table(rows: pd.DataFrame, lines: list[str], front: str) -> str:
    numeric = [_aligned(rows, place) for place in range(_shown(rows))]
    names = (f"<th{style}>{escape(str(name))}</th>" for name, style in zip(rows.columns, numeric, strict=False))
    hidden = rows.shape[1] - _shown(rows)
    more = f'<p class="note">and {hidden} more column{"s" * (hidden > 1)}</p>' if hidden else ""
    head = f"<thead><tr>{front}{''.join(names)}</tr></thead>"
    many, named = (" many" if len(numeric) > _FEW else ""), (" named" if front else "")
    body = f'<table class="rows{named}">{head}<tbody>{"".join(lines)}</tbody></table>'
    return f'<div class="scroll{many}">{body}</div>{more}'


def _cells(rows: pd.DataFrame, index: int) -> str:
    return "".join(f"<td{_aligned(rows, place)}>{cell(rows.iat[index, place])}</td>" for place in range(_shown(rows)))


def _aligned(rows: pd.DataFrame, place: int) -> str:
    return " class='n'" if pd.api.types.is_numeric_dtype(rows.dtypes.iloc[place]) else ""


def _shown(rows: pd.DataFrame) -> int:
    return min(int(rows.shape[1]), _MAX_COLUMNS)
