"""Missing cells filled: frames and arrays as they came."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from likely.config import demand_whole
from likely.data import Given, Schema, decode, outward
from likely.data.filling import fill_cells
from likely.data.kinds import Form, Kind
from likely.run.forms import container_of, packed
from likely.run.progress import bar
from likely.tasks.draws import MIN_EFFECTIVE_DRAWS
from likely.tasks.impute import Imputed, ImputeOptions, impute
from likely.tasks.ranges import Range, demand_reachable, share_outside

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["imputed"]


def imputed(
    run: Run,
    data: Any,
    *,
    given: Given | None = None,
    draws: int | None = None,
    mode: bool = False,
    deviation: bool = False,
    beyond_range: bool = False,
    samples: int = 200,
    seed: int = 0,
) -> Any:
    """Fill missing cells by P(x_missing|x_observed); observed ones, the rows' order and their types stay.

    Conditional means of numbers, rounded as the column is recorded, and the most probable categories.

    Parameters
    ----------
    data
        The rows.
    given
        Condition -> one value, or one a row, for a model of P(x|y): y of these rows, where they do not hold it.
    draws
        So many complete data sets instead, in a list, each with the missing cells of a row drawn together from
        P(x_missing|x_observed): multiple imputation (Rubin 1987).
    mode
        The most probable values of numbers instead of their means: of a column with many zeros, say.
    deviation
        Also return the standard deviation of each filled cell, NaN elsewhere; of a category p it is √(p(1 − p)).
    beyond_range
        Draws of a table may lie outside the range of the training rows. Unless that is requested, they are those of
        P(x_missing|x_observed, every missing number is within its column's range), as in `sample`.
    samples
        How many draws of z a row; more where they have little weight.
    seed
        Of the noise behind z, and of the draws.

    Returns
    -------
    pandas.DataFrame, numpy.ndarray, torch.Tensor, list or tuple
        As the data came; a list of them with `draws`, a pair with `deviation`.

    Raises
    ------
    InputError
        If the rows do not fit the schema, or fewer than 1 in 100 draws of a row lie within the range.

    """
    if draws is not None:
        demand_whole("draws", draws)
    options = ImputeOptions(draws or 0, mode, deviation, samples, seed)
    rows, _ = run.rows_of(data)
    encoded = run.encoded(rows, given)
    container, within = container_of(data), None if beyond_range else Range.of(run.schema)
    tally = None  # of each row that lacks cells, how many draws it took to stay within the range; `None` without one
    if encoded.observed is None:
        missing, imputation = torch.zeros((len(encoded), *encoded.event_shape), dtype=torch.bool), None
    else:
        some = (~encoded.observed.flatten(1)).any(1).nonzero().squeeze(1)
        with bar("imputing", shown=run.progress) as tick:
            imputation = impute(
                run.model, encoded.take(some), options, within=within, rule=run.proposal_rule(), progress=tick
            )
        _tell(imputation, samples)
        if (tally := imputation.tally) is not None and within is not None:
            label = rows.values.index if isinstance(rows.values, pd.DataFrame) else range(len(encoded))
            demand_reachable(within, tally, lambda row: f"row {label[int(some[row])]}: ")
        imputation, missing = _for_all_rows(imputation, some, len(encoded)), ~encoded.observed.cpu()

    # What is filled: the user's own frame, with its index; else the table as it was read, before its names and types
    # were made plain (`Rows.given`); else, of arrays and of the run's test rows, the rows themselves.
    original = data if isinstance(data, pd.DataFrame) else rows.values if rows.given is None else rows.given
    conversions = list[str]()

    def whole(values: Tensor | None) -> Any:
        return original.copy() if values is None else _filled(run.schema, original, values, missing, conversions)

    if draws is not None:
        results = [whole(None if imputation is None else imputation.draws[i]) for i in range(draws)]
        _tell_types(conversions)
        if tally is not None:
            share = share_outside([tally])
            for one in results:
                one.attrs["range"] = dict(share)
        return [packed(container, one) for one in results]
    filled = whole(None if imputation is None else imputation.value)
    _tell_types(conversions)
    if not deviation:
        return packed(container, filled)
    spread = torch.full(missing.shape, torch.nan, dtype=torch.float64)
    if imputation is not None:
        spread = torch.where(missing, imputation.deviation * _unit(run.schema), torch.nan)
    if not isinstance(filled, pd.DataFrame):
        errors = outward(run.schema, spread.numpy())  # axes as the data have them: channels first or last
        results = packed(container, filled)
        return results, torch.from_numpy(errors).to(results.dtype) if container == "tensor" else errors
    place = {str(name): i for i, name in enumerate(filled.columns)}
    names = filled.columns[[place[column.name] for column in run.schema.modelled]]
    errors = pd.DataFrame(spread.numpy(), columns=names, index=filled.index)
    return packed(container, filled), packed(container, errors)


def _unit(schema: Schema) -> float:
    """What 1 in the model is in data units: high - low of an array of two values, which are 0 and 1 in it; else 1."""
    column = schema.columns[0]
    two = schema.cells_alike and column.kind == Kind.BINARY and not schema.binarize
    return (column.high or 0.0) - (column.low or 0.0) if two else 1.0


def _tell(imputation: Imputed, samples: int) -> None:
    low = int((imputation.ess < MIN_EFFECTIVE_DRAWS).sum())
    if low:
        warnings.warn(
            f"{low} of {len(imputation.ess)} rows with missing cells have fewer than {MIN_EFFECTIVE_DRAWS:g} effective "
            f"draws of z even after more were taken: imputed values rest on few draws; raise samples above {samples}",
            stacklevel=4,
        )


def _tell_types(conversions: list[str]) -> None:
    for line in dict.fromkeys(conversions):
        warnings.warn(line, stacklevel=4)


def _for_all_rows(imputation: Imputed, numbers: Tensor, count: int) -> Imputed:
    """The imputation of the rows with these numbers, as one of all; the others hold zeros, which nobody reads."""

    def all_of(part: Tensor, axis: int) -> Tensor:
        shape = (*part.shape[:axis], count, *part.shape[axis + 1 :])
        return torch.zeros(shape, dtype=part.dtype).index_copy(axis, numbers.cpu(), part.cpu())

    return Imputed(
        all_of(imputation.value, 0),
        all_of(imputation.deviation, 0),
        all_of(imputation.draws, 1),
        all_of(imputation.ess, 0),
    )


def _filled(
    schema: Schema, original: pd.DataFrame | np.ndarray, values: Tensor, missing: Tensor, conversions: list[str]
) -> pd.DataFrame | np.ndarray:
    """The rows as they came, with values of the model in their missing cells."""
    if schema.cells_alike:
        absent = outward(schema, missing.numpy())  # axes as the data have them, as in what `decode` returns
        return np.where(absent, decode(schema, values), original).astype(original.dtype)
    some = missing.any(1)
    decoded = decode(replace(schema, form=Form.TABLE), values[some])
    if not isinstance(original, pd.DataFrame):
        filled, names = original.copy(), [column.name for column in schema.columns]
        for place, column in enumerate(schema.modelled):
            filled[missing[:, place].numpy(), names.index(column.name)] = decoded[column.name][
                missing[some, place].numpy()
            ]
        return filled
    series = [part for _, part in original.items()]
    places = {str(name): i for i, name in enumerate(original.columns)}
    for place, column in enumerate(schema.modelled):
        absent, i = missing[:, place].numpy(), places[column.name]
        if absent.any():
            series[i], line = fill_cells(column, series[i], decoded[column.name][missing[some, place].numpy()], absent)
            conversions += [] if line is None else [line]
    return _framed(series, original)


def _framed(series: list[pd.Series], original: pd.DataFrame) -> pd.DataFrame:
    """Columns as a frame with the index, the names and the attributes of the original."""
    frame = pd.DataFrame(dict(enumerate(series)), index=original.index).copy()
    frame.columns = original.columns
    frame.attrs = dict(original.attrs)
    return frame
