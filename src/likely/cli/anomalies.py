"""Anomalies in the terminal: the rows that rank highest, and why."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from likely.cli.output import json_value, save_frame
from likely.cli.show import document, line, say

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["anomalous"]

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


def _table(run: Run, data: Any, ranked: pd.DataFrame, n: int) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    marks = {"score": "-log P(x)", "tail": "tail", "p_value": "p-value"}
    shown = {name: title for name, title in marks.items() if name in ranked}
    marked = ["anomaly"] if "anomaly" in ranked else []
    for title in ("row", *shown.values(), *marked):
        table.add_column(title, justify="right")
    table.add_column("nats more than is usual, by column")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what there is to say of reading was said when they were ranked
        values = run.rows_of(data)[0].values
    place = {label: i for i, label in enumerate(ranked.index.sort_values())}
    reasons = ranked.loc[:, "code":]
    excess = reasons - reasons.mean()
    for position in range(min(n, len(ranked))):
        row = ranked.iloc[position]
        cells = values.loc[ranked.index[position]] if isinstance(values, pd.DataFrame) else None
        numbers = [f"{row[name]:.4g}" for name in shown] + ["yes" if row[name] else "" for name in marked]
        label = ranked.index[position] if cells is not None else place[ranked.index[position]]
        line(table, str(label), *numbers, _why(excess.iloc[position], cells))
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
