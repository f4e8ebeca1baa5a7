"""The schema of x: its shape, its columns, the kind of each, and the reason for that kind."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from likely.data.kinds import CATEGORY_KINDS, LEFT_OUT, NUMERIC, Binarize, Channels, Form, Kind, Measure
from likely.data.number_formats import NumberFormat
from likely.data.schema_checks import demand_consistent
from likely.data.source import LABEL, Delimited
from likely.errors import ConfigError, RunError
from likely.files import built, conform

__all__ = ["EXPOSURE", "LABEL", "REQUESTED", "Column", "Schema"]

EXPOSURE = "exposure"
# (minimum, maximum) of numbers in a stored schema: all that real data can have, and nothing that would fill memory.
COLUMN_RANGES = {"scale": (0, 1e308), "per_unit": (1, 1e15), "reserve": (0, 1), "missing": (0, 2**53)}
SCHEMA_RANGES = {"rows": (1, 2**53)}
STORED_ALIKE = "uniform"  # the name of `cells_alike` in files
REQUESTED = "as requested"  # the reason of a kind that the user requested


@dataclass(frozen=True)
class Column:
    """One column of a table, or one description of all cells of an array.

    Attributes
    ----------
    name, dtype
        Those of the data.
    kind, reason
        The kind that was inferred or requested, and the reason for it.
    mean, scale
        Mean and standard deviation of the training rows, in data units, the latter 1 where all are equal; of a binary
        column, of its codes 0 and 1.
    low, high
        Range of the training rows, or the type's limits where `hard`; of a binary column the values of its codes 0 and
        1, or the range of the levels that are made 0/1.
    per_unit
        Values are multiples of 1/per_unit: 1 for integers, 100 for two decimals, 255 for levels scaled to 0..1.
        `None`: not on a grid.
    hard
        The limits are those of the type (0/1, 0..255): a value beyond them is an error.
    categories
        The values seen in training, in code order, and those that a pandas categorical knows besides; of dates their
        ISO texts; of a listed column, which takes only some numbers, these, ascending.
    inner
        Type of a pandas categorical's categories.
    reserve
        Mass kept for values never seen in training, 1/(rows + 1); 0 where the limits are `hard`.
    condition
        The column is y of P(x|y): given, not modelled.
    exposure
        The column is a condition to which counts are in proportion: its values are above 0, and P(x|z, y) multiplies
        the rates of counts by them.
    missing
        How many of the training rows' cells have no value.
    token
        The most frequent text of missing cells, as it is written (` ?`); `None` where they are empty, NaN or NA.
    origin, unit
        A date is encoded as the number of units (`D`, `h`, `m`, `s`, `ms`, `us`, `ns`) since the origin, in UTC where
        it has a zone.
    format
        How dates are written that came as strings, for `strftime` (`%3f`: milliseconds); `date` for Python's dates.
    written
        How numbers are written that came as strings; `None` for plain ones.
    knots
        `(x, y)` pairs, both ascending, of the warp that makes the column about standard normal (`Warp`); empty where no
        likelihood needs a warp.
    atoms
        Of a column of reals: numbers that many rows hold, ascending. P(x|z) has a mass at each, a density elsewhere.
    spikes
        The same of a column on a grid: P(x|z) has an extra mass at each, beside the masses of all values of the grid.
    resolutions
        `(multiple, share)` pairs, multiples ascending from 1: this share of the rows is rounded to multiples of so many
        steps of the grid. Empty where no rows are rounded.
    limits
        Limits that the user declares: P(x) is 0 below the first and above the second, ∓∞ where a side is open; they are
        values of the grid where there is one. `low` and `high` stay those of the training rows.
    came
        The type of the data, where `dtype` is a plainer one that they are converted to: `Sparse[int64, 0]`, `>f8`,
        `timedelta64[us]`, which becomes seconds. `None` where they are the same.

    """

    name: str
    dtype: str
    kind: Kind
    reason: str
    mean: float = 0.0
    scale: float = 1.0
    low: float | None = None
    high: float | None = None
    per_unit: int | None = None
    hard: bool = False
    categories: tuple[Any, ...] = ()
    inner: str | None = None
    reserve: float = 0.0
    condition: bool = False
    exposure: bool = False
    missing: int = 0
    token: str | None = None
    origin: str | None = None
    unit: str | None = None
    format: str | None = None
    written: NumberFormat | None = None
    knots: tuple[tuple[float, float], ...] = ()
    atoms: tuple[float, ...] = ()
    spikes: tuple[float, ...] = ()
    resolutions: tuple[tuple[int, float], ...] = ()
    limits: tuple[float, float] | None = None
    came: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in tuple(Kind):
            raise ConfigError(f"column {self.name!r}: kind must be one of {', '.join(Kind)}, got {self.kind!r}")
        object.__setattr__(self, "kind", Kind(self.kind))

    @property
    def step(self) -> float | None:
        """Resolution of the grid, in data units."""
        return None if self.per_unit is None else 1 / self.per_unit

    @property
    def coded(self) -> bool:
        """Whether the column is encoded as the indices of its categories."""
        return self.kind in CATEGORY_KINDS

    @property
    def numeric(self) -> bool:
        """Whether the column holds numbers, which have an order."""
        return self.kind in NUMERIC

    @property
    def left_out(self) -> bool:
        """Whether the column is neither modelled nor a condition."""
        return self.kind in LEFT_OUT

    @property
    def requested(self) -> bool:
        """Whether the user requested its kind; schemas that were stored earlier say `as told`."""
        return self.reason.startswith((REQUESTED, "as told"))

    @property
    def measure(self) -> Measure:
        """What P of a cell is: a `mass`, a `density`, or `mixed`, a mass at atoms and a density elsewhere."""
        if not self.numeric or self.kind == Kind.LISTED or self.per_unit is not None:
            return "mass"
        return "mixed" if self.atoms else "density"


@dataclass(frozen=True)
class Schema:
    """What X is: inferred from the training rows, and the same for the model and for all that it is compared with.

    Attributes
    ----------
    form
        `table`, `array` or `images`: the form in which results are given back.
    event_shape
        Shape of one row x: `(columns,)` for a table; pictures with channels have them last.
    columns
        One per column, or exactly one that describes all cells (`cells_alike`). Ignored columns and conditions are kept
        here; labels from beside an array, such as `y` of an npz file, come last where they are a condition.
    rows
        Training rows the schema was inferred from.
    cells_alike
        Whether one column describes all cells of x, as those of pictures; false of a table. Stored as `uniform`.
    binarize
        How levels are made 0 and 1, or `None`.
    resize
        `(height, width)` to which pictures were scaled, or `None`.
    background
        `(red, green, blue)`, 0 to 255, on which transparent pictures were laid; `None` for white.
    text
        Separator and decimal mark of the text file that the rows came from; `None` for other data.
    channels
        Which of the three axes of rows as they were given holds channels; `None` where there is none, or it is not
        known.
    weight
        The column, or the name of what is beside an array, that says how many rows each row counts as; it is not
        modelled. `None`: each row counts once.

    """

    form: Form
    event_shape: tuple[int, ...]
    columns: tuple[Column, ...]
    rows: int
    cells_alike: bool
    binarize: Binarize | None = None
    resize: tuple[int, int] | None = None
    background: tuple[int, int, int] | None = None
    text: Delimited | None = None
    channels: Channels | None = None
    weight: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "form", Form(self.form))
        object.__setattr__(self, "binarize", Binarize(self.binarize) if self.binarize else None)
        object.__setattr__(self, "channels", Channels(self.channels) if self.channels else None)

    @property
    def given_shape(self) -> tuple[int, ...]:
        """Shape of one row as it was given."""
        if self.channels != Channels.FIRST:
            return self.event_shape
        return (*self.event_shape[:-3], self.event_shape[-1], *self.event_shape[-3:-1])

    @property
    def modelled(self) -> tuple[Column, ...]:
        """The columns that the model is about, in order."""
        return tuple(column for column in self.columns if not column.left_out and not column.condition)

    @property
    def conditions(self) -> tuple[Column, ...]:
        """The columns y of P(x|y), in order; none for a model of P(x) alone."""
        return tuple(column for column in self.columns if column.condition)

    @property
    def beside(self) -> tuple[Column, ...]:
        """The conditions whose values are not cells of the rows but beside them, as labels are; none of a table."""
        own = [] if self.cells_alike else [f"x{i}" for i in range(len(self.columns))]
        return () if self.form == Form.TABLE else tuple(c for c in self.conditions if c.name not in own)

    @property
    def exposure(self) -> Column | None:
        """The condition that counts are in proportion to."""
        return next((column for column in self.conditions if column.exposure), None)

    @property
    def exposed(self) -> tuple[int, ...]:
        """Indices of the modelled columns that are in proportion to the exposure: counts, or all cells of an array."""
        if self.exposure is None:
            return ()
        return tuple(i for i, column in enumerate(self.modelled) if self.cells_alike or column.kind == Kind.COUNT)

    @property
    def dims(self) -> int:
        """Number of cells of one row."""
        count = 1
        for size in self.event_shape:
            count *= size
        return count

    def to_dict(self) -> dict[str, Any]:
        """The schema as plain dictionaries, ready for JSON; an infinite limit is `None`."""
        plain = dataclasses.asdict(self, dict_factory=_as_stored)
        for column in plain["columns"]:
            if column["limits"] is not None:
                column["limits"] = tuple(end if math.isfinite(end) else None for end in column["limits"])
        return plain

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Schema:
        """The schema of which `to_dict` gave these values.

        Raises
        ------
        RunError
            If a key is missing or unknown.

        """
        try:
            stored = [{**item, "limits": _limits(item.get("limits"))} for item in values["columns"]]
            columns = [built(Column, item, f"columns[{place}]", COLUMN_RANGES) for place, item in enumerate(stored)]
            entries = {**values, "columns": ()}
            alike = conform(bool, entries.pop(STORED_ALIKE, None), f"the schema.{STORED_ALIKE}")
            schema = built(cls, {**entries, "cells_alike": alike}, "the schema", SCHEMA_RANGES)
            schema = dataclasses.replace(schema, columns=tuple(columns))
            demand_consistent(schema)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise RunError(f"the schema is not one that this version wrote ({str(error)[:150]})") from error
        return schema


def _as_stored(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = {name: str(value) if isinstance(value, StrEnum) else value for name, value in pairs}
    return {STORED_ALIKE if name == "cells_alike" else name: value for name, value in plain.items()}


def _limits(stored: Any) -> tuple[float, float] | None:
    if stored is None:
        return None
    low, high = stored
    return -math.inf if low is None else float(low), math.inf if high is None else float(high)
