"""Anomalies: rows ranked by how improbable they are, with the reasons, and rates of false alarms that hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from torch import Tensor

from likely.config import demand_whole
from likely.data import EncodedRows, Given, Rows, condition_values, encode_given, outward
from likely.errors import ConfigError, DataError
from likely.run.forms import container_of, labelled, packed
from likely.run.progress import bar
from likely.run.reading import index_of
from likely.tasks.anomalies import contributions, tails

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["AnomalyOptions", "Judge", "anomalies"]


@dataclass(frozen=True)
class AnomalyOptions:
    """How rows are ranked; see `Run.anomalies`.

    Raises
    ------
    ConfigError
        If the rate of false alarms is none, or there are no samples.

    """

    false_alarms: float | None = None
    samples: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        demand_whole("samples", self.samples)
        if self.false_alarms is not None and not 0 < self.false_alarms < 1:
            raise ConfigError(f"false_alarms is a rate between 0 and 1, got {self.false_alarms}")


def anomalies(run: Run, data: Any, options: AnomalyOptions, *, given: Given | None) -> Any:
    """The rows ranked by how improbable they are; see `Run.anomalies`."""
    judge = Judge(run, options)
    rows, _ = run.rows_of(data)
    encoded = run.encoded(rows, given)
    frame, keys = judge.judged(rows, encoded, missing=encoded.observed is not None)
    ranked = frame.iloc[np.lexsort(keys[::-1])]
    ranked.insert(0, "rank", np.arange(1, len(ranked) + 1))
    return packed(container_of(data), labelled(run, ranked))


class Judge:
    """How improbable rows are, against the run's test rows, which are looked at once.

    Parameters
    ----------
    run, options
        The run, and how rows are ranked.

    Raises
    ------
    DataError
        If the test rows cannot vouch for the rate of false alarms.

    """

    def __init__(self, run: Run, options: AnomalyOptions) -> None:
        self._run, self._options, self._others = run, options, _calm(run)
        if options.false_alarms is not None:
            _demand(self._others, options.false_alarms)
        self.compares_masks = self._others is not None and self._others.observed is not None
        self._calm: dict[bool, dict[str, Any]] = {}

    def judged(self, rows: Rows, encoded: EncodedRows, *, missing: bool) -> tuple[pd.DataFrame, list[np.ndarray]]:
        """What `Run.anomalies` tells of each row but its rank, in input order; and what ranks it, rising.

        Parameters
        ----------
        rows, encoded
            As they came, and encoded.
        missing
            Whether cells are missing in any of the rows that are to be ranked with these.

        """
        run, others = self._run, self._others
        missing = missing or self.compares_masks
        scores = _scored(run, encoded, self._options, missing=missing)
        cells, code = scores.pop("cells"), scores.pop("code")
        if others is not None:
            if missing not in self._calm:
                self._calm[missing] = _scored(run, others, self._options, missing=missing)
            calm = self._calm[missing]
            scores["p_value"] = _p_values(_keys(scores), _keys(calm))
            if missing and not self.compares_masks:
                seen = encoded.observed
                whole = np.full(len(encoded), True) if seen is None else seen.cpu().flatten(1).all(1).numpy()
                scores["p_value"][whole] = _p_values([-scores["score"][whole]], [-calm["score"]])
        if self._options.false_alarms is not None:
            scores["anomaly"] = scores["p_value"] <= self._options.false_alarms
        frame = pd.DataFrame(scores | {"code": code}, index=index_of(rows))
        if run.schema.cells_alike:
            cells = outward(run.schema, cells.reshape(-1, *run.schema.event_shape)).reshape(cells.shape)
        reasons = pd.DataFrame(cells, columns=_names(run, frame.columns), index=frame.index)
        return pd.concat([frame, reasons], axis=1), _keys(scores)


def _names(run: Run, taken: pd.Index) -> list[str]:
    """A name for the contribution of each cell: that of its column, unlike those of the result's other columns."""
    if run.schema.cells_alike:
        return [f"x{i}" for i in range(run.schema.dims)]
    names = [column.name for column in run.schema.modelled]
    return [f"{name} (column)" if name in taken or name == "rank" else name for name in names]


def _calm(run: Run) -> EncodedRows | None:
    """The run's test rows, which chose neither weights nor thresholds; `None` where they are gone."""
    try:
        return run.encoded(run.rows_of()[0])
    except DataError:
        return None


def _demand(others: EncodedRows | None, rate: float) -> None:
    """Refuse a rate of false alarms that so few rows cannot vouch for.

    Raises
    ------
    DataError
        If there are less than 1/rate − 1 rows that chose nothing.

    """
    least = math.ceil(1 / rate - 1e-9) - 1
    have = 0 if others is None else len(others)
    if have < least:
        raise DataError(
            f"a rate of {rate:g} false alarms needs at least {least} rows that chose nothing, and the run has "
            f"{have} test row(s); ask for a rate of at least {1 / (have + 1):.3g}"
            if have
            else f"a rate of false alarms needs the run's test rows ({least} at least), and they are gone"
        )


def _scored(run: Run, rows: EncodedRows, options: AnomalyOptions, *, missing: bool) -> dict[str, Any]:
    with bar("scoring", shown=run.progress) as tick:
        measured = contributions(
            run.model, rows, samples=options.samples, seed=options.seed, rule=run.proposal_rule(), progress=tick
        )
    scores: dict[str, Any] = {"score": -measured.log_px}
    if missing:
        with bar("comparing rows with the same missing cells", shown=run.progress) as tick:
            scores["tail"], scores["depth"] = tails(
                run.model,
                rows,
                measured.log_px,
                samples=options.samples,
                seed=options.seed,
                covariates=_given(run),
                rule=run.proposal_rule(),
                progress=tick,
            )
    ess = np.full_like(measured.ess, np.nan) if run.model.summed else measured.ess
    return scores | {"ess": ess, "cells": measured.cells, "code": measured.code}


def _given(run: Run) -> Tensor | None:
    """y of training rows: those that the run keeps or, of a run that an earlier version made, those of its data."""
    if not run.schema.conditions:
        return None
    if run.conditions is None:
        rows = run.division.rows(run.training_source(), "train")
        known = encode_given(run.schema, condition_values(run.schema, rows), len(rows))
        return None if known is None else known.to(run.device)
    return run.conditions.to(run.device)


def _keys(scores: dict[str, Any]) -> list[np.ndarray]:
    """What rows are ranked by, rising: the first decides, the next where it is equal."""
    return [scores["tail"], -scores["depth"]] if "tail" in scores else [-scores["score"]]


def _p_values(mine: list[np.ndarray], theirs: list[np.ndarray]) -> np.ndarray:
    """(1 + how many of the n calm rows are ranked as high)/(n + 1): `(rows,)`."""
    count = len(mine[0])
    both = [np.concatenate(pair) for pair in zip(mine, theirs, strict=True)]
    _, place = np.unique(np.stack(both, 1), axis=0, return_inverse=True)
    place = place.reshape(-1)
    ranks = np.sort(place[count:])
    return np.asarray((1 + np.searchsorted(ranks, place[:count], side="right")) / (len(ranks) + 1))
