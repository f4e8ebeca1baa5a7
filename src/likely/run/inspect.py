"""What a data set is inferred as, before anything is fitted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Unpack, cast

import pandas as pd

from likely.assembly import resolve
from likely.config import Config
from likely.data import Column, Rows, Schema
from likely.data.summary import Summary, summarise
from likely.run.described import listed
from likely.run.describing import describe, opened
from likely.run.many import divided
from likely.run.options import DataKeywords, DataOptions

__all__ = ["MAX_SUMMARISED", "Inspection", "inspect"]

MAX_SUMMARISED = 200  # columns with a histogram
MAX_CELLS = 2**20  # of an array that its histogram is of: 8 MiB in float64


@dataclass(frozen=True, repr=False)
class Inspection:
    """What a data set is inferred as: its schema, its splits, a summary of each column.

    Attributes
    ----------
    form, splits, used, notices
        `table`, `array` or `images`; rows per split, and how many would be used for what; what was done to the data.
    schema
        What each column is inferred as, and why.
    sizes
        The model, and its sizes, that a fit would choose.
    summaries
        What the training rows hold, for the first 200 columns of the schema.

    """

    form: str
    splits: dict[str, int]
    used: dict[str, int]
    notices: tuple[str, ...]
    schema: Schema
    sizes: dict[str, int | str | None]
    summaries: tuple[Summary, ...] = ()

    def __repr__(self) -> str:
        return listed(self).text()

    def _repr_html_(self) -> str:
        return listed(self).html()

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, ready for JSON."""
        plain = {**asdict(self), "schema": self.schema.to_dict()}
        del plain["summaries"]
        summaries = [*self.summaries, *[None] * len(self.schema.columns)]
        pairs = zip(self.schema.columns, summaries, strict=False)
        return plain | {"columns": [_column(column, summary, self.schema.rows) for column, summary in pairs]}


def _column(column: Column, summary: Summary | None, rows: int) -> dict[str, Any]:
    """All about one column; what needs its values only where it is summarised."""
    described: dict[str, Any] = {
        "name": column.name,
        "dtype": column.dtype,
        "kind": column.kind,
        "reason": column.reason,
        "left_out": column.left_out,
        "condition": column.condition,
        "low": column.low,
        "high": column.high,
        "categories": len(column.categories),
        "missing": column.missing,
    }
    if summary is not None:
        known = summary.to_dict()
        if summary.low is None:
            del known["low"], known["high"]
        described |= known | {"missing": summary.missing}
    return described | {"missing_share": described["missing"] / rows}


def inspect(data: Any, *, seed: int = 0, progress: bool = True, **options: Unpack[DataKeywords]) -> Inspection:
    """Read the data and infer the form of x from its training rows, as `fit` would; the options are those of `fit`.

    Raises
    ------
    InputError
        If the data cannot be read or modelled as they are.

    """
    source, about = opened(data, DataOptions(**cast(dict[str, Any], options)), progress=progress)
    parted = divided(source, seed, about.split, progress=progress)
    described = parted.described(lambda rows: describe(rows, about))
    schema, division, train = described.schema, described.rows.division, described.rows.take("train")
    model = resolve(Config(), schema).config.model
    return Inspection(
        source.form,
        {name: len(rows) for name, rows in source.splits.items()},
        {
            "train": division.training_rows,
            **{kind: len(getattr(division, kind)) for kind in ("validation", "test")},
        },
        described.notices,
        schema,
        {"model": model.kind, "latent": model.latent, "width": model.width, "blocks": model.blocks},
        tuple(summarise(column, _values(schema, column, train)) for column in schema.columns[:MAX_SUMMARISED]),
    )


def _values(schema: Schema, column: Column, rows: Rows) -> pd.Series:
    """The values of one column; of an array whose cells are of one kind, those of all cells of its first rows."""
    if column in schema.beside:
        return pd.Series(rows.values_named(column.name))
    if isinstance(rows.values, pd.DataFrame):
        return rows.values[column.name]
    if schema.cells_alike:
        return pd.Series(rows.values[: max(1, MAX_CELLS // schema.dims)].ravel())
    return pd.Series(rows.values[:, [each.name for each in schema.columns].index(column.name)])
