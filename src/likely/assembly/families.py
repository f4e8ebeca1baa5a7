"""From columns to a likelihood: which families fit a column, and how its numbers set them up."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from likely import distributions, likelihoods
from likely.data import Column, Kind, Warp
from likely.data.kinds import CATEGORY_KINDS, NUMERIC
from likely.distributions import LocationScale
from likely.likelihoods import Likelihood

__all__ = ["Shape", "axis"]

Shape = tuple[int, ...]
Refusal = Callable[[Column], str]

FAMILY: dict[str, type[LocationScale]] = {
    "gaussian": distributions.Gaussian,
    "laplace": distributions.Laplace,
    "logistic": distributions.Logistic,
}
COUNTS: dict[str, type[likelihoods.Poisson | likelihoods.NegativeBinomial]] = {
    "poisson": likelihoods.Poisson,
    "negative-binomial": likelihoods.NegativeBinomial,
}


def axis(columns: Sequence[Column]) -> Warp:
    """The warp of the columns; a straight one, by mean and scale, where the training rows left no knots."""

    def knots(column: Column) -> Sequence[tuple[float, float]]:
        mean, scale = column.mean, column.scale
        straight = ((mean, 0.0), (mean * math.e if column.kind == Kind.POSITIVE else mean + scale, 1.0))
        return column.knots or straight

    return Warp([knots(column) for column in columns], [column.kind == Kind.POSITIVE for column in columns])


def _numbers(columns: Sequence[Column], number: Callable[[Column], float | None]) -> Tensor:
    """One number of each column: `(columns,)`, or without an axis where one column stands for all cells."""
    numbers = torch.tensor([number(column) for column in columns], dtype=torch.float64)
    return numbers[0] if len(columns) == 1 else numbers


def _moments(columns: Sequence[Column]) -> list[Tensor]:
    return [_numbers(columns, lambda column: column.mean), _numbers(columns, lambda column: column.scale)]


def _reserve(columns: Sequence[Column]) -> Tensor:
    return _numbers(columns, lambda column: column.reserve)


def _limits(columns: Sequence[Column], limit: Callable[[Column], tuple[float, float]]) -> list[Tensor]:
    pairs = torch.tensor([limit(column) for column in columns], dtype=torch.float64)
    return list((pairs[0] if len(columns) == 1 else pairs.T).unbind(0))


def kinds(*known: Kind) -> Refusal:
    """A refusal of all columns but those of these kinds: it gives the reason, empty for a column that fits."""

    def refusal(column: Column) -> str:
        if column.kind in known:
            return ""
        cure = (
            "--binarize makes them 0 and 1"
            if column.kind == Kind.LEVELS
            else "without one it is chosen by the form of x"
        )
        return f"needs {' or '.join(known)} values; {column.name!r} is {column.kind}; {cure}"

    return refusal


numeric = kinds(Kind.BINARY, *NUMERIC)


def on_grid(column: Column) -> str:
    """Why a column holds no numbers on a grid; empty where it does."""
    known = kinds(Kind.BINARY, Kind.LEVELS, Kind.COUNT, Kind.GRID, Kind.DATE)(column)
    return known or ("" if column.per_unit else f"needs values on a grid; {_has(column)}")


def codes(column: Column) -> str:
    """Why a column holds neither categories nor levels 0, 1, 2, ...; empty where it does."""
    if column.coded or (column.per_unit == 1 and (column.low or 0) >= 0):
        return kinds(*CATEGORY_KINDS, Kind.BINARY, Kind.LEVELS)(column)
    return kinds(*CATEGORY_KINDS, Kind.BINARY, Kind.LEVELS)(column) or f"needs levels 0, 1, 2, ...; {_has(column)}"


def counts(column: Column) -> str:
    """Why a column holds no integers from 0 on; empty where it does."""
    if column.per_unit == 1 and (column.low or 0) >= 0:
        return kinds(Kind.LEVELS, Kind.COUNT, Kind.GRID)(column)
    return f"needs counts 0, 1, 2, ...; {_has(column)}"


def positive(column: Column) -> str:
    """Why a column holds no numbers above 0; empty where it does."""
    return numeric(column) or ("" if (column.low or 0) > 0 else f"needs values above 0; {_has(column)}")


def inside(column: Column) -> str:
    """Why a column holds no numbers strictly between 0 and 1; empty where it does."""
    holds = (column.low or 0) > 0 and (column.high or 0) < 1
    return numeric(column) or ("" if holds else f"needs values strictly between 0 and 1; {_has(column)}")


def limited(column: Column) -> str:
    """Why a column holds no numbers between hard limits or on one side of 0; empty where it does."""
    holds = column.hard or (column.low or 0) >= 0 or (column.high or 0) <= 0
    return numeric(column) or ("" if holds else f"needs values on one side of 0, or hard limits; {_has(column)}")


def _has(column: Column) -> str:
    if column.low is None:
        return f"{column.name!r} is {column.kind} ({column.reason})"
    return f"{column.name!r} is {column.kind}, from {column.low:g} to {column.high:g}"


def bernoulli(_: Sequence[Column], shape: Shape) -> Likelihood:
    """A Bernoulli of one logit per cell."""
    return likelihoods.Bernoulli(shape)


def categorical(columns: Sequence[Column], shape: Shape) -> Likelihood:
    """A categorical distribution of as many categories as the column has, or as many levels from 0 on."""
    if split := _by_form(categorical, columns, ["codes" if column.coded else "numbers" for column in columns]):
        return split
    sizes = [len(c.categories) if c.coded else int((c.high or 0) + 1) for c in columns]
    reserve = [column.reserve for column in columns]
    return likelihoods.Categorical(
        shape,
        sizes if len(sizes) > 1 else sizes[0],
        reserve if len(sizes) > 1 else reserve[0],
        numbers=not columns[0].coded,
    )


def gaussian(columns: Sequence[Column], shape: Shape, sigma: float | str) -> Likelihood:
    """A Gaussian; sigma is given in data units, or says how it is learned."""
    return likelihoods.Gaussian(shape, sigma, *_moments(columns))  # type: ignore[arg-type]


def kernel(columns: Sequence[Column], shape: Shape, width: float, learned: str) -> Likelihood:
    """A Gaussian of this width, or by cell of at least this width, in units of each cell's scale."""
    if learned:
        return likelihoods.Gaussian(shape, "column", *_moments(columns)).of_least(width)
    return likelihoods.Gaussian(shape, width, *_moments(columns), relative=True)


