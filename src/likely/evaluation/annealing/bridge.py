"""Distributions on the way from Q(z|x), or P(z), to P(z|x), and Hamiltonian transitions that leave each invariant."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from likely.data import Batch
from likely.distributions import Hierarchy, LatentDistribution, StandardNormal
from likely.models import Model

__all__ = ["Bridge", "ChainState"]


@dataclass(frozen=True, eq=False)
class ChainState:
    """Where the chains are, `(chains, rows, latent)`, and both ends of the path there.

    Attributes
    ----------
    at
        The chains' places: z, or for a hierarchy the noise that P(z) makes it from.
    log_q, log_p
        log Q(z|x) (or log P(z)) and log P(x, z): `(chains, rows)`, nats; for a hierarchy as densities of the noise.
    grad_q, grad_p
        Their gradients.

    """

    at: Tensor
    log_q: Tensor
    log_p: Tensor
    grad_q: Tensor
    grad_p: Tensor

    def log(self, beta: float) -> Tensor:
        """The log-density of the path at β, (1 − β) log Q + β log P(x, z)."""
        return _between(self.log_q, self.log_p, beta)

    def grad(self, beta: float) -> Tensor:
        """Gradient of `log`."""
        return _between(self.grad_q, self.grad_p, beta)

    def where(self, accepted: Tensor, other: ChainState) -> ChainState:
        """Where accepted this state, `(chains, rows)`; elsewhere the other."""
        wide = accepted[..., None]
        return ChainState(
            torch.where(wide, self.at, other.at),
            torch.where(accepted, self.log_q, other.log_q),
            torch.where(accepted, self.log_p, other.log_p),
            torch.where(wide, self.grad_q, other.grad_q),
            torch.where(wide, self.grad_p, other.grad_p),
        )


class Bridge:
    """The geometric path Q(z|x)^(1−β) P(x, z)^β for some rows, 0 ≤ β ≤ 1 (Neal 2001, equation 3).

    A hierarchy is annealed in the standard normal noise ε of its prior, z = T(ε), where P(z) dz/dε = N(ε; 0, I):
    log Q becomes log Q(z|x) − log P(z) + log N(ε; 0, I), and log P(x, z) becomes log P(x|z) + log N(ε; 0, I). On a
    hypersphere chains move along great circles (Byrne and Girolami 2013, section 4.1).

    Parameters
    ----------
    model, batch
        The model, and the rows.
    p
        P(z), known already.
    from_prior
        Start the path from P(z) instead of Q(z|x).

    """

    def __init__(self, model: Model, batch: Batch, p: LatentDistribution, *, from_prior: bool = False) -> None:
        self.model, self.batch, self.p = model, batch, p
        self.q = model.posterior(batch)
        self.from_prior, self.spherical = from_prior, not self.q.convex
        like = self.q.like
        zeros = torch.zeros(len(batch), self.latent, dtype=like.dtype, device=like.device)
        self.p_noise = StandardNormal(zeros)
        self.scale = self._scale()

    @property
    def latent(self) -> int:
        """Dimension of z."""
        return int(self.q.event_shape[0])

    @property
    def noise_size(self) -> int:
        """How many standard normal numbers `start` takes per chain and row."""
        return self.p.noise_size if self.from_prior else self.q.noise_size

    def start(self, noise: Tensor) -> ChainState:
        """Chains at β = 0, from noise `(chains, rows, noise_size)`."""
        start = self.p if self.from_prior else self.q
        return self.from_z(start.from_noise(noise.to(self.q.like)))

    def from_z(self, z: Tensor) -> ChainState:
        """Chains at given codes `(chains, rows, latent)`."""
        return self.state_at(self._place(z.to(self.q.like)))

    def state_at(self, at: Tensor) -> ChainState:
        """Both ends of the path, and their gradients, at the chains' places."""
        with torch.enable_grad():
            place = at.detach().requires_grad_()
            log_q, log_p = self._ends(place)
            (grad_p,) = torch.autograd.grad(log_p.sum(), place, retain_graph=True)
            flat = not log_q.requires_grad
            grad_q = torch.zeros_like(grad_p) if flat else torch.autograd.grad(log_q.sum(), place)[0]
        return ChainState(place.detach(), log_q.detach(), log_p.detach(), grad_q, grad_p)

    def move(
        self, here: ChainState, beta: float, momentum: Tensor, uniform: Tensor, step: Tensor, leapfrog_steps: int
    ) -> _Moved:
        """One Hamiltonian transition that leaves the distribution at β invariant (Neal 2011, section 5.3.2).

        Momentum is N(0, diag 1/s²), s the deviations of Q(z|x), so that a step is in units of s.

        Parameters
        ----------
        here
            Where the chains are.
        beta
            Of the distribution.
        momentum
            Standard normal numbers `(chains, rows, latent)`.
        uniform
            Numbers in (0, 1) that decide acceptance: `(chains, rows)`.
        step
            Size of a leapfrog step: `(chains, rows, 1)`.
        leapfrog_steps
            Their number.

        """
        stride = step * self.scale
        momentum = self._along(here, momentum)
        there, v = here, momentum + 0.5 * stride * self._along(here, here.grad(beta))
        for leap in range(leapfrog_steps):
            at, v = self._drift(there.at, v, stride)
            there = self.state_at(at)
            v = v + (1.0 if leap < leapfrog_steps - 1 else 0.5) * stride * self._along(there, there.grad(beta))
        kinetic = 0.5 * (momentum.square().sum(-1) - v.square().sum(-1))
        change = there.log(beta) - here.log(beta) + kinetic
        probability = torch.nan_to_num(change, nan=-torch.inf).clamp_max(0).exp()
        return _Moved(there.where(uniform < probability, here), probability)

    def _along(self, here: ChainState, vector: Tensor) -> Tensor:
        """The part of a vector that is tangent to z's space."""
        return vector - (vector * here.at).sum(-1, keepdim=True) * here.at if self.spherical else vector

    def _drift(self, at: Tensor, v: Tensor, stride: Tensor) -> tuple[Tensor, Tensor]:
        """Along a straight line, or on a sphere along a great circle, with the momentum that arrives."""
        if not self.spherical:
            return at + stride * v, v
        speed = v.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(v.dtype).tiny)
        cos, sin = (stride * speed).cos(), (stride * speed).sin()
        there = torch.nn.functional.normalize(at * cos + v / speed * sin, dim=-1)
        arrived = v * cos - at * speed * sin
        return there, arrived - (arrived * there).sum(-1, keepdim=True) * there

    def _place(self, z: Tensor) -> Tensor:
        return self.p.to_noise(z) if isinstance(self.p, Hierarchy) else z

    def _ends(self, place: Tensor) -> tuple[Tensor, Tensor]:
        """Log-densities of the chains' places at β = 0 and, times P(x), at β = 1."""
        if not isinstance(self.p, Hierarchy):
            log_pz = self.p.log_prob(place)
            log_q = log_pz if self.from_prior else self.q.log_prob(place)
            return log_q, self.model.log_px_z(self.batch, place) + log_pz
        draws, log_noise = self.p.sample_with_log_prob(noise=place), self.p_noise.log_prob(place)
        log_q = log_noise if self.from_prior else self.q.log_prob(draws.z) - draws.log_prob + log_noise
        return log_q, self.model.log_px_z(self.batch, draws.z) + log_noise

    def _scale(self) -> Tensor:
        """Deviations of the chains' places under Q: `(rows, latent)`, on a sphere `(rows, 1)`."""
        if self.spherical:
            spread = (1 - self.q.mean.square().sum(-1, keepdim=True)).clamp_min(1e-8)
            return (spread / (self.latent - 1)).sqrt()
        if not isinstance(self.p, Hierarchy):
            return self.q.variance.sqrt()
        noise = torch.randn(64, 1, self.latent, generator=torch.Generator().manual_seed(0)).to(self.q.like)
        return self._place(self.q.from_noise(noise.expand(-1, len(self.batch), -1))).std(0)


def _between(q: Tensor, p: Tensor, beta: float) -> Tensor:
    """(1 − β) q + β p; an end without weight may be infinite."""
    return q if beta == 0 else p if beta == 1 else (1 - beta) * q + beta * p


@dataclass(frozen=True, eq=False)
class _Moved:
    """After a transition: where the chains are, and the probability with which each accepted its proposal."""

    state: ChainState
    probability: Tensor
