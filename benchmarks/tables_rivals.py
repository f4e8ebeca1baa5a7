"""Rivals of a fitted run on its own axis, each in the processor seconds that the run's fit took.

All see the run's training rows, are chosen by its validation rows, and score its test rows in the base measure of its
schema. Flows and the mixture give a value outside the axis a mass by the marginals (`evaluation.baselines.flow`).

nsf             zuko's neural spline flow, as `evaluate --rivals` fits it: the mean density over 256 points of a row's
                boxes, a lower bound in expectation
maf             zuko's masked autoregressive flow, 5 transforms, in its place
autoregressive  a masked network (Germain et al. 2015) that gives each cell the parameters of the run's own likelihood,
                from the places of the cells before it on the axis: log P(x) is exact
kde             normal kernels at the training rows on the axis, their width chosen; each kernel has its row's spikes
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import zuko
from torch import Tensor, nn

import likely
from likely.data import EncodedRows
from likely.evaluation import Budget, FlowRival, fit_flow
from likely.evaluation.baselines.chain import Chain
from likely.evaluation.baselines.flow import boxes_of, train_flow
from likely.likelihoods import Likelihood
from likely.priors import Flow

NAMES = ("nsf", "maf", "autoregressive", "kde")
MAF_TRANSFORMS, HIDDEN = 5, (64, 64)
NETWORK, BATCH, RATE, DECAY, VALIDATIONS = (128, 128), 64, 4e-3, 1e-3, 30
WIDTHS, SHARES, CHOOSING = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0), (0.1, 0.5), 200
FAR = 10.0  # deviations at which what a network sees of a cell ends


def rivals(run: likely.Run, marginals: np.ndarray, seconds: float) -> dict[str, Any]:
    """log P(x) of the run's test rows under each rival, `(rows,)`, and the processor seconds and steps of its fit."""
    source, seed = run.training_source(), run.config.seed
    train, held, test = (
        run.encoded(run.division.rows(source, part)).to("cpu") for part in ("train", "validation", "test")
    )
    found: dict[str, Any] = {}

    def timed(name: str, fit: Callable[[], tuple[Callable[[], np.ndarray], str]]) -> None:
        started = time.process_time()
        score, what = fit()
        found[f"{name}_s"], found[f"{name}_what"] = time.process_time() - started, what
        found[name] = score()

    def nsf() -> tuple[Callable[[], np.ndarray], str]:
        rival = fit_flow(run.schema, train, held, Budget(seconds, seed, time.process_time))
        return (lambda: nats(rival, test, marginals)), rival.kind

    def maf() -> tuple[Callable[[], np.ndarray], str]:
        cells = run_cells(run)
        boxes, choosing = boxes_of(cells, train, seed), boxes_of(cells, held, seed)

        def make() -> Flow:
            return Flow(len(cells), MAF_TRANSFORMS, "autoregressive", HIDDEN)

        made = train_flow(make, boxes, choosing, Budget(seconds, seed, time.process_time))
        rival = FlowRival(cells, made.flow, len(train), "maf", "")
        return (lambda: nats(rival, test, marginals)), f"{made.steps} steps, weights of step {made.kept}"

    def autoregressive() -> tuple[Callable[[], np.ndarray], str]:
        made = Autoregressive.trained(run, train, held, seconds)
        return (lambda: made.log_prob(test.stored().values).numpy()), made.what

    def kde() -> tuple[Callable[[], np.ndarray], str]:
        law, what = kernels(run, train, held)
        return (lambda: law.log_prob(law.seen(test.stored().values)).numpy()), what

    for name, fit in (("nsf", nsf), ("maf", maf), ("autoregressive", autoregressive), ("kde", kde)):
        timed(name, fit)
    return found


def run_cells(run: likely.Run) -> Any:
    """The cells of the run's mixture on the warped axis, with the shares of spikes of all training rows."""
    if run.home.baselines is None:
        raise ValueError("the baselines come first: run.assess() fits them")
    return run.home.baselines.gaussians["gaussian_mixture_warped"].cells


def nats(rival: FlowRival, rows: EncodedRows, marginals: np.ndarray) -> np.ndarray:
    """The bounds of rows."""
    return np.asarray(rival.score(rows, marginals).nats)


