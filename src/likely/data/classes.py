"""Classes that few rows have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from likely.data.cells import missing_cells
from likely.data.conditions import condition_values
from likely.data.schema import Schema
from likely.data.source import Source
from likely.data.split import Division

__all__ = ["with_classes"]


def with_classes(schema: Schema, source: Source, division: Division) -> tuple[Division, tuple[str, ...]] | None:
    """A division in which every class of a condition is among the training rows, and what was moved; `None`: it is.

    P(x|y) knows nothing of a class y that no training row has, and y is given, not modelled: which rows train may
    depend on it. Of a class that only held-out rows have, all rows train. Rows of a split of their own stay there.

    Parameters
    ----------
    schema
        Inferred from the training rows.
    source, division
        The data, and their parts.

    """
    names = [column.name for column in schema.conditions if column.coded]
    rows = source.splits[division.origin["train"]].read()
    if not names or len(set(division.origin.values())) > 1:
        return None
    lacking = np.zeros(len(rows), dtype=bool)
    notices = []
    for name, labels in condition_values(schema, rows).items():
        if name not in names:
            continue
        values = pd.Series(labels)
        known = set(values.iloc[division.train].tolist())
        new = values.map(lambda value, known=known: value not in known).to_numpy(dtype=bool) & ~missing_cells(values)[0]
        if new.any():
            classes = ", ".join(map(repr, values[new].unique().tolist()[:3]))
            notices.append(f"condition {name!r}: {int(new.sum())} row(s) train that alone have {classes}")
            lacking |= new
    parts = {kind: getattr(division, kind) for kind in ("train", "validation", "test")}
    kept = {kind: rows[~lacking[rows]] for kind, rows in parts.items()}
    if not lacking.any() or not len(kept["validation"]) or (len(parts["test"]) and not len(kept["test"])):
        return None
    kept["train"] = np.sort(
        np.concatenate([parts["train"], *(parts[kind][lacking[parts[kind]]] for kind in ("validation", "test"))])
    )
    return replace(division, **kept), tuple(notices)
