"""Annealed importance sampling: log P(x) per row by a path of laws from Q(z|x) to P(z|x)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from likely.data import EncodedRows
from likely.data.noise import normal, row_keys, uniform
from likely.evaluation.annealing.bridge import Bridge, Point
from likely.evaluation.averages import LogMean
from likely.evaluation.evidence import ROWS, chunks
from likely.models import Model

__all__ = ["Annealed", "Schedule", "anneal", "backward", "begin", "forward", "transition"]

Progress = Callable[[int, int], None]

START, MOMENTUM, ACCEPT, JITTER = 10, 11, 13, 15
JITTERED = 0.6, 1.2
PARTING = 10


@dataclass(frozen=True)
class Schedule:
    """How chains are annealed: fixed before any of the rows it is used for is seen.

    Attributes
    ----------
    betas
        β_0 = 0 < β_1 < ... < β_T = 1.
    steps
        Size of a leapfrog step at each β, in deviations of Q(z|x).
    chains
        Independent chains per row.
    leaps
        Leapfrog steps of a transition.
    from_prior
        Whether chains start from P(z) instead of Q(z|x).

    """

    betas: tuple[float, ...]
    steps: tuple[float, ...]
    chains: int
    leaps: int
    from_prior: bool = False

    def spread(self, temperatures: int, chains: int | None = None) -> Schedule:
        """The same path in this many intervals, with as many chains or another number of them."""
        places = np.linspace(0, self.temperatures, temperatures + 1)
        given = np.arange(self.temperatures + 1)
        betas = np.interp(places, given, self.betas)
        steps = np.exp(np.interp(places, given, np.log(self.steps)))
        return replace(self, betas=tuple(betas), steps=tuple(steps), chains=chains or self.chains)

    @property
    def temperatures(self) -> int:
        """T, the number of intervals of β."""
        return len(self.betas) - 1


@dataclass(frozen=True, eq=False)
class Annealed:
    """log P(x) per row `(rows,)`, float64, nats: a lower bound in expectation.

    Attributes
    ----------
    log_px
        log (1/C) Σ_c w_c over the chains.
    se_mc
        Its standard error from the chains: a jackknife.
    ess
        Effective number of chains (Σ w)²/Σ w².
    acceptance
        Mean probability of accepting a transition.
    keys
        Rows with equal keys share their noise.
    schedule
        How it was done.

    """

    log_px: np.ndarray
    se_mc: np.ndarray
    ess: np.ndarray
    acceptance: np.ndarray
    keys: np.ndarray
    schedule: Schedule


@dataclass(frozen=True, eq=False)
class Walk:
    """Log-weights of the chains `(chains, rows)`, float64, and each row's mean acceptance."""

    log_weight: Tensor
    acceptance: Tensor


def begin(bridge: Bridge, keys: Tensor, schedule: Schedule) -> Point:
    """Chains at β = 0."""
    return bridge.start(normal(keys, START, 0, schedule.chains, bridge.noise_size))


def forward(bridge: Bridge, keys: Tensor, schedule: Schedule) -> Walk:
    """Chains from β = 0 to 1: w = Π_t (P(x, z_{t−1})/Q(z_{t−1}|x))^(β_t − β_{t−1}), E[w] = P(x) (Neal 2001, eq. 7)."""
    point = begin(bridge, keys, schedule)
    total, accepted = _zero(point), []
    for t in range(1, schedule.temperatures + 1):
        total = total + _share(point, schedule.betas[t] - schedule.betas[t - 1])
        if t < schedule.temperatures:
            point, probability = transition(bridge, point, keys, schedule, t, t)
            accepted.append(probability.mean(0))
    return Walk(total, _mean(accepted, total))


def backward(bridge: Bridge, z: Tensor, keys: Tensor, schedule: Schedule) -> Walk:
    """Chains from exact draws z of P(z|x) `(rows, latent)`, from β = 1 to 0: E[1/w] = 1/P(x).

    −log (1/C) Σ_c 1/w_c is then an upper bound on log P(x) in expectation (Grosse, Ghahramani, Adams 2015, section 3).
    The chains first part by transitions at β = 1, which leave P(z|x) as it is.
    """
    point, last = bridge.from_z(z.expand(schedule.chains, *z.shape)), schedule.temperatures
    total, accepted = _zero(point), []
    for number in range(last + PARTING, last, -1):
        point, _ = transition(bridge, point, keys, schedule, last, number, reverse=True)
    for t in range(last, 0, -1):
        total = total + _share(point, schedule.betas[t] - schedule.betas[t - 1])
        if t > 1:
            point, probability = transition(bridge, point, keys, schedule, t - 1, t - 1, reverse=True)
            accepted.append(probability.mean(0))
    return Walk(total, _mean(accepted, total))


@torch.no_grad()
def anneal(
    model: Model,
    rows: EncodedRows,
    schedule: Schedule,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Annealed:
    """Annealed importance sampling with Hamiltonian transitions (Neal 2001; Wu, Burda, Salakhutdinov, Grosse 2017).

    The noise is keyed by (seed, row, temperature, chain). E[w] = P(x) for every schedule, so that E[log mean w] ≤
    log P(x).

    Parameters
    ----------
    model, rows
        As in `evidence`.
    schedule
        How; see `likely.evaluation.annealing.bidirectional.tune`.
    seed
        Of the noise.
    progress
        Called with (rows done, rows).

    """
    model.eval()
    p, done = model.prior(), 0
    parts: list[tuple[Tensor, ...]] = []
    for batch, count in chunks(rows, ROWS):
        keys = row_keys(batch.values, seed)
        walk = forward(Bridge(model, batch, p, from_prior=schedule.from_prior), keys, schedule)
        mean = LogMean(schedule.chains, len(batch), keys.device)
        mean.add(0, walk.log_weight)
        ess = torch.exp(2 * walk.log_weight.logsumexp(0) - (2 * walk.log_weight).logsumexp(0))
        parts.append(tuple(made[:count].cpu() for made in (mean.value, mean.error, ess, walk.acceptance, keys)))
        done += count
        if progress:
            progress(done, len(rows))
    log_px, se_mc, effective, acceptance, row = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
    return Annealed(log_px, se_mc, effective, acceptance, row, schedule)


def _share(point: Point, difference: float) -> Tensor:
    """What one interval of β adds to the log-weights."""
    return difference * (point.log_p.to(torch.float64) - point.log_q.to(torch.float64))


def transition(
    bridge: Bridge, point: Point, keys: Tensor, schedule: Schedule, level: int, number: int, *, reverse: bool = False
) -> tuple[Point, Tensor]:
    """One transition at β_level, with noise of its own for each number and direction."""
    chains, stream, first = schedule.chains, int(reverse), number * schedule.chains
    momentum = normal(keys, MOMENTUM + stream, first, chains, bridge.latent).to(point.at.dtype)
    decide = uniform(keys, ACCEPT + stream, first, chains, 1)[..., 0].to(point.log_p.dtype)
    low, high = JITTERED
    jitter = low + (high - low) * uniform(keys, JITTER + stream, first, chains, 1).to(point.at.dtype)
    moved = bridge.move(point, schedule.betas[level], momentum, decide, schedule.steps[level] * jitter, schedule.leaps)
    return moved.point, moved.probability


def _zero(point: Point) -> Tensor:
    return torch.zeros(point.log_p.shape, dtype=torch.float64, device=point.log_p.device)


def _mean(accepted: list[Tensor], like: Tensor) -> Tensor:
    return torch.stack(accepted).mean(0).to(torch.float64) if accepted else torch.ones_like(like[0])
