"""Ways through z: between two rows, and along each dimension."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from likely.data import Given, Rows, encode_given
from likely.distributions import Hierarchy
from likely.distributions.latent import Space
from likely.errors import ConfigError, quoted
from likely.evaluation import posterior_centres
from likely.models import VAE
from likely.run.encode import means_at
from likely.run.forms import named, packed
from likely.run.sample import demand_rows

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["Traverse", "between", "interpolate", "space_of", "traverse"]

DEFAULT_DIMENSIONS = 10  # of z that are moved, a line each: those that change x most


@dataclass(frozen=True, eq=False)
class Traverse:
    """What changes in x when one number of z does.

    Attributes
    ----------
    dimensions
        Which numbers of z were moved, the one that changes x most first, unless they were given.
    z
        Their values, `(dimensions, steps)`.
    rows
        Means of P(x|z): an array `(dimensions, steps, *event)`, or a frame with `dimension` and `z` before the columns
        (`latent_dimension`, `latent_z` where x has a column of that name), as the data came.

    """

    dimensions: tuple[int, ...]
    z: np.ndarray
    rows: Any


def interpolate(run: Run, a: int, b: int, n: int = 8, *, data: Any = None, given: Given | None = None) -> Any:
    """Means of P(x|z) at n codes on the way from row a's to row b's, both included; as the data came.

    The codes are the means of Q(z|x), the way between them is straight; on a sphere, where they are its modes, it is
    the arc of the great circle. The ends are reconstructions, then, not the rows themselves.

    Parameters
    ----------
    a, b
        Row numbers, from 0.
    n
        How many.
    data
        Where the rows are; the stored test rows unless given.
    given
        Values of the conditions, for a model of P(x|y) and rows whose y differ.

    Raises
    ------
    InputError
        If there are no such rows, their y differ and none is given, or z is a code, which has nothing in between.

    """
    a, b, n = _whole("a", a), _whole("b", b), _whole("n", n)
    if n < 2:
        raise ConfigError(f"n must be at least 2, the two ends; got {n}")
    demand_rows(run, n)
    if space_of(run) == "codes":
        raise ConfigError("z is discrete codes here, and nothing lies between two of them; decode codes of your own")
    ends, y = _codes(run, [a, b], data, given)
    return packed(run.record.data.container, named(run, between(run, ends, y, n)))


def between(run: Run, ends: Tensor, y: Tensor | None, n: int) -> pd.DataFrame | np.ndarray:
    """Means of P(x|z, y) at n codes on the way between two, both included, that `interpolate` goes.

    Parameters
    ----------
    ends
        The two codes, `(2, latent)`.
    y
        `(1, conditions)`.
    n
        How many.

    """
    t = torch.linspace(0, 1, n, dtype=ends.dtype).unsqueeze(1)
    z = _arc(ends, t) if space_of(run) == "sphere" else ends[:1] + t * (ends[1:] - ends[:1])
    return means_at(run, z, _same(run, y, n))


def traverse(
    run: Run,
    *,
    n: int = 8,
    dimensions: int | Sequence[int] = DEFAULT_DIMENSIONS,
    span: float = 2.5,
    row: int | None = None,
    data: Any = None,
    given: Given | None = None,
) -> Traverse:
    """Means of P(x|z) as one number of z after the other moves and the others stay.

    It moves from `span` standard deviations of P(z) below its mean to as many above. Of a hierarchy it is the normal
    number behind it that moves, and what lies below follows.

    Parameters
    ----------
    n
        Steps along each dimension.
    dimensions
        How many, those that change x most; or which.
    span
        How far, in deviations.
    row, data
        The others stay at this row's code, of the data or else of the stored test rows; at the mean of P(z) unless
        given.
    given
        Values of the conditions of a model of P(x|y).

    Raises
    ------
    InputError
        If z has no such dimension, or is a unit vector or a code, whose numbers do not move one by one.

    """
    if space_of(run) != "real":
        raise ConfigError("z is a unit vector or a code here, whose numbers do not move one by one; try interpolate")
    asked: Any = dimensions
    n, count = _whole("n", n), _whole("dimensions", asked) if np.ndim(asked) == 0 else None
    if n < 2 or not isinstance(span, Real) or not 0 < span < math.inf:
        raise ConfigError(f"n must be at least 2 and span a number above 0; got {n} and {span}")
    model = run.model.members[0]
    walked = tuple(range(model.latent)) if count is not None else tuple(_whole("dimensions", one) for one in asked)
    if any(not 0 <= one < model.latent for one in walked) or not walked or (count is not None and count < 1):
        raise ConfigError(f"z has the dimensions 0 to {model.latent - 1}; got {dimensions}")
    demand_rows(run, n * len(walked))
    if row is None:
        start, known = None, encode_given(run.schema, given, 1)
        y = None if known is None else known.to(run.device)
    else:
        start, y = _codes(run, [_whole("row", row)], data, given)
    z, values = _lines(run, start, list(walked), n, float(span))
    if not np.isfinite(values).all():
        raise ConfigError(f"span {span:g} leads to numbers of z that are infinite; take a smaller one")
    moved = means_at(run, z, _same(run, y, len(z)))
    if count is not None:
        order = np.argsort(-_change(moved, len(walked), n), kind="stable")[:count]
        kept = (order[:, None] * n + np.arange(n)).ravel()
        moved = moved.iloc[kept].reset_index(drop=True) if isinstance(moved, pd.DataFrame) else moved[kept]
        walked, values = tuple(int(one) for one in order), values[order]
    if isinstance(moved, pd.DataFrame):
        result = named(run, moved)
        for name, column in (("z", values.ravel()), ("dimension", np.repeat(walked, n))):
            result.insert(0, _free(name, result), column)
    else:
        result = moved.reshape(len(walked), n, *moved.shape[1:])
    return Traverse(tuple(walked), values, packed(run.record.data.container, result))


def _free(name: str, frame: pd.DataFrame) -> str:
    return _free(f"latent_{name}", frame) if name in frame else name


def _whole(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError as error:
        raise ConfigError(f"{name} must be a whole number, got {quoted(value)}") from error


def space_of(run: Run) -> Space:
    """What z is: numbers, a unit vector or codes."""
    model = run.model.members[0]
    return model.q_z_x.space if isinstance(model, VAE) else "real"


def _codes(run: Run, numbers: list[int], data: Any, given: Given | None) -> tuple[Tensor, Tensor | None]:
    """Codes of some rows, `(rows, latent)`, and their y, which is one."""
    rows, origin = run.rows_of(data)
    for number in numbers:
        if not 0 <= number < len(rows):
            raise ConfigError(f"there is no row {number}: {origin()} are {len(rows)} rows, numbered from 0")
    some: Rows = rows.read(np.asarray(numbers))
    encoded = run.encoded(some, given)
    y = encoded.covariates
    if y is not None and bool((y != y[:1]).any()):
        names = ", ".join(column.name for column in run.schema.conditions)
        raise ConfigError(f"rows {numbers[0]} and {numbers[1]} differ in y ({names}): say which is meant, by given")
    return torch.from_numpy(posterior_centres(run.model.members[0], encoded)), None if y is None else y[:1]


def _same(run: Run, y: Tensor | None, n: int) -> Tensor | None:
    return None if y is None else y.to(run.device).expand(n, -1)


def _arc(ends: Tensor, t: Tensor) -> Tensor:
    """Points on the great circle through two unit vectors."""
    angle = torch.arccos((ends[0] @ ends[1]).clamp(-1, 1))
    if angle < 1e-6:
        return ends[:1].expand(len(t), -1)
    between: Tensor = torch.sin((1 - t) * angle) * ends[:1] + torch.sin(t * angle) * ends[1:]
    return torch.nn.functional.normalize(between, dim=-1)


@torch.no_grad()
def _lines(run: Run, start: Tensor | None, places: list[int], n: int, span: float) -> tuple[Tensor, np.ndarray]:
    """Codes `(dimensions x steps, latent)`, and the values of the number that moves, `(dimensions, steps)`."""
    p = run.model.members[0].prior()
    steps = torch.linspace(-span, span, n, dtype=torch.float64)
    if isinstance(p, Hierarchy):
        base = torch.zeros_like(p.like.new_zeros(p.noise_size)) if start is None else p.to_noise(start.to(p.like))[0]
        middle, deviation = torch.zeros_like(base), torch.ones_like(base)
    else:
        base = p.mean if start is None else start[0].to(p.like)
        middle, deviation = p.mean, p.variance.sqrt()
    z = base.repeat(len(places), n, 1)
    for line, place in enumerate(places):
        z[line, :, place] = middle[place] + deviation[place] * steps.to(z)
    values = torch.stack([z[line, :, place] for line, place in enumerate(places)]).cpu().numpy()
    flat = z.flatten(0, 1)
    return (p.from_noise(flat) if isinstance(p, Hierarchy) else flat).cpu(), values


def _change(moved: pd.DataFrame | np.ndarray, lines: int, n: int) -> np.ndarray:
    """How much x changes along each line: the mean over its cells of their deviation, of a column in its own units."""
    if isinstance(moved, pd.DataFrame):
        numbers = [
            column.astype("float64") if pd.api.types.is_numeric_dtype(column) else pd.factorize(column)[0]
            for _, column in moved.items()
        ]
        flat = np.column_stack([np.asarray(column, np.float64) for column in numbers])
        flat = flat / np.maximum(flat.std(0), 1e-12)
    else:
        flat = np.asarray(moved, np.float64).reshape(len(moved), -1)
    return np.asarray(np.nan_to_num(flat).reshape(lines, n, -1).std(1).mean(1))
