"""The univariate families with parameters that say nothing special, and their oracles: what the tests share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import scipy.stats
import torch
from torch import Tensor
from torch.distributions import Distribution, Normal

from likely.data import Warp
from likely.distributions import (
    Atoms,
    Bernoulli,
    Beta,
    Categorical,
    DiscretisedLogistic,
    Gamma,
    Gaussian,
    Laplace,
    Listed,
    Logistic,
    LogNormal,
    Mixture,
    NegativeBinomial,
    Poisson,
    Rescaled,
    Resolutions,
    StudentT,
    Truncated,
    Warped,
    ZeroInflated,
)
from likely.distributions.levels import Levels
from likely.distributions.listed import Numbers
from likely.distributions.logistics import OPEN
from likely.distributions.rescaled import Frame
from likely.distributions.warped import Outside

DRAWS = 200_000
# Family-wise false alarm 1e-3 over fewer than 50 checks of a p-value; 5 standard errors over hundreds of a mean.
P_VALUE, ERRORS = 2e-5, 5.0


class Density(NamedTuple):
    """Two cells of a law: its family, the parameters, the ends of the support, and how 2% of scale are written.

    Its density jumps at `jumps`.
    """

    family: Callable[..., Distribution]
    values: tuple[Tensor, ...]
    low: float = -math.inf
    high: float = math.inf
    scale: tuple[int, float] = (1, 0.02)
    jumps: tuple[float, ...] = ()


class Mass(NamedTuple):
    """Two cells of a law: its family, the parameters, every value that matters, and how 2% of scale are written."""

    family: Callable[..., Distribution]
    values: tuple[Tensor, ...]
    support: Tensor
    scale: tuple[int, float] | None = None


def t(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def frame() -> Frame:
    return Frame(t(3.0)[0], t(2.5)[0])


def levels(
    loc: Tensor,
    log_scale: Tensor,
    step: float = 1.0,
    low: float = 0.0,
    high: float = 16.0,
    reserve: float | None = None,
) -> DiscretisedLogistic:
    kept = None if reserve is None else t(reserve)
    return DiscretisedLogistic(loc, log_scale, Frame(t(3.0), t(2.5)), t(step), t(low), t(high), kept)


# Two columns: one bent about a spike at 5, one about a gap without rows, from 3 to 9.
BENT = (((-0.5, -1.5), (4.5, -0.5), (5.5, 1.0), (16.5, 1.7)), ((0.5, -1.0), (3.5, 0.4), (8.5, 0.5), (10.5, 1.5)))

JUMPS = tuple(sorted(x for column in BENT for x, _ in column))


def warped(
    logits: Tensor, loc: Tensor, log_scale: Tensor, grid: Levels | None = None, logarithmic: bool = False
) -> Warped:
    knots = [[(x + 1, 3 * y) if logarithmic else (x, y) for x, y in column] for column in BENT]
    return Warped(logits, loc, log_scale, Warp(knots, [logarithmic] * 2), grid)


def cut(logits: Tensor, loc: Tensor, log_scale: Tensor, grid: bool, logarithmic: bool = False) -> Warped:
    """Truncated at 2 and 8, or above 3 alone."""
    high = math.inf if logarithmic else 8.0
    ends, base = (t(3.0 if logarithmic else 2.0), t(high)), warped(logits, loc, log_scale, logarithmic=logarithmic)
    return Warped(logits, loc, log_scale, base.axis, unit_grid(float(ends[0]), high) if grid else None, cut=ends)


def outside(logits: Tensor, loc: Tensor, log_scale: Tensor) -> Warped:
    base = warped(logits, loc, log_scale, logarithmic=True)
    return Warped(logits, loc, log_scale, base.axis, outside=Outside(t(1e-6), t(2.0)))


def resolutions(shares: Tensor, logits: Tensor, loc: Tensor, log_scale: Tensor, low: float, high: float) -> Resolutions:
    """Steps of 1 and 5; of the second column only of 1."""
    steps = t(1.0, 1.0, 5.0, 1.0).view(2, 2)
    grids = Levels(steps, (t(low) / steps).ceil() * steps, (t(high) / steps).floor() * steps)
    return Resolutions(shares, warped(logits, loc, log_scale, unit_grid(low, high)), grids)


def spiked(logits: Tensor, base: Distribution, grid: Levels) -> Atoms:
    return Atoms(logits, base, t(0.0, 7.0, 5.0, math.nan).view(2, 2), grid)


def listed(logits: Tensor, loc: Tensor, log_scale: Tensor, reserve: float = 0.0) -> Listed:
    numbers = Numbers(t(-1.5, 1.0, 2.0, 7.0).expand(2, 4), t(-1.0, 0.2, 0.7).expand(2, 3), t(reserve, reserve))
    return Listed(logits, loc, log_scale, numbers)


def listed_matched(logits: Tensor, loc: Tensor, log_scale: Tensor, reserve: float = 0.0) -> Listed:
    """Each number more or less often than the mixture has it; the second column lacks the last."""
    values, edges = t(-1.5, 1.0, 2.0, 7.0).repeat(2, 1), t(-1.0, 0.2, 0.7).repeat(2, 1)
    values[1, 3], edges[1, 2] = math.inf, OPEN
    offset = t(0.7, -1.0, 0.2, 0.0).repeat(2, 1)
    return Listed(logits, loc, log_scale, Numbers(values, edges, t(reserve, reserve), offset))


def one_warped(loc: Tensor, log_scale: Tensor, grid: Levels | None = None) -> Warped:
    return warped(loc[..., None] * 0, loc[..., None], log_scale[..., None], grid)


def unit_grid(low: float, high: float = math.inf, reserve: float | None = None) -> Levels:
    return Levels(t(1.0), t(low), t(high), None if reserve is None else t(reserve))


def counted(most: int, step: float = 1.0, least: int = 0) -> Tensor:
    return torch.arange(least, most + 1, dtype=torch.float64) * step


LOGITS = t(0.2, 1.0, -0.5, 2.0, 0.3, 0.0).view(2, 3)
LOCS, LOG_SCALES = t(-1.5, 0.0, 1.2, 0.3, 2.0, -2.0).view(2, 3), t(-1.0, -0.5, 0.0, -1.5, -0.7, 0.2).view(2, 3)
SCALE, LEVEL = (t(0.3, -1.0), t(0.2, -0.7)), (t(0.3, -1.0), t(-1.0, 0.4))
SHARES = t(0.3, 0.5, 1.0, -2.0, 0.0, 2.0, *[0.0, -1e4] * 3).view(2, 3, 2)
SPIKES = t(0.5, 0.2, -1.0, 0.3, 0.1, -math.inf).view(2, 3)
CODES = t(0.1, 1.0, -0.5, 2.0, 0.3, -math.inf).view(2, 3)
RATE, DISPERSION, EXTRA = t(3.0, 20.0).log(), t(0.8, 0.1).log(), t(0.5, -2.0)

DENSITIES: dict[str, Density] = {
    "gaussian": Density(Gaussian, SCALE),
    "laplace": Density(Laplace, SCALE),
    "logistic": Density(Logistic, SCALE),
    "student": Density(StudentT, (*SCALE, t(2.5, 8.0).log())),
    "lognormal": Density(LogNormal, SCALE, 0),
    "gamma": Density(Gamma, (t(0.3, -1.0), t(0.7, 2.0)), 0, scale=(1, 0.04)),
    "beta": Density(Beta, (t(0.3, -1.0), t(1.7, 3.0)), 0, 1, scale=(1, 0.04)),
    "mixture": Density(lambda w, m, s: Mixture(w, Gaussian(m, s)), (LOGITS, LOCS, LOG_SCALES), scale=(2, 0.02)),
    "truncated": Density(lambda m, s: Truncated(Gaussian(m, s), t(-2.0)[0], t(2.0)[0]), SCALE, -2, 2),
    "truncated below": Density(lambda m, s: Truncated(Logistic(m, s), t(0.0)[0], t(math.inf)[0]), SCALE, 0),
    "truncated far": Density(lambda m, s: Truncated(Laplace(m, s), t(3.0)[0], t(9.0)[0]), SCALE, 3, 9),
    "warped": Density(one_warped, SCALE, jumps=JUMPS),
    "warped mixture": Density(warped, (LOGITS, LOCS, LOG_SCALES), scale=(2, 0.02), jumps=JUMPS),
    "warped mixture, positive": Density(
        lambda w, m, s: warped(w, m, s, logarithmic=True),
        (LOGITS, LOCS, LOG_SCALES - 1),
        0,
        scale=(2, 0.02),
        jumps=tuple(x + 1 for x in JUMPS),
    ),
    "warped cut mixture": Density(
        lambda w, m, s: cut(w, m, s, grid=False),
        (LOGITS, LOCS, LOG_SCALES),
        2,
        8,
        scale=(2, 0.04),
        jumps=(3.5, 4.5, 5.5),
    ),
    "warped cut mixture, positive": Density(
        lambda w, m, s: cut(w, m, s, grid=False, logarithmic=True),
        (LOGITS, LOCS, LOG_SCALES - 1),
        3,
        scale=(2, 0.04),
        jumps=tuple(x + 1 for x in JUMPS if x > 2),
    ),
    "warped mixture with mass below 0": Density(
        outside, (LOGITS, LOCS, LOG_SCALES - 1), scale=(2, 0.02), jumps=(0.0, *(x + 1 for x in JUMPS))
    ),
    "rescaled": Density(lambda m, s: Rescaled(Normal(m, s.exp(), validate_args=False), frame()), SCALE),
    "rescaled mixture": Density(
        lambda w, m, s: Rescaled(Mixture(w, Logistic(m, s)), frame()), (LOGITS, LOCS, LOG_SCALES), scale=(2, 0.02)
    ),
}
MASSES: dict[str, Mass] = {
    "bernoulli": Mass(Bernoulli, (t(0.7, -2.0),), counted(1)),
    "categorical": Mass(Categorical, (CODES,), counted(2)),
    "categorical, reserve": Mass(lambda w: Categorical(w, 0.1), (LOGITS,), counted(2, least=-1)),
    "levels": Mass(levels, LEVEL, counted(16), (1, 0.02)),
    "one level": Mass(lambda m, s: levels(m, s, 1.0, 4, 4), LEVEL, t(4)),
    "grid": Mass(lambda m, s: levels(m, s, 0.25, -math.inf, math.inf), LEVEL, counted(800, 0.25, -800), (1, 0.02)),
    "warped levels": Mass(lambda m, s: one_warped(m, s, unit_grid(0, 16)), LEVEL, counted(16), (1, 0.02)),
    "warped grid mixture": Mass(
        lambda w, m, s: warped(w, m, s, unit_grid(-math.inf)),
        (LOGITS, LOCS, LOG_SCALES),
        counted(900, 1, -900),
        (2, 0.02),
    ),
    "warped count mixture": Mass(
        lambda w, m, s: warped(w, m, s, unit_grid(0)), (LOGITS, LOCS, LOG_SCALES), counted(900), (2, 0.02)
    ),
    "warped positive mixture": Mass(
        lambda w, m, s: warped(w, m, s, unit_grid(1), logarithmic=True),
        (LOGITS, LOCS, LOG_SCALES - 1),
        counted(40_000, least=1),
        (2, 0.04),
    ),
    "warped cut grid mixture": Mass(
        lambda w, m, s: cut(w, m, s, grid=True), (LOGITS, LOCS, LOG_SCALES), counted(8, least=2), (2, 0.04)
    ),
    "resolutions mixture": Mass(
        lambda r, w, m, s: resolutions(r, w, m, s, 0, 16),
        (SHARES, LOGITS, LOCS, LOG_SCALES),
        counted(16),
        (3, 0.04),
    ),
    "resolutions mixture, no ends": Mass(
        lambda r, w, m, s: resolutions(r, w, m, s, -math.inf, math.inf),
        (SHARES, LOGITS, LOCS, LOG_SCALES),
        counted(900, 1, -900),
        (3, 0.02),
    ),
    "resolutions and spikes mixture": Mass(
        lambda a, r, w, m, s: spiked(a, resolutions(r, w, m, s, 0, 16), unit_grid(0, 16)),
        (SPIKES, SHARES, LOGITS, LOCS, LOG_SCALES),
        counted(16),
        (4, 0.06),
    ),
    "listed, matched": Mass(listed_matched, (LOGITS, LOCS, LOG_SCALES), t(-1.5, 1.0, 2.0, 7.0), (2, 0.04)),
    "listed": Mass(listed, (LOGITS, LOCS, LOG_SCALES), t(-1.5, 1.0, 2.0, 7.0), (2, 0.04)),
    "poisson": Mass(Poisson, (RATE,), counted(150), (0, 0.02)),
    "negative binomial": Mass(NegativeBinomial, (RATE, DISPERSION), counted(1000), (0, 0.02)),
    "zero-inflated poisson": Mass(lambda w, r: ZeroInflated(w, Poisson(r)), (EXTRA, RATE), counted(150), (1, 0.02)),
    "zero-inflated nb": Mass(
        lambda w, m, d: ZeroInflated(w, NegativeBinomial(m, d)), (EXTRA, RATE, DISPERSION), counted(1000), (1, 0.02)
    ),
    "logistic mixture": Mass(
        lambda w, m, s: Mixture(w, levels(m, s)), (LOGITS, LOCS, LOG_SCALES), counted(16), (2, 0.02)
    ),
}
SCIPY: dict[str, list[Any]] = {
    "gaussian": [scipy.stats.norm(0.3, math.exp(0.2)), scipy.stats.norm(-1, math.exp(-0.7))],
    "laplace": [scipy.stats.laplace(0.3, math.exp(0.2)), scipy.stats.laplace(-1, math.exp(-0.7))],
    "logistic": [scipy.stats.logistic(0.3, math.exp(0.2)), scipy.stats.logistic(-1, math.exp(-0.7))],
    "student": [scipy.stats.t(2.5, 0.3, math.exp(0.2)), scipy.stats.t(8, -1, math.exp(-0.7))],
    "lognormal": [
        scipy.stats.lognorm(math.exp(s), scale=math.exp(m)) for m, s in zip(*(x.tolist() for x in SCALE), strict=True)
    ],
    "gamma": [
        scipy.stats.gamma(math.exp(0.7), scale=math.exp(0.3 - 0.7)),
        scipy.stats.gamma(math.exp(2), scale=math.exp(-1 - 2)),
    ],
    "beta": [
        scipy.stats.beta(math.exp(v) / (1 + math.exp(-m)), math.exp(v) / (1 + math.exp(m)))
        for m, v in ((0.3, 1.7), (-1.0, 3.0))
    ],
    "truncated": [
        scipy.stats.truncnorm((-2 - m) / math.exp(s), (2 - m) / math.exp(s), m, math.exp(s))
        for m, s in zip(*(x.tolist() for x in SCALE), strict=True)
    ],
    "poisson": [scipy.stats.poisson(3), scipy.stats.poisson(20)],
    "negative binomial": [scipy.stats.nbinom(1 / 0.8, 1 / (1 + 0.8 * 3)), scipy.stats.nbinom(10, 1 / (1 + 0.1 * 20))],
}


def law_of(name: str) -> Density | Mass:
    return DENSITIES[name] if name in DENSITIES else MASSES[name]


def make(name: str) -> Distribution:
    found = law_of(name)
    return found.family(*found.values)


def both(x: Tensor) -> Tensor:
    return x[..., None].expand(*x.shape, 2)


def score_errors(
    family: Callable[..., Distribution], values: Sequence[Tensor], draws: Tensor, rows: int = 100_000
) -> Tensor:
    """By how many standard errors each parameter's mean score ∂ log P(draw) is off zero; fixed ones are left out.

    It is zero where the law is normalised whatever its parameters are, and the draws are its own: the most powerful of
    tests against another scale.
    """
    parts = []
    for some in draws.split(rows):
        wide = [value.expand(len(some), *value.shape).clone().requires_grad_() for value in values]
        parts.append(
            torch.cat([g.flatten(1) for g in torch.autograd.grad(family(*wide).log_prob(some).sum(), wide)], 1)
        )
    scores = torch.cat(parts).double()
    spread = scores.std(0)
    return (scores.mean(0).abs() * len(scores) ** 0.5 / spread)[spread > 1e-12]