def kernels(run: likely.Run, train: EncodedRows, held: EncodedRows) -> tuple[Chain, str]:
    """Normal kernels at the training rows; their width, and how far a kernel keeps to its row's spikes, are chosen."""
    cells = run_cells(run)
    values, choosing = train.stored().values, held.stored().values[:CHOOSING]
    seen = cells.read(values, shared=False)
    count, size = seen.y.shape
    slot = torch.full_like(seen.excluded, -1, dtype=torch.long) if seen.slot is None else seen.slot
    at = (slot.unsqueeze(-1) == torch.arange(cells.log_pi.shape[1])).to(torch.float64)
    weights = torch.full((count,), 1 / count, dtype=torch.float64)

    def law(width: float, share: float) -> Chain:
        made = Chain.of(cells, weights, seen.y, width**2 * torch.eye(size, dtype=torch.float64)[None])
        held_by = (1 - share) * at + share * cells.log_pi.exp()
        return Chain(made.cells, made.log_weights, made.means, made.factors, made.adjustment, held_by.log())

    tried = [(width, share) for width in WIDTHS for share in SHARES]
    scored = [float(one.log_prob(one.seen(choosing)).mean()) for one in (law(*choice) for choice in tried)]
    width, share = tried[int(np.argmax(scored))]
    return law(width, share), f"{count} kernels of width {width:g}, share {share:g} of spikes by all rows"


@dataclass(frozen=True, eq=False)
class Autoregressive:
    """P(x) = Π_j P(x_j | x_1..x_{j−1}), the parameters of each cell by one masked network."""

    cells: Any
    likelihood: Likelihood
    network: nn.Module
    what: str

    @classmethod
    def trained(cls, run: likely.Run, train: EncodedRows, held: EncodedRows, seconds: float) -> Autoregressive:
        """By AdamW for so many processor seconds, the weights or their running mean that validation rows like best."""
        started, seed, cells = time.process_time(), run.config.seed, run_cells(run)
        draw = torch.Generator().manual_seed(seed)
        likelihood = copy.deepcopy(run.model.p_x_z).requires_grad_(requires_grad=False)
        values = train.stored().values
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            owner = owners(likelihood, values)
            mask = torch.arange(values.shape[1])[None, :] < owner[:, None]
            network = zuko.nn.MaskedMLP(mask, NETWORK, activation=nn.SiLU)
        with torch.no_grad():
            network[-1].bias.copy_(likelihood.initial(values))
            network[-1].weight.mul_(0.3)
        mean, optimiser = copy.deepcopy(network), torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
        best, kept, done, checks = -math.inf, 0, 0, 1
        state = copy.deepcopy(network.state_dict())
        while (share := (time.process_time() - started) / seconds) < 1:
            for group in optimiser.param_groups:
                group["lr"] = RATE * min(1, (done + 1) / 50) * 0.5 * (1 + math.cos(math.pi * share))
            batch = values[torch.randint(len(values), (min(BATCH, len(values)),), generator=draw)]
            loss = -cls(cells, likelihood, network, "").log_prob(batch).mean()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            done += 1
            with torch.no_grad():
                for one, other in zip(mean.parameters(), network.parameters(), strict=True):
                    one.lerp_(other, 1 - min(0.99, (done + 1) / (done + 10)))
                if share * VALIDATIONS >= checks:
                    checks += 1
                    for one in (network, mean):
                        score = float(cls(cells, likelihood, one, "").log_prob(held.stored().values).mean())
                        if score > best:
                            best, kept, state = score, done, copy.deepcopy(one.state_dict())
        network.load_state_dict(state)
        network.requires_grad_(requires_grad=False)
        return cls(cells, likelihood, network, f"{done} steps, weights of step {kept}")

    def log_prob(self, values: Tensor) -> Tensor:
        """log P(x), `(rows,)`."""
        y = self.cells.read(values).y.clamp(-FAR, FAR).float()
        return self.likelihood(self.network(y)).log_prob(values).double().sum(-1)


def owners(likelihood: Likelihood, values: Tensor) -> Tensor:
    """The cell that each parameter belongs to, `(parameters,)`: the one whose log P changes with it on some row."""
    start = likelihood.initial(values).detach()
    rows = values[torch.linspace(0, len(values) - 1, 40).long()]
    touched = torch.zeros((values.shape[1], start.numel()))
    for row in rows.split(1):
        moved = start + 0.1 * torch.randn(start.shape)
        slopes = torch.autograd.functional.jacobian(lambda at, x=row: likelihood(at).log_prob(x)[0], moved[None])
        touched += slopes.reshape(touched.shape).abs()
    if not ((touched > 0).sum(0) <= 1).all():
        raise ValueError("a parameter belongs to several cells")
    return touched.argmax(0)
