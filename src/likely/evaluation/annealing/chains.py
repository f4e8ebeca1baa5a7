"""Annealed importance sampling: log P(x) per row by distributions on the way from Q(z|x) to P(z|x)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from likely.data import EncodedRows
from likely.data.noise import Stream, normal, uniform
from likely.evaluation.annealing.bridge import Bridge, ChainState
from likely.evaluation.averages import LogMean
from likely.evaluation.sampling import PerRow, Progress
from likely.models import Model

__all__ = ["Annealed", "AnnealingPath", "anneal", "backward", "begin", "forward", "transition"]

# Of momenta, of acceptance, of step sizes.
FORWARD = Stream.ANNEAL_MOMENTUM, Stream.ANNEAL_ACCEPT, Stream.ANNEAL_JITTER
REVERSE = Stream.ANNEAL_MOMENTUM_REVERSE, Stream.ANNEAL_ACCEPT_REVERSE, Stream.ANNEAL_JITTER_REVERSE
JITTERED = 0.6, 1.2  # times the step size, drawn anew for each transition so that no chain is periodic
PARTING = 10  # transitions by which chains from one exact draw part


@dataclass(frozen=True)
class AnnealingPath:
    """Where chains go from Q(z|x) to P(z|x), and in which steps: fixed before any of the rows it is used for is seen.

    Attributes
    ----------
    betas
        β_0 = 0 < β_1 < ... < β_T = 1.
    steps
        Size of a leapfrog step at each β, in deviations of Q(z|x).
    chains
        Independent chains per row.
    leapfrog_steps
        Leapfrog steps of a transition.
    from_prior
        Whether chains start from P(z) instead of Q(z|x).

    """

    betas: tuple[float, ...]
    steps: tuple[float, ...]
    chains: int
    leapfrog_steps: int
    from_prior: bool = False

    def spread(self, temperatures: int, chains: int | None = None) -> AnnealingPath:
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
    path
        How it was done.

    """

    log_px: np.ndarray
    se_mc: np.ndarray
    ess: np.ndarray
    acceptance: np.ndarray
    keys: np.ndarray
    path: AnnealingPath


@dataclass(frozen=True, eq=False)
class Walk:
    """Log-weights of the chains `(chains, rows)`, float64, and each row's mean acceptance."""

    log_weight: Tensor
    acceptance: Tensor


def begin(bridge: Bridge, keys: Tensor, path: AnnealingPath) -> ChainState:
    """Chains at β = 0."""
    return bridge.start(normal(keys, Stream.ANNEAL_START, 0, path.chains, bridge.noise_size))


def forward(bridge: Bridge, keys: Tensor, path: AnnealingPath) -> Walk:
    """Chains from β = 0 to 1: w = Π_t (P(x, z_{t−1})/Q(z_{t−1}|x))^(β_t − β_{t−1}), E[w] = P(x) (Neal 2001, eq. 7)."""
    state = begin(bridge, keys, path)
    total, accepted = _zero(state), []
    for t in range(1, path.temperatures + 1):
        total = total + _share(state, path.betas[t] - path.betas[t - 1])
        if t < path.temperatures:
            state, probability = transition(bridge, state, keys, path, t, t)
            accepted.append(probability.mean(0))
    return Walk(total, _mean(accepted, total))


def backward(bridge: Bridge, z: Tensor, keys: Tensor, path: AnnealingPath) -> Walk:
    """Chains from exact draws z of P(z|x) `(rows, latent)`, from β = 1 to 0: E[1/w] = 1/P(x).

    −log (1/C) Σ_c 1/w_c is then an upper bound on log P(x) in expectation (Grosse, Ghahramani, Adams 2015, section 3).
    The chains first part by transitions at β = 1, which leave P(z|x) as it is.
    """
    state, last = bridge.from_z(z.expand(path.chains, *z.shape)), path.temperatures
    total, accepted = _zero(state), []
    for number in range(last + PARTING, last, -1):
        state, _ = transition(bridge, state, keys, path, last, number, reverse=True)
    for t in range(last, 0, -1):
        total = total + _share(state, path.betas[t] - path.betas[t - 1])
        if t > 1:
            state, probability = transition(bridge, state, keys, path, t - 1, t - 1, reverse=True)
            accepted.append(probability.mean(0))
    return Walk(total, _mean(accepted, total))


@torch.no_grad()
def anneal(
    model: Model,
    rows: EncodedRows,
    path: AnnealingPath,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Annealed:
    """Annealed importance sampling with Hamiltonian transitions (Neal 2001; Wu, Burda, Salakhutdinov, Grosse 2017).

    The noise is keyed by (seed, row, temperature, chain). E[w] = P(x) for every path, so that E[log mean w] ≤
    log P(x).

    Parameters
    ----------
    model, rows
        As in `evidence`.
    path
        How; see `likely.evaluation.annealing.bidirectional.tune`.
    seed
        Of the noise.
    progress
        Called with (rows done, rows).

    """
    model.eval()
    p, per_row = model.prior(), PerRow()
    for chunk in per_row.chunks(rows, seed, progress=progress):
        walk = forward(Bridge(model, chunk.batch, p, from_prior=path.from_prior), chunk.keys, path)
        mean = LogMean(path.chains, len(chunk.batch), chunk.keys.device)
        mean.add(0, walk.log_weight)
        ess = torch.exp(2 * walk.log_weight.logsumexp(0) - (2 * walk.log_weight).logsumexp(0))
        per_row.add(chunk, log_px=mean.value, se_mc=mean.error, ess=ess, acceptance=walk.acceptance, keys=chunk.keys)
    return Annealed(**{name: per_row.array(name) for name in per_row.names}, path=path)


def _share(state: ChainState, difference: float) -> Tensor:
    """What one interval of β adds to the log-weights."""
    return difference * (state.log_p.to(torch.float64) - state.log_q.to(torch.float64))


def transition(
    bridge: Bridge,
    state: ChainState,
    keys: Tensor,
    path: AnnealingPath,
    level: int,
    number: int,
    *,
    reverse: bool = False,
) -> tuple[ChainState, Tensor]:
    """One transition at β_level, with noise of its own for each number and direction."""
    chains, first, streams = path.chains, number * path.chains, REVERSE if reverse else FORWARD
    momentum = normal(keys, streams[0], first, chains, bridge.latent).to(state.at.dtype)
    decide = uniform(keys, streams[1], first, chains, 1)[..., 0].to(state.log_p.dtype)
    low, high = JITTERED
    jitter = low + (high - low) * uniform(keys, streams[2], first, chains, 1).to(state.at.dtype)
    moved = bridge.move(state, path.betas[level], momentum, decide, path.steps[level] * jitter, path.leapfrog_steps)
    return moved.state, moved.probability


def _zero(state: ChainState) -> Tensor:
    return torch.zeros(state.log_p.shape, dtype=torch.float64, device=state.log_p.device)


def _mean(accepted: list[Tensor], like: Tensor) -> Tensor:
    return torch.stack(accepted).mean(0).to(torch.float64) if accepted else torch.ones_like(like[0])
