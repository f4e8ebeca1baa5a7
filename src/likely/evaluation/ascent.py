"""The way up the ELBO of single rows: Q's parameters optimised for each row by itself, the model held."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from likely.data.noise import Stream
from likely.distributions import LatentDistribution
from likely.evaluation.sampling import Chunk
from likely.models import Model

__all__ = ["adam", "climb"]

# Adam is written out here: torch.optim loads torch's compiler first, seconds for the score of one row.
RATE, BETAS = 0.1, (0.9, 0.99)


@torch.enable_grad()
def climb(model: Model, chunk: Chunk, p: LatentDistribution, start: Tensor, *, steps: int, pairs: int) -> Tensor:
    """The encoder's output with a higher ELBO that is found from `start` for each row: `(rows, numbers)`.

    Adam (Kingma and Ba 2015) with antithetic pairs of samples of z, a rate that falls to zero, and the gradient along z
    alone, which is without noise where Q is P(z|x) (Roeder, Wu, Duvenaud 2017, Sticking the landing). Steps are in
    units of the row's own root mean square, if that is above 1.

    Parameters
    ----------
    model
        With its weights held (`frozen`).
    chunk, p
        The rows, and P(z).
    start
        `(rows, numbers)`, as the encoder gives them.
    steps, pairs
        Of the optimiser; of samples of z and their mirror images, behind each step.

    """
    number = iter(range(steps))

    def elbo(encoded: Tensor) -> Tensor:
        q = model.posterior_from(encoded)
        half = chunk.noise(Stream.OPTIMISE, q, next(number) * pairs, pairs)
        terms = model.terms(chunk.batch, noise=torch.cat([half, -half]), q=q, p=p)
        held = model.posterior_from(encoded.detach()).log_prob(terms.z)
        return (terms.log_px_z + terms.log_pz - held).mean(0).sum()

    return adam(elbo, start, steps)


def adam(goal: Callable[[Tensor], Tensor], start: Tensor, steps: int) -> Tensor:
    """Where the ascent of `goal` from `start` ends, both `(rows, numbers)`, by a rate that falls to zero."""
    unit = start.square().mean(-1, keepdim=True).sqrt().clamp_min(1)
    move, mean, square = torch.zeros_like(start, requires_grad=True), torch.zeros_like(start), torch.zeros_like(start)
    for step in range(steps):
        gradient = torch.autograd.grad(goal(start + unit * move), move)[0].nan_to_num(0, 0, 0)
        mean.lerp_(gradient, 1 - BETAS[0])
        square.lerp_(gradient.square(), 1 - BETAS[1])
        unbiased = [moment / (1 - beta ** (step + 1)) for moment, beta in zip((mean, square), BETAS, strict=True)]
        with torch.no_grad():
            move += RATE * (1 - step / steps) ** 2 * unbiased[0] / (unbiased[1].sqrt() + 1e-8)
    return (start + unit * move).detach()
