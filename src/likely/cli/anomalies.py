"""Anomalies in the terminal: the rows that rank highest, and why."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from likely.cli.many import Target, said_once
from likely.cli.output import json_value, save_frame
from likely.cli.rows import DataRows
from likely.cli.show import document, line, say
from likely.cli.split import numbered
from likely.data import EncodedRows, Source, encode, with_conditions_beside
from likely.run.anomalies import AnomalyOptions, Judge
from likely.run.forms import labelled
from likely.run.progress import bar
from likely.run.reading import store_of

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["anomalous", "anomalous_in_parts"]

MAX_REASONS, MIN_REASON = 4, 1.0  # columns named for a row, each from so many nats above its mean


def anomalous(
    run: Run, data: Any, ranked: pd.DataFrame, *, n: int, output: Path | None, overwrite: bool, json: bool
) -> None:
    """Write all rows as they are ranked, and print the first n of them."""
    rows = ranked.rename_axis("row").reset_index()
    if output is not None:
        save_frame(rows, output, overwrite=overwrite)
    if json:
        document(
            {"rows": len(rows), "anomalies": json_value(rows.head(n)), **({"output": str(output)} if output else {})}
        )
    elif output is None:
        say(_table(run, data, ranked, n), *_summary(ranked, n))


def anomalous_in_parts(
    rows: DataRows, options: AnomalyOptions, target: Target, *, given: Mapping[str, Any], n: int
) -> None:
    """Write all rows in their order, with what `Run.anomalies` tells of them but the rank; or print the first n."""
    judge = Judge(rows.run, options)
    missing = judge.compares_masks or any(
        _encoded(rows.run, part, given).observed is not None for _, part in rows.parts()
    )
    best = _Best(n)

    def of_part(run: Run, part: Source, first: int) -> pd.DataFrame:
        held = store_of(run, part).read()
        judged, keys = judge.judged(held, run.encoded(held, given), missing=missing)
        best.add(judged, keys, first)
        return numbered(labelled(run, judged), first)

    if target.output is not None:
        asked = {"given": dict(given), **asdict(options)}
        rows.deliver("anomalies", asked, of_part, target, frames=True)
        return
    quiet = replace(rows.run, progress=False)
    with bar("anomalies", shown=rows.run.progress) as tick, said_once():
        for first, part in rows.parts():
            of_part(quiet, part, first)
            tick(first + len(part.splits["all"]), len(rows.store))
    ranked, means = best.ranked()
    if target.json:
        document({"rows": len(rows.store), "anomalies": json_value(ranked.rename_axis("row").reset_index())})
        return
    cells = rows.store.read(ranked.index.to_numpy())
    say(_table_of(ranked, means, cells.values if isinstance(cells.values, pd.DataFrame) else None, n))
    say(f"{max(len(rows.store) - n, 0):,} more rows; -o FILE or -o FOLDER/ writes all of them")


def _encoded(run: Run, part: Source, given: Mapping[str, Any]) -> EncodedRows:
    rows = store_of(run, part).read()
    return encode(run.schema, rows.values, with_conditions_beside(run.schema, rows, given))


class _Best:
    """The rows that rank highest among all parts, and the mean of each contribution."""

    def __init__(self, n: int) -> None:
        self._n, self._rows = n, pd.DataFrame()
        self._keys: list[np.ndarray] = []
        self._sums: pd.Series | None = None
        self._counts: pd.Series | None = None

    def add(self, judged: pd.DataFrame, keys: list[np.ndarray], first: int) -> None:
        reasons = judged.loc[:, "code":]
        sums, counts = reasons.sum(), reasons.notna().sum()
        self._sums = sums if self._sums is None else self._sums + sums
        self._counts = counts if self._counts is None else self._counts + counts
        rows = pd.concat([self._rows, judged.set_axis(np.arange(first, first + len(judged)))])
        joined = [np.concatenate(pair) for pair in zip(self._keys, keys, strict=True)] if self._keys else keys
        order = np.lexsort(joined[::-1])[: self._n]
        self._rows, self._keys = rows.iloc[order], [key[order] for key in joined]

    def ranked(self) -> tuple[pd.DataFrame, pd.Series]:
        ranked = self._rows.copy()
        ranked.insert(0, "rank", np.arange(1, len(ranked) + 1))
        return ranked, self._sums / self._counts if self._sums is not None else pd.Series(dtype=float)


def _table(run: Run, data: Any, ranked: pd.DataFrame, n: int) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what there is to say of reading was said when they were ranked
        values = run.rows_of(data)[0].values
    place = {label: i for i, label in enumerate(ranked.index.sort_values())}
    frame = values.loc[ranked.index[:n]] if isinstance(values, pd.DataFrame) else None
    shown = ranked if frame is not None else ranked.set_axis([place[label] for label in ranked.index])
    return _table_of(shown, ranked.loc[:, "code":].mean(), frame, n)


def _table_of(ranked: pd.DataFrame, means: pd.Series, cells: pd.DataFrame | None, n: int) -> Any:
    """The first n rows: their labels, what ranks them, and the parts that cost most, with the cells of these rows."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    marks = {"score": "-log P(x)", "tail": "tail", "p_value": "p-value"}
    shown = {name: title for name, title in marks.items() if name in ranked}
    marked = ["anomaly"] if "anomaly" in ranked else []
    for title in ("row", *shown.values(), *marked):
        table.add_column(title, justify="right")
    table.add_column("nats more than is usual, by column")
    excess = ranked.loc[:, "code":] - means
    for position in range(min(n, len(ranked))):
        row = ranked.iloc[position]
        numbers = [f"{row[name]:.4g}" for name in shown] + ["yes" if row[name] else "" for name in marked]
        its = None if cells is None else cells.iloc[position]
        line(table, str(ranked.index[position]), *numbers, _why(excess.iloc[position], its))
    return table


def _why(excess: pd.Series, cells: pd.Series | None) -> str:
    """The parts that cost most above their mean, the values of columns beside them."""
    most = excess.dropna().sort_values(ascending=False, kind="stable").head(MAX_REASONS)
    named = []
    for name, nats in most[most >= MIN_REASON].items():
        known = cells is not None and name in cells.index and not isinstance(cells[name], pd.Series)
        named.append(f"{name}={cells[name]} +{nats:.1f}" if known and cells is not None else f"{name} +{nats:.1f}")
    return ", ".join(named) or "no part by itself"


def _summary(ranked: pd.DataFrame, n: int) -> list[str]:
    lines = [f"{max(len(ranked) - n, 0):,} more rows; -o FILE writes all of them"] if len(ranked) > n else []
    if "anomaly" in ranked:
        lines.append(f"{int(ranked['anomaly'].sum()):,} of {len(ranked):,} rows are marked as anomalies")
    low = float(np.mean(ranked["ess"] < 10))
    if low > 0.1:
        lines.append(f"{low:.0%} of the rows have fewer than 10 effective draws of z: raise --samples")
    return lines
