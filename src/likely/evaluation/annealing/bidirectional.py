"""Rows simulated from the model, whose z is known: they choose the path of the chains, by lower and upper bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from likely.data import EncodedRows, ResidentRows
from likely.evaluation.annealing.bridge import Bridge
from likely.evaluation.annealing.chains import AnnealingPath, backward, begin, forward, transition
from likely.evaluation.annealing.clock import Clock
from likely.evaluation.averages import LogMean
from likely.evaluation.sampling import DEFAULT_CHUNK_ROWS, PerRow, Progress, copy_keys
from likely.models import Model

__all__ = ["Bidirectional", "Simulated", "bidirectional", "simulate", "tune"]

LEAPFROG_STEPS, CHAINS = 3, 16  # of a transition, of a row; --precise doubles the chains
NODES, ROUNDS, ACCEPTANCE = 9, 12, 0.8  # where step sizes are adapted, in how many transitions, to which acceptance
MIN_TEMPERATURES, MAX_TEMPERATURES = 8, 512  # --precise allows eight times as many
LEAST_FACTOR = 1.5  # by which their number is raised
INTERVALS = 64  # of the path as it is found; `AnnealingPath.spread` makes others of them
TUNING_ROWS, TEST_ROWS = 16, DEFAULT_CHUNK_ROWS  # simulated: on some the path is tuned, on others it is tested
MAX_WIDTH, PRECISE_MAX_WIDTH = 0.5, 0.1  # nats between upper and lower bound, two standard errors added


@dataclass(frozen=True, eq=False)
class Simulated:
    """Rows drawn from the model, and the z that each was drawn from: an exact draw of P(z|x)."""

    rows: EncodedRows
    z: Tensor


@dataclass(frozen=True, eq=False)
class Bidirectional:
    """Lower and upper bounds on log P(x), for rows simulated from the model: `(rows,)`, float64, nats.

    Attributes
    ----------
    lower
        Annealed importance sampling forward: E[lower] ≤ log P(x).
    upper
        The same in reverse from the exact z: E[upper] ≥ log P(x), over (x, z).
    acceptance
        Mean probability of accepting a transition, forward.
    path
        How chains were annealed.

    """

    lower: np.ndarray
    upper: np.ndarray
    acceptance: np.ndarray
    path: AnnealingPath

    @property
    def width(self) -> float:
        """Mean of upper − lower over the rows, in nats."""
        return float((self.upper - self.lower).mean())

    def excess(self, max_width: float) -> float:
        """The width and two standard errors, as a multiple of `max_width`: above 1 the bounds are too far apart."""
        return (self.width + 2 * self.se) / max_width

    @property
    def se(self) -> float:
        """Standard error of the width over rows."""
        return float((self.upper - self.lower).std(ddof=1) / math.sqrt(len(self.lower)))


@torch.no_grad()
def simulate(model: Model, like: EncodedRows, count: int, seed: int) -> Simulated:
    """Draw z ~ P(z) and x ~ P(x|z, y); y and the mask are those of rows of `like`, chosen by (seed, content).

    The missing cells of real rows are missing in the draws too, whatever their values: so the z of a draw is an exact
    draw of P(z|x) for what is observed of x.
    """
    model.eval()
    y, seen, fill = None, None, None
    if like.covariates is not None or like.observed is not None:
        chosen = copy_keys(like, seed).argsort()[:count]
        real = like.take(chosen[torch.arange(count, device=chosen.device) % len(chosen)])
        y, seen, fill = real.covariates, real.observed, real.stored().values
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        z = model.prior().sample(torch.Size((count,)))
        x = model.likelihood(z, y).sample()
    if seen is not None and fill is not None:
        x = torch.where(seen, x, fill.to(x.dtype))
    return Simulated(ResidentRows(x, covariates=y, observed=seen), z)


@torch.no_grad()
def bidirectional(
    model: Model,
    simulated: Simulated,
    path: AnnealingPath,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Bidirectional:
    """Bidirectional Monte Carlo (Grosse, Ghahramani, Adams 2015; Wu et al. 2017, section 3.1)."""
    model.eval()
    p, per_row = model.prior(), PerRow()
    for chunk in per_row.chunks(simulated.rows, seed, distinct_noise_for_copies=True, progress=progress):
        batch, keys, z = chunk.batch, chunk.keys, simulated.z[chunk.index]
        bridge = Bridge(model, batch, p, from_prior=path.from_prior)
        up, down = forward(bridge, keys, path), backward(bridge, z, keys, path)
        lower, inverse = (LogMean(path.chains, len(batch), keys.device) for _ in range(2))
        lower.add(0, up.log_weight)
        inverse.add(0, -down.log_weight)
        per_row.add(chunk, lower=lower.value, upper=-inverse.value, acceptance=up.acceptance)
    return Bidirectional(**{name: per_row.array(name) for name in per_row.names}, path=path)


def tune(
    model: Model,
    like: EncodedRows,
    *,
    precise: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
    most: int | None = None,
    clock: Clock | None = None,
) -> Bidirectional:
    """The bounds of rows simulated from the model, and the path chosen on them: step sizes, then β, then their number.

    Step sizes are adapted to an acceptance of 0.8 and frozen. The β are spaced by the deviation of log P(x, z) −
    log Q(z|x) on the way, which is the speed of the path. Their number is raised until upper and lower bound of 50
    other simulated rows are within 0.5 nats (0.1 with `precise`), two standard errors included, or there are 512 (4,096
    with `precise`). Where eight from Q(z|x) do not suffice, the path from P(z) is tried too, and the tighter one taken.

    Parameters
    ----------
    model
        As in `evidence`.
    like
        Rows whose covariates and missing cells the simulated rows take.
    precise
        Bring the bounds closer together, with more temperatures and twice the chains.
    seed
        Of all random numbers.
    progress
        Called with (temperatures tried, the most).
    most
        Temperatures at most, in the place of 512 or 4,096.
    clock
        The other path, and more temperatures, are tried where they take at most half of what is left of it.

    """
    clock = clock or Clock(None)
    pilot, tested = simulate(model, like, TUNING_ROWS, seed + 1), simulate(model, like, TEST_ROWS, seed + 2)
    max_width, usual = (PRECISE_MAX_WIDTH, 8 * MAX_TEMPERATURES) if precise else (MAX_WIDTH, MAX_TEMPERATURES)
    most, temperatures = most or usual, MIN_TEMPERATURES
    chains = 2 * CHAINS if precise else CHAINS

    def bounds_of(path: AnnealingPath) -> tuple[Bidirectional, float]:
        bounds = bidirectional(model, tested, path.spread(temperatures, chains), seed=seed)
        if progress:
            progress(temperatures, most)
        return bounds, clock.lap()

    path = _path(model, pilot, seed, from_prior=False)
    tuning = clock.lap()
    bounds, taken = bounds_of(path)
    if bounds.excess(max_width) > 1 and clock.allows(2 * (tuning + taken)):
        other = _path(model, pilot, seed, from_prior=True)
        clock.lap()
        tried, taken = bounds_of(other)
        if tried.width < bounds.width:
            path, bounds = other, tried
    while bounds.excess(max_width) > 1 and temperatures < most:
        factor = min(8.0, max(LEAST_FACTOR, 1.2 * bounds.excess(max_width)))
        wanted = min(most, math.ceil(temperatures * factor))
        if not clock.allows(2 * taken * wanted / temperatures):
            wanted = math.floor(temperatures * clock.left() / (2 * taken))
        if wanted < LEAST_FACTOR * temperatures and wanted < most:
            break
        temperatures = wanted
        bounds, taken = bounds_of(path)
    return bounds


@torch.no_grad()
def _path(model: Model, pilot: Simulated, seed: int, *, from_prior: bool) -> AnnealingPath:
    """A path of 64 intervals, by chains that walk up the path and adapt their step at a few β."""
    index = torch.arange(len(pilot.rows), device=pilot.rows.device)
    batch = pilot.rows.evaluation_batch(index)
    keys, bridge = copy_keys(pilot.rows, seed), Bridge(model, batch, model.prior(), from_prior=from_prior)
    nodes = np.linspace(0, 1, NODES)
    walk = AnnealingPath(tuple(nodes), (1.0,) * NODES, CHAINS // 2, LEAPFROG_STEPS, from_prior)
    state, size = begin(bridge, keys, walk), 0.7 * bridge.latent**-0.25
    steps, speed = [], []
    for node in range(NODES):
        kept, spread = [], []
        for number in range(ROUNDS):
            walk = replace(walk, steps=(size,) * NODES)
            state, probability = transition(bridge, state, keys, walk, node, node * ROUNDS + number)
            size *= math.exp((float(probability.mean()) - ACCEPTANCE) / math.sqrt(number + 1))
            kept.append(math.log(size))
            spread.append(float((state.log_p - state.log_q).to(torch.float64).std(0).mean()))
        steps.append(np.mean(kept[ROUNDS // 2 :]))
        speed.append(np.mean(spread[ROUNDS // 2 :]))
    betas = _spaced(nodes, np.nan_to_num(np.array(speed), nan=1.0, posinf=1e6))
    return replace(
        walk, betas=tuple(map(float, betas)), steps=tuple(map(float, np.exp(np.interp(betas, nodes, steps))))
    )


def _spaced(nodes: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """β at equal parts of the path's length, no stretch of which counts for less than a twentieth of the mean speed."""
    floored = np.maximum(speed, 0.05 * speed.mean() + 1e-12)
    length = np.concatenate([[0.0], np.cumsum(np.diff(nodes) * (floored[1:] + floored[:-1]) / 2)])
    betas: np.ndarray = np.interp(np.linspace(0, length[-1], INTERVALS + 1), length, nodes)
    betas[0], betas[-1] = 0.0, 1.0
    return betas
