"""From training rows to a schema: what kind each column is, with the reason."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pandas as pd

from likely.data.schema import LABEL, Binarize, Column, Kind, Schema
from likely.data.source import Form, Rows
from likely.data.warp import warp_knots
from likely.errors import ConfigError, DataError

__all__ = ["infer_schema"]

MAX_LEVELS = 256
DECIMAL = tuple(10**decimals for decimals in range(7))
SCALED = (1, 15, 16, 255, 256)
MAX_CATEGORIES = 1000
MAX_INTEGER = 2.0**53
MAX_REAL = 1e150
PLAIN = (str, bool, int, float, np.bool_, np.number)


def infer_schema(
    rows: Rows,
    form: Form,
    *,
    kinds: Mapping[str, str] | None = None,
    conditions: Sequence[str] = (),
    binarize: Binarize | None = None,
    resize: tuple[int, int] | None = None,
) -> Schema:
    """Infer the form of x from the training rows.

    Parameters
    ----------
    rows, form
        The training rows as they came, and the form of their source.
    kinds
        Column name -> kind, where the user knows better.
    conditions
        Columns y of P(x|y), given and not modelled; `label` for what came beside arrays and images. Integer labels are
        classes, others are inferred like a column.
    binarize
        Make levels 0/1: drawn anew each time (`dynamic`), once (`static`), or cut at half (`threshold`).
    resize
        Kept in the schema, so that later pictures are scaled alike.

    Raises
    ------
    DataError
        If there are fewer than two rows, or a column cannot be modelled as it is.
    ConfigError
        If `kinds` or `conditions` name no column, an override does not fit the values, or a condition says nothing.

    """
    if len(rows) < 2:
        raise DataError(f"a distribution cannot be learned from {len(rows)} row(s); give at least two training rows")
    kinds, conditions = dict(kinds or {}), list(conditions)
    if isinstance(rows.values, pd.DataFrame):
        if binarize:
            raise ConfigError("binarize is for arrays and images; the data is a table")
        return _table(rows.values, kinds, conditions)
    array = rows.values
    labels = [_labels(rows, kinds.pop(LABEL, None))] if LABEL in conditions else []
    conditions = [name for name in conditions if name != LABEL]
    if array.ndim == 2 and not _uniform(array):
        frame = pd.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])])
        schema = _table(frame, kinds, conditions)
        if binarize:
            raise ConfigError("binarize needs cells of one kind; these columns differ in kind or range")
        return replace(schema, form=form, columns=(*schema.columns, *labels))
    if kinds:
        raise ConfigError(f"--column is for tables; the data is an array of shape {array.shape}")
    if conditions:
        raise ConfigError(
            f"no column {conditions[0]!r}: the data is an array of shape {array.shape}; its condition can be {LABEL!r}"
        )
    schema = _array(array, form, binarize, resize)
    return replace(schema, columns=(*schema.columns, *labels))


def _uniform(array: np.ndarray) -> bool:
    """Cells of a matrix are of one kind if its type says so, or if they are small integers over one range."""
    if array.dtype in (np.bool_, np.uint8):
        return True
    if array.shape[1] < 16 or not np.isfinite(array).all() or (array != np.round(array)).any():
        return False
    return bool(array.min() == 0 and array.max() < MAX_LEVELS and np.median(array.max(0)) == array.max())


def _array(array: np.ndarray, form: Form, binarize: Binarize | None, resize: tuple[int, int] | None) -> Schema:
    if 0 in array.shape:
        raise DataError(f"the array has no cells: shape {array.shape}")
    values = array.reshape(len(array), -1)
    if not np.isfinite(values).all():
        row, cell = np.argwhere(~np.isfinite(values))[0]
        raise DataError(f"row {row}, cell {cell} is missing or infinite; missing cells cannot be modelled yet")
    if array.dtype == np.uint8 and (array.max() > 1 or array.min() == array.max()):
        levels = Column(
            "x", "uint8", "levels", "uint8: 0 to 255", low=0.0, high=255.0, per_unit=1, hard=True, **_moments(values)
        )
    else:
        flat = pd.Series(values.reshape(-1))
        levels = replace(_numeric("x", flat, len(array), cells=True), dtype=str(array.dtype))
        if levels.coded:
            raise DataError(f"every cell of the training rows is {levels.categories[0]}: there is nothing to learn")
    if binarize:
        levels = _binarized(levels, binarize)
    return Schema(form, array.shape[1:], (levels,), len(array), uniform=True, binarize=binarize, resize=resize)


def _binarized(column: Column, how: Binarize) -> Column:
    if column.kind == "binary":
        raise ConfigError(f"binarize={how}: the data is 0/1 already")
    if column.low is None or column.high is None or column.low < 0:
        raise ConfigError("binarize needs non-negative levels with an upper limit, such as 0..255")
    low, high = column.low, max(column.high, 1.0)
    reason = f"levels 0 to {high:g}, made 0/1 ({how})"
    return replace(
        column,
        kind="binary",
        reason=reason,
        mean=column.mean / high,
        scale=0.5,
        low=min(low, 0.0),
        high=high,
        hard=True,
    )


def _table(frame: pd.DataFrame, kinds: dict[str, str], conditions: Sequence[str]) -> Schema:
    if frame.shape[1] == 0:
        raise DataError("the table has no columns")
    names = [str(name) for name in frame.columns]
    for name in (*kinds, *conditions):
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            raise ConfigError(
                f"no column {name!r}" + (f"; did you mean {near[0]!r}?" if near else f"; columns: {names}")
            )
    columns = tuple(
        (_condition if name in conditions else _column)(name, frame.iloc[:, i], kinds.get(name))
        for i, name in enumerate(names)
    )
    count = sum(not column.left_out and not column.condition for column in columns)
    if count == 0:
        raise DataError("no column is left to model")
    return Schema("table", (count,), columns, len(frame), uniform=False)


def _condition(name: str, values: pd.Series, wanted: str | None) -> Column:
    if wanted == "ignore":
        raise ConfigError(f"column {name!r} cannot be ignored and be a condition; choose one")
    missing = int(values.isna().sum())
    if missing:
        raise DataError(
            f"condition {name!r} misses {missing} of {len(values)} values; P(x|y) needs every one: "
            "fill them or drop those rows"
        )
    column = _column(name, values, wanted)
    if column.left_out:
        raise ConfigError(f"{name!r} cannot be a condition: {column.reason}; --column {name}=categorical overrides")
    if values.nunique() < 2:
        raise ConfigError(f"{name!r} cannot be a condition: it is always {values.iloc[0]} in the training rows")
    return replace(column, condition=True)


def _labels(rows: Rows, wanted: str | None) -> Column:
    """What the labels that came beside the rows are."""
    if rows.labels is None:
        raise DataError(
            "the data came without labels to condition on; expected class folders, a file of IDX labels, or an npz "
            "with y, label, labels or target"
        )
    values = pd.Series(rows.labels)
    if not pd.api.types.is_numeric_dtype(values.dtype):
        values = values.mask(values == "")  # a picture that lies in no class folder
    many = values.nunique() > min(MAX_CATEGORIES, max(50, len(values) // 2))
    classes = wanted is None and pd.api.types.is_integer_dtype(values.dtype) and not many
    column = _condition(LABEL, values, "categorical" if classes else wanted)
    return replace(column, reason=f"{len(column.categories)} classes") if classes else column


def _column(name: str, values: pd.Series, wanted: str | None) -> Column:
    dtype = str(values.dtype)
    if wanted == "ignore":
        return Column(name, dtype, "ignore", "as told")
    missing = values.isna().to_numpy()
    if missing.all():
        raise DataError(f"column {name!r} has no values at all; leave it out with --column {name}=ignore")
    if missing.any():
        raise DataError(
            f"column {name!r} misses {missing.sum()} of {len(values)} values (first in row "
            f"{values.index[int(missing.argmax())]}); fill them, drop those rows, or leave the "
            f"column out with --column {name}=ignore"
        )
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        raise DataError(f"column {name!r} holds dates, which cannot be modelled yet; use --column {name}=ignore")
    numeric = pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_complex_dtype(values.dtype)
    if not numeric:
        _refuse_objects(name, values)
    if wanted == "categorical" or (wanted is None and not numeric):
        return _category(name, values, told=wanted is not None)
    if not numeric:
        values = _to_numbers(name, values)
    column = _numeric(name, values, len(values))
    if wanted is not None:
        column = _override(column, wanted, values, len(values))
    knots = warp_knots(values.to_numpy(np.float64), column.per_unit, column.kind) if column.numeric else ()
    return replace(column, dtype=dtype, knots=knots)


def _category(name: str, values: pd.Series, *, told: bool) -> Column:
    kept = values.drop_duplicates()
    distinct = sorted(kept.tolist(), key=lambda value: (str(type(value)), value))
    if not told and not pd.api.types.is_bool_dtype(values.dtype):
        _refuse_nearly_numeric(name, values)
        if len(distinct) > MAX_CATEGORIES or len(distinct) > max(50, len(values) // 2):
            reason = f"{len(distinct)} different strings in {len(values)} rows: an identifier or free text"
            return Column(name, str(values.dtype), "ignore", reason)
    why = "as told" if told else f"{len(distinct)} different strings"
    categories = tuple(value.item() if isinstance(value, np.generic) else value for value in distinct)
    return Column(name, str(values.dtype), "categorical", why, categories=categories, reserve=1 / (len(values) + 1))


def _refuse_objects(name: str, values: pd.Series) -> None:
    odd = next((value for value in values.tolist() if not isinstance(value, PLAIN) or isinstance(value, complex)), None)
    if odd is not None:
        raise DataError(
            f"column {name!r} holds values of type {type(odd).__name__}, such as {str(odd)[:40]!r}; make them "
            f"numbers or strings, or leave the column out with --column {name}=ignore"
        )


def _refuse_nearly_numeric(name: str, values: pd.Series) -> None:
    numbers = pd.to_numeric(values.astype(str).str.strip(), errors="coerce")
    stray = numbers.isna().to_numpy()
    if 0 < stray.sum() < 0.2 * len(values):
        place = int(stray.argmax())
        raise DataError(
            f"column {name!r} is numeric but for {stray.sum()} of {len(values)} values, the first "
            f"{values.iloc[place]!r} in row {values.index[place]}; "
            f"mend them, or choose --column {name}=categorical or --column {name}=ignore"
        )


def _to_numbers(name: str, values: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(values.astype(str).str.strip(), errors="coerce")
    if numbers.isna().any():
        place = int(numbers.isna().to_numpy().argmax())
        raise DataError(f"column {name!r}, row {values.index[place]}: {values.iloc[place]!r} is not a number")
    return numbers


def _moments(values: np.ndarray) -> dict[str, Any]:
    numbers = np.asarray(values, dtype=np.float64)
    return {"mean": float(numbers.mean()), "scale": float(numbers.std()) or 1.0}


def _numeric(name: str, values: pd.Series, rows: int, *, cells: bool = False) -> Column:
    """What a column of numbers is, or what the `cells` of an array are, which share one kind."""
    dtype = str(values.dtype)
    numbers = values.to_numpy(dtype=np.float64)
    if not np.isfinite(numbers).all():
        place = int((~np.isfinite(numbers)).argmax())
        raise DataError(f"column {name!r}, row {values.index[place]}: {numbers[place]} is not a finite number")
    largest = float(np.abs(numbers).max())
    if largest > (MAX_INTEGER if pd.api.types.is_integer_dtype(values.dtype) else MAX_REAL):
        raise DataError(
            f"column {name!r} holds {largest:.4g}, too large to be told from its neighbours or squared in float64; "
            f"shift or rescale it, or leave it out with --column {name}=ignore"
        )
    distinct = pd.unique(numbers)
    if pd.api.types.is_bool_dtype(values.dtype) or (cells and set(distinct.tolist()) == {0.0, 1.0}):
        return _binary(name, dtype, numbers, "only 0 and 1")
    if len(distinct) == 1 or set(distinct.tolist()) == {0.0, 1.0}:
        found = tuple(value.item() if hasattr(value, "item") else value for value in sorted(values.unique()))
        reason = "only 0 and 1" if len(found) == 2 else f"constant: always {found[0]}"
        return Column(name, dtype, "categorical", reason, categories=found, reserve=1 / (rows + 1))
    low, high = float(numbers.min()), float(numbers.max())
    common: dict[str, Any] = {"low": low, "high": high, **_moments(numbers)}
    per_unit = _per_unit(numbers, values.dtype, (*SCALED, *DECIMAL) if cells else DECIMAL)
    if per_unit is not None and (high - low) * per_unit < MAX_LEVELS and (per_unit == 1 or cells):
        what = "integers" if per_unit == 1 else f"multiples of 1/{per_unit}"
        reason = f"{what} from {low:g} to {high:g}"
        return Column(name, dtype, "levels", reason, per_unit=per_unit, reserve=1 / (rows + 1), **common)
    if per_unit is not None:
        reason = "integers" if per_unit == 1 else f"recorded to {len(str(per_unit)) - 1} decimals"
        reason = f"multiples of 1/{per_unit}" if per_unit in SCALED[1:] else reason
        return Column(name, dtype, "grid", reason, per_unit=per_unit, **common)
    return Column(name, dtype, "real", "real numbers on no grid", **common)


def _binary(name: str, dtype: str, numbers: np.ndarray, reason: str) -> Column:
    moments = _moments(numbers)
    return Column(name, dtype, "binary", reason, low=0.0, high=1.0, per_unit=1, hard=True, **moments)


def _per_unit(numbers: np.ndarray, dtype: Any, candidates: tuple[int, ...]) -> int | None:
    """The coarsest grid of multiples of 1/candidate that holds every value up to its own rounding, or `None`."""
    dtype = getattr(dtype, "numpy_dtype", dtype)
    own = np.finfo(dtype if isinstance(dtype, np.dtype) and dtype.kind == "f" else np.float64).eps
    largest = float(np.abs(numbers).max())
    for per_unit in candidates:
        if 1 / per_unit < (0.5 if per_unit == 1 else 100) * own * largest:
            return None
        nearest = np.round(numbers * per_unit) / per_unit
        if (np.abs(numbers - nearest) <= 2 * own * np.abs(numbers)).all():
            return per_unit
    return None


def _override(column: Column, wanted: str, values: pd.Series, rows: int) -> Column:
    known = get_args(Kind)
    if wanted not in known:
        near = difflib.get_close_matches(wanted, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; kinds: {', '.join(known)}"
        raise ConfigError(f"column {column.name!r}: unknown kind {wanted!r}{hint}")
    if wanted == column.kind:
        return column
    numbers = values.to_numpy(dtype=np.float64)
    per_unit = _per_unit(numbers, values.dtype, DECIMAL)
    span: dict[str, Any] = {"low": float(numbers.min()), "high": float(numbers.max()), **_moments(numbers)}
    if wanted == "real":
        return Column(column.name, column.dtype, "real", "as told", **span)
    if wanted == "grid" and per_unit is not None:
        return Column(column.name, column.dtype, "grid", "as told", per_unit=per_unit, **span)
    if wanted == "levels" and per_unit == 1:
        return Column(column.name, column.dtype, "levels", "as told", per_unit=1, reserve=1 / (rows + 1), **span)
    if wanted == "binary" and np.isin(numbers, (0, 1)).all():
        return _binary(column.name, column.dtype, numbers, "as told")
    raise ConfigError(f"column {column.name!r} cannot be {wanted}: its values do not fit ({column.reason})")