def laplace(columns: Sequence[Column], shape: Shape) -> Likelihood:
    """A Laplace distribution with location and scale of every cell."""
    return likelihoods.Laplace(shape, *_moments(columns))


def student(columns: Sequence[Column], shape: Shape) -> Likelihood:
    """A Student t with location, scale and degrees of freedom of every cell."""
    return likelihoods.StudentT(shape, *_moments(columns))


def logistic(columns: Sequence[Column], shape: Shape) -> Likelihood:
    """A logistic distribution: masses of columns on a grid, densities of real ones."""
    forms = ["density" if column.per_unit is None else "mass" for column in columns]
    if split := _by_form(logistic, columns, forms):
        return split
    if columns[0].per_unit is None:
        return likelihoods.Logistic(shape, *_moments(columns))
    numbers = [*_grid(columns), *_moments(columns), _reserve(columns)]
    return likelihoods.DiscretisedLogistic(shape, *numbers)


def logistic_mixture(columns: Sequence[Column], shape: Shape, count: int, coupled: str) -> Likelihood:
    """A mixture of discretised logistics per cell, the colours of a pixel coupled or not."""
    numbers = [*_grid(columns), *_moments(columns), _reserve(columns)]
    return likelihoods.DiscretisedLogisticMixture(shape, count, bool(coupled), *numbers)


def warped(columns: Sequence[Column], shape: Shape, count: int) -> Likelihood:
    """Mixtures of logistics on warped axes: masses of listed numbers, grids and atoms, densities of other reals."""
    forms = [_form(column) for column in columns]
    if "resolutions" in forms:  # one distribution for all columns on a grid costs less than two
        forms = ["resolutions" if form == "mass" else form for form in forms]
    if split := _by_form(partial(warped, count=count), columns, forms):
        return split
    form, bent = forms[0], axis(columns)
    if form == "listed":
        return likelihoods.Listed(shape, bent, [c.categories for c in columns], count, _reserve(columns))
    cut = _pair(_limits(columns, lambda column: column.limits or (-math.inf, math.inf)))
    reserve = _limits(columns, lambda column: (0.0 if column.limits else column.reserve, 0.0))[0]
    if form in ("density", "mixed"):
        _, scale = _moments(columns)
        below = torch.where(bent.logarithmic if len(columns) > 1 else bent.logarithmic[0], reserve, 0.0)
        base = likelihoods.Warped(shape, bent, count, reserve=below, cut=cut, scale=scale)
        return base if form == "density" else likelihoods.Atoms(base, [column.atoms for column in columns])
    step, low, high = _grid(columns)
    spikes = [column.spikes for column in columns]
    outer, inner = (reserve, torch.zeros_like(reserve)) if any(spikes) else (torch.zeros_like(reserve), reserve)
    distribution: Likelihood
    if form == "mass":
        distribution = likelihoods.Warped(shape, bent, count, step, low, high, inner, cut)
    else:
        resolutions = [column.resolutions or ((1, 1.0),) for column in columns]
        distribution = likelihoods.Resolutions(shape, bent, count, step, resolutions, low, high, inner, cut)
    return likelihoods.Atoms(distribution, spikes, outer) if any(spikes) else distribution


