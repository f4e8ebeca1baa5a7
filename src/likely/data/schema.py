"""The form of x: which columns there are, what kind each is, and why."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from likely.data.kinds import CODED, LEFT_OUT, NUMERIC, Binarize, Channels, Form, Kind, Measure
from likely.data.sound import demand_sound
from likely.data.source import LABEL, Delimited
from likely.data.written import Written
from likely.errors import ConfigError, RunError
from likely.files import built

__all__ = ["EXPOSURE", "LABEL", "REQUESTED", "Column", "Schema"]

EXPOSURE = "exposure"
# The least and the most of stored numbers: more than any data has, less than any memory.
COLUMN_RANGES = {"scale": (0, 1e308), "per_unit": (1, 1e15), "reserve": (0, 1), "missing": (0, 2**53)}
SCHEMA_RANGES = {"rows": (1, 2**53)}
REQUESTED = "as requested"  # the reason of a kind that the user requested


@dataclass(frozen=True)
class Column:
    """One column of a table, or what all cells of an array have in common.

    Attributes
    ----------
    name, dtype
        As they came.
    kind, reason
        What the column was inferred as, or requested to be, and why.
    mean, scale
        Of the training rows, in data units; of a binary column, of its codes 0 and 1.
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
        ISO texts; of a listed column its numbers, rising.
    inner
        Type of a pandas categorical's categories.
    reserve
        Mass kept for values never seen in training, 1/(rows + 1); 0 where the limits are `hard`.
    condition
        The column is y of P(x|y): given, not modelled.
    exposure
        Besides, counts are rates times this number, which is above 0: P(x|z, y) has them in proportion to it.
    missing
        How many of the training rows' cells have no value.
    token
        What stood there most often, as it was written (` ?`); `None` for nothing, NaN or NA.
    origin, unit
        A date is encoded as the number of units (`D`, `h`, `m`, `s`, `ms`, `us`, `ns`) since the origin, in UTC where
        it has a zone.
    format
        How dates are written that came as strings, for `strftime` (`%3f`: milliseconds); `date` for Python's dates.
    written
        How numbers are written that came as strings; `None` for plain ones.
    knots
        `(x, y)` pairs, both rising: of the column's warp, which makes it about standard normal (`Warp`).
        Empty where no likelihood needs it.
    atoms
        Numbers of a real column that have mass of their own, rising; the rest has a density.
    spikes
        Values on a grid that many rows hold, rising: P(x|z) has a probability of its own for each.
    resolutions
        `(multiple, share)` pairs, multiples rising from 1: a share of the rows was recorded to so many steps of
        the grid. Empty where every row was recorded to one step.
    limits
        Declared: P(x) is 0 below the first and above the second, ∓∞ where a side is open; on a grid they are values
        of it. `low` and `high` stay those of the training rows.
    came
        The type that the column came in, where `dtype` is the plain one that it is read as: `Sparse[int64, 0]`, `>f8`,
        `timedelta64[us]`, read as seconds. `None` where they are the same.

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
    written: Written | None = None
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
        """The column is encoded as the places of its categories."""
        return self.kind in CODED

    @property
    def numeric(self) -> bool:
        """The column holds numbers that more or less of can be said."""
        return self.kind in NUMERIC

    @property
    def left_out(self) -> bool:
        """The column is not modelled, nor a condition."""
        return self.kind in LEFT_OUT

    @property
    def requested(self) -> bool:
        """Whether the user requested its kind; schemas that were stored earlier say `as told`."""
        return self.reason.startswith((REQUESTED, "as told"))

    @property
    def measure(self) -> Measure:
        """What log P of a cell is the logarithm of; `mixed`: a mass at atoms, a density elsewhere."""
        if not self.numeric or self.kind == Kind.LISTED or self.per_unit is not None:
            return "mass"
        return "mixed" if self.atoms else "density"


@dataclass(frozen=True)
class Schema:
    """What X is: fixed by the training rows, shared by the model and everything it is compared with.

    Attributes
    ----------
    form
        `table`, `array` or `images`: the form in which results are given back.
    event_shape
        Shape of one row x: `(columns,)` for a table; of pictures with channels the channels are last.
    columns
        One per column, or exactly one that describes all cells (`uniform`). Ignored columns and conditions are kept
        here; labels that came beside an array, where they are a condition, come last.
    rows
        Training rows the schema was inferred from.
    binarize
        How levels were made 0/1, or `None`.
    resize
        `(height, width)` to which pictures were scaled, or `None`.
    background
        `(red, green, blue)`, 0 to 255, on which transparent pictures were laid; `None` for white.
    text
        How the text file was written that the rows came from; `None` for other data.
    channels
        Which of the three axes of rows as they were given holds channels; `None` where there is none, or it is not
        known.
    weight
        The column, or what came beside an array, that says how many rows each row counts as: left out. `None`: one.

    """

    form: Form
    event_shape: tuple[int, ...]
    columns: tuple[Column, ...]
    rows: int
    uniform: bool
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
        """The columns y that are given, in order; none for a model of P(x) alone."""
        return tuple(column for column in self.columns if column.condition)

    @property
    def beside(self) -> tuple[Column, ...]:
        """The conditions whose values are not in the rows but came beside them; none of a table."""
        own = [] if self.uniform else [f"x{i}" for i in range(len(self.columns))]
        return () if self.form == Form.TABLE else tuple(c for c in self.conditions if c.name not in own)

    @property
    def exposure(self) -> Column | None:
        """The condition that counts are in proportion to."""
        return next((column for column in self.conditions if column.exposure), None)

    @property
    def exposed(self) -> tuple[int, ...]:
        """Places of the modelled columns that are in proportion to the exposure: counts, or all cells of an array."""
        if self.exposure is None:
            return ()
        return tuple(i for i, column in enumerate(self.modelled) if self.uniform or column.kind == Kind.COUNT)

    @property
    def dims(self) -> int:
        """Number of cells of one row."""
        count = 1
        for size in self.event_shape:
            count *= size
        return count

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, ready for JSON: of limits an open side is `None`."""
        plain = dataclasses.asdict(self, dict_factory=_plain)
        for column in plain["columns"]:
            if column["limits"] is not None:
                column["limits"] = tuple(end if math.isfinite(end) else None for end in column["limits"])
        return plain

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Schema:
        """Read what `to_dict` wrote.

        Raises
        ------
        RunError
            If a key is missing or unknown.

        """
        try:
            stored = [{**item, "limits": _limits(item.get("limits"))} for item in values["columns"]]
            columns = [built(Column, item, f"columns[{place}]", COLUMN_RANGES) for place, item in enumerate(stored)]
            schema = built(cls, {**values, "columns": ()}, "the schema", SCHEMA_RANGES)
            schema = dataclasses.replace(schema, columns=tuple(columns))
            demand_sound(schema)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise RunError(f"the schema is not one that this version wrote ({str(error)[:150]})") from error
        return schema


def _plain(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, StrEnum) else value for name, value in pairs}


def _limits(stored: Any) -> tuple[float, float] | None:
    if stored is None:
        return None
    low, high = stored
    return -math.inf if low is None else float(low), math.inf if high is None else float(high)
