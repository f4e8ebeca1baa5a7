"""Rejection sampling: rows are drawn again until they lie in the range of the training rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from likely.data import Column, Schema, shown
from likely.data.kinds import Form, Kind
from likely.errors import DataError

__all__ = ["Range", "RangeTally", "demand_reachable", "rows_within", "share_outside"]

# After MIN_TRIED draws a group is given up if the likelihood ratio of RARER to MIN_INSIDE, the share of draws that lie
# inside, is above MIN_RATIO.
MIN_TRIED, MIN_INSIDE, RARER, MIN_RATIO = 1000, 0.01, 0.005, 1000.0
MAX_AT_ONCE = 1000  # rows drawn again together


@dataclass(frozen=True, eq=False)
class Range:
    """The range of the training rows: from the least to the greatest number of each column, half a step more on a grid.

    Attributes
    ----------
    columns, places
        The columns of numbers that have a range, and the indices of their cells in a row.

    """

    columns: tuple[Column, ...]
    places: tuple[int, ...]

    @classmethod
    def of(cls, schema: Schema, *, free: Collection[int] = ()) -> Range | None:
        """The range of a table but for the cells that are `free`; `None` where no column has one.

        Counts that are in proportion to an exposure are free: what they span in training is that of other exposures.
        """
        if schema.form != Form.TABLE:
            return None
        free = {*free, *schema.exposed}
        bound = [
            (column, place)
            for place, column in enumerate(schema.modelled)
            if column.numeric and column.kind != Kind.LISTED and column.low is not None and place not in free
        ]
        return cls(*map(tuple, zip(*bound, strict=True))) if bound else None

    def beyond(self, x: Tensor) -> Tensor:
        """Which cells of rows `(rows, cells)` lie outside: `(rows, columns)` boolean."""
        halves = [(c.step or 0.0) / 2 for c in self.columns]
        ends = [((c.low or 0.0) - half, (c.high or 0.0) + half) for c, half in zip(self.columns, halves, strict=True)]
        low, high = torch.tensor(ends, dtype=torch.float64, device=x.device).unbind(1)
        cells = x[:, list(self.places)].to(torch.float64)
        return torch.logical_or(cells < low, cells > high)


@dataclass(frozen=True, eq=False)
class RangeTally:
    """How many draws it took to get rows within the range; rows of one distribution are a group.

    Attributes
    ----------
    tried, inside
        How many rows were drawn, and how many of them lay inside: `(groups,)`.
    most_often_outside
        Which column of the range was outside most often: `(groups,)`.

    """

    tried: Tensor
    inside: Tensor
    most_often_outside: Tensor

    @property
    def hopeless(self) -> Tensor:
        """Which groups are given up: of 1,000 draws or more fewer than 1 in 100 lay inside: `(groups,)` boolean.

        The likelihood ratio of q = 1/200 to p = 1/100 is above 1,000: (q/p)^inside ((1 − q)/(1 − p))^(tried − inside).
        A group of share p or more inside is given up with probability 1/1,000 at most, however often it is tested.

        Source: Wald 1945, Sequential tests of statistical hypotheses, section 3.
        """
        outside = (self.tried - self.inside).to(torch.float64)
        ratio = self.inside * math.log(RARER / MIN_INSIDE) + outside * math.log((1 - RARER) / (1 - MIN_INSIDE))
        return (self.tried >= MIN_TRIED) & (ratio > math.log(MIN_RATIO))


def share_outside(tallies: Iterable[RangeTally]) -> dict[str, Any]:
    """`outside`, the share of the rows drawn that lay outside and were drawn again, and `rows`, how many were drawn."""
    pairs = [(int(one.tried.sum()), int(one.inside.sum())) for one in tallies]
    tried, inside = (sum(part) for part in zip(*pairs, strict=True))
    return {"outside": 1 - inside / tried, "rows": tried}


def rows_within(
    first: Tensor,
    draw: Callable[[Tensor], Tensor],
    within: Range,
    *,
    group: Tensor | None = None,
    drawn_cells: Tensor | None = None,
) -> tuple[Tensor, RangeTally]:
    """Rows x ~ P(x|every drawn cell is within the range): other rows are drawn again as a whole, until they are.

    Rejection sampling (von Neumann 1951): the first draw of P(x) that lies in a set is a draw of P(x|the set), so all
    that belongs to a row (its code, its other cells) must be drawn anew with it.

    Parameters
    ----------
    first
        One draw of each row, `(rows, cells)`.
    draw
        Row numbers -> a new draw of each, independent of the others: `(numbers,)` -> `(numbers, cells)`.
    within
        The range.
    group
        Which distribution each row is drawn from, numbered from 0 on: `(rows,)`; one for all unless given.
    drawn_cells
        Which cells are drawn, `(rows, cells)` boolean; the others are given, and may lie anywhere. All unless given.

    Returns
    -------
    (torch.Tensor, RangeTally)
        `(rows, cells)`, and how many draws it took; rows of a hopeless group may lie outside.

    """
    group = torch.zeros(len(first), dtype=torch.int64, device=first.device) if group is None else group
    groups = int(group.max()) + 1
    tried, inside = (torch.zeros(groups, dtype=torch.int64, device=first.device) for _ in range(2))
    outside = torch.zeros((groups, len(within.places)), dtype=torch.int64, device=first.device)
    given = None if drawn_cells is None else ~drawn_cells[:, list(within.places)]
    values, open_, x = first.clone(), torch.arange(len(first), device=first.device), first
    while True:
        of = open_.repeat(len(x) // len(open_))
        beyond = within.beyond(x)
        if given is not None:
            beyond &= ~given[of]
        good = ~beyond.any(1)
        tried.index_add_(0, group[of], torch.ones_like(of))
        inside.index_add_(0, group[of], good.long())
        outside.index_add_(0, group[of], beyond.long())
        good, each = good.view(-1, len(open_)), x.view(-1, len(open_), x.shape[1])
        kept, place = good.any(0), good.int().argmax(0)
        values[open_[kept]] = each[place, torch.arange(len(open_), device=x.device)][kept]
        tally = RangeTally(tried, inside, outside.argmax(1))
        open_ = open_[~kept]
        open_ = open_[~tally.hopeless[group[open_]]]
        if not len(open_):
            return values, tally
        left = group[open_].unique()
        odds = int(tried[left].sum()) // max(1, int(inside[left].sum()))
        x = draw(open_.repeat(max(1, min(odds, MAX_AT_ONCE // len(open_)))))


def demand_reachable(within: Range, tally: RangeTally, name: Callable[[int], str] = lambda _: "") -> None:
    """Check that the draws of every group reach the range; in the message `name` gives the words for a group.

    Raises
    ------
    DataError
        If those of a group do not.

    """
    if not tally.hopeless.any():
        return
    group = int(tally.hopeless.int().argmax())
    column = within.columns[int(tally.most_often_outside[group])]
    span = f"{shown(column, column.low or 0.0)} to {shown(column, column.high or 0.0)}"
    raise DataError(
        f"{name(group)}{int(tally.inside[group])} of {int(tally.tried[group]):,} rows drawn lie within the range of "
        f"training rows; column {column.name!r} is outside most often ({span}). "
        "Draw beyond it with --beyond-range (Python: beyond_range=True)"
    )