def _form(column: Column) -> str:
    """Which distribution of the warped axis a column has."""
    if column.kind == Kind.LISTED:
        return "listed"
    return "resolutions" if len(column.resolutions) > 1 else column.measure


def _pair(limits: list[Tensor]) -> tuple[Tensor, Tensor]:
    return limits[0], limits[1]


def _by_form(
    make: Callable[[Sequence[Column], Shape], Likelihood], columns: Sequence[Column], forms: Sequence[str]
) -> Likelihood | None:
    """A likelihood for each form, where the columns have several."""
    if len(set(forms)) == 1:
        return None
    parts = [[i for i, form in enumerate(forms) if form == one] for one in dict.fromkeys(forms)]
    return likelihoods.Columns([(make([columns[i] for i in places], (len(places),)), places) for places in parts])


def _grid(columns: Sequence[Column]) -> list[Tensor]:
    """Step and range: limits, or where levels end in training; counts begin at 0, positive values at the first step."""

    def span(column: Column) -> tuple[float, float]:
        first, last = column.limits or (-math.inf, math.inf)
        if column.kind in (Kind.COUNT, Kind.POSITIVE):
            return max(first, 0.0 if column.kind == Kind.COUNT else column.step or 0.0), last
        if column.limits is not None:
            return first, last
        if column.kind in (Kind.GRID, Kind.DATE) or column.low is None or column.high is None:
            return -math.inf, math.inf
        return column.low, column.high

    return [_numbers(columns, lambda column: column.step), *_limits(columns, span)]


def mixture(columns: Sequence[Column], shape: Shape, count: int, family: str) -> Likelihood:
    """A mixture of densities of one family per cell."""
    return likelihoods.Mixture(shape, count, FAMILY[family], *_moments(columns))


def lognormal(columns: Sequence[Column], shape: Shape) -> Likelihood:
    """A log-normal distribution, in units of the column's mean."""
    return likelihoods.LogNormal(shape, _numbers(columns, lambda column: column.mean))


def gamma(columns: Sequence[Column], shape: Shape) -> Likelihood:
    """A gamma distribution, in units of the column's mean."""
    return likelihoods.Gamma(shape, _numbers(columns, lambda column: column.mean))


def beta(_: Sequence[Column], shape: Shape) -> Likelihood:
    """A beta distribution, on (0, 1)."""
    return likelihoods.Beta(shape)


def poisson(_: Sequence[Column], shape: Shape) -> Likelihood:
    """A Poisson distribution, on 0, 1, ..."""
    return likelihoods.Poisson(shape)


def negative_binomial(_: Sequence[Column], shape: Shape) -> Likelihood:
    """A negative binomial distribution, on 0, 1, ..."""
    return likelihoods.NegativeBinomial(shape)


def zero_inflated(_: Sequence[Column], shape: Shape, base: str) -> Likelihood:
    """A distribution on 0, 1, ... with zeros in excess."""
    return likelihoods.ZeroInflated(COUNTS[base](shape))


def truncated(columns: Sequence[Column], shape: Shape, family: str) -> Likelihood:
    """A truncated density, between hard limits or on the column's side of 0; a range seen in training is no limit."""

    def support(column: Column) -> tuple[float, float]:
        low, high = column.low or 0.0, column.high or 0.0
        if column.hard:
            return low, high
        return (0.0, math.inf) if low >= 0 else (-math.inf, 0.0)

    low, high = _limits(columns, support)
    return likelihoods.Truncated(shape, low, high, FAMILY[family], *_moments(columns))
