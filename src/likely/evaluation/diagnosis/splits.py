"""Training, validation and test rows beside each other: over-fitting, and values that training never saw."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from torch import Tensor

from likely.data import Column, EncodedRows, Schema
from likely.data.kinds import Kind
from likely.evaluation.baselines.numbers import Numbers
from likely.evaluation.evidence import evidence
from likely.models import Model

__all__ = ["Fit", "Outside", "Overfitting", "SplitElbo", "compare", "outside"]

DRAWS = 20  # of z for each row
ERRORS, LARGE = 3.0, 0.2  # standard errors, and deviations of one row, from which a difference counts
MIN_ROWS = 10  # of training and of test rows, to judge by


class Fit(StrEnum):
    """Whether training rows are better known than test rows, as it is printed."""

    NOT_JUDGED = "not judged"
    GOOD = "no over-fitting seen"
    SLIGHT = "slight over-fitting"
    OVER = "over-fitting"
    OTHER_ROWS = "other rows"


@dataclass(frozen=True)
class SplitElbo:
    """Mean ELBO of some rows, nats per row, its standard error over rows, and the deviation of one row."""

    rows: int
    of: int
    elbo: float
    se: float
    deviation: float


@dataclass(frozen=True)
class Overfitting:
    """The ELBO of each kind of row.

    Attributes
    ----------
    parts
        `train`, `validation`, `test`: those there are.
    difference, difference_se
        Training less test rows (NaN without training rows), and the standard error.
    verdict
        `over-fitting` where training rows have an ELBO higher than test rows, by more than 3 standard errors and by 0.2
        deviations of one row or more; `slight over-fitting` where it is less than that; `other rows` where validation
        rows, which come from where training rows do, have none of it: then the test rows are of another kind.

    """

    parts: Mapping[str, SplitElbo]
    difference: float
    difference_se: float
    verdict: Fit


@dataclass(frozen=True)
class Outside:
    """Test rows with values that the training rows do not have.

    Attributes
    ----------
    rows, of
        How many have one, among how many.
    columns
        Column -> how many rows are beyond its range, or have a category or a listed number that it lacks; those with
        none left out.
    unseen
        The same of unseen categories and unlisted numbers alone.
    expected
        How often chance alone takes a row beyond a column's range, at most: 2/(n + 1) for each row that has a value and
        each column whose range was inferred from the n training rows that have one.
    beyond
        How often it is.

    """

    rows: int
    of: int
    columns: Mapping[str, int]
    unseen: Mapping[str, int]
    expected: float
    beyond: int

    @property
    def is_more_than_chance(self) -> bool:
        """Whether there are more than chance explains, by 4 deviations of a Poisson count."""
        return self.beyond > self.expected + 4 * math.sqrt(self.expected) + 1


def compare(
    model: Model,
    rows: Mapping[str, EncodedRows | None],
    whole: Mapping[str, int],
    seed: int = 0,
    *,
    held_out: bool = True,
) -> Overfitting:
    """The ELBO of `train`, `validation` and `test` rows, with 20 draws of z a row.

    Parameters
    ----------
    model, rows
        Rows encoded and binarised once where that applies; `None` where there are none.
    whole
        How many rows these are a part of.
    seed
        Of the noise.
    held_out
        Whether no training row is among the test rows; else nothing is judged.

    """
    parts = {}
    for name, some in rows.items():
        if some is not None and len(some):
            measured = evidence(model, some, samples=DRAWS, seed=seed)
            elbo, counting = measured.terms["elbo"], measured.counting
            deviation = float(elbo.std(ddof=1)) if len(elbo) > 1 else math.nan
            parts[name] = SplitElbo(len(elbo), whole[name], counting.mean(elbo), counting.se(elbo), deviation)
    if "train" not in parts or not held_out:
        return Overfitting(parts, math.nan, math.nan, Fit.NOT_JUDGED)
    gap, error = _gap(parts, "train", "test")
    return Overfitting(parts, gap, error, _verdict(parts, gap, error))


def _gap(parts: Mapping[str, SplitElbo], one: str, other: str) -> tuple[float, float]:
    return parts[one].elbo - parts[other].elbo, math.hypot(parts[one].se, parts[other].se)


def _verdict(parts: Mapping[str, SplitElbo], gap: float, error: float) -> Fit:
    if min(parts["train"].rows, parts["test"].rows) < MIN_ROWS:
        return Fit.NOT_JUDGED
    if not gap > ERRORS * error:
        return Fit.GOOD
    if "validation" in parts and parts["validation"].rows >= MIN_ROWS:
        held, held_error = _gap(parts, "train", "validation")
        moved, moved_error = _gap(parts, "validation", "test")
        if held < ERRORS * held_error and moved > ERRORS * moved_error:
            return Fit.OTHER_ROWS
    return Fit.OVER if gap > LARGE * parts["train"].deviation else Fit.SLIGHT


def outside(schema: Schema, rows: EncodedRows) -> Outside:
    """How many rows have values beyond the ranges of training rows, categories that these lack, or unlisted numbers.

    Hard limits are checked when rows are encoded.
    """
    beyond_by_column: dict[str, np.ndarray] = {}
    x, seen = rows.stored().values.flatten(1), None if rows.observed is None else rows.observed.flatten(1)
    parts: list[tuple[Column, Tensor, Tensor | None]] = []
    if schema.cells_alike:
        parts = [(schema.columns[0], x, seen)]
    else:
        parts = [(c, x[:, [i]], None if seen is None else seen[:, [i]]) for i, c in enumerate(schema.modelled)]
    if rows.covariates is not None:
        parts += [(c, rows.covariates[:, [i]], None) for i, c in enumerate(schema.conditions)]
    expected = sum(_add(beyond_by_column, part, schema) for part in parts)
    counts = {name: int((cells > 0).sum()) for name, cells in beyond_by_column.items()}
    codes = {column.name for column in schema.columns if _known_alone(column)}
    some = np.zeros(len(rows), bool)
    for cells in beyond_by_column.values():
        some |= cells > 0
    return Outside(
        rows=int(some.sum()),
        of=len(rows),
        columns={name: count for name, count in counts.items() if count},
        unseen={name: count for name, count in counts.items() if count and name in codes},
        expected=expected,
        beyond=sum(count for name, count in counts.items() if name not in codes),
    )


def _add(beyond_by_column: dict[str, np.ndarray], part: tuple[Column, Tensor, Tensor | None], schema: Schema) -> float:
    """Count each row's cells that are outside; how many rows chance takes beyond a range that was inferred, at most."""
    column, cells, seen = part
    alone = _known_alone(column)
    if not alone and (column.hard or column.low is None or column.high is None):
        return 0.0
    if column.kind == Kind.LISTED:
        x = cells.cpu().to(torch.float64)
        beyond = ~Numbers.of([column.categories] * x.shape[1]).find(x)[1].to(cells.device)
    elif column.coded:
        beyond = cells < 0
    else:
        slack = 0.5 * (column.step or 0.0)
        beyond = (cells < (column.low or 0.0) - slack) | (cells > (column.high or 0.0) + slack)
    beyond = beyond if seen is None else beyond & seen
    beyond_by_column[column.name] = beyond.sum(1).cpu().numpy()
    rows = len(cells) if seen is None else int(seen.any(1).sum())
    known = schema.rows if schema.cells_alike else schema.rows - column.missing
    return 0.0 if alone else 2 / (known + 1) * rows


def _known_alone(column: Column) -> bool:
    """Whether all values that training rows lack are one event."""
    return column.coded or column.kind == Kind.LISTED
