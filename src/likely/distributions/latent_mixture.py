"""Mixtures of distributions of z."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from likely.data.drawing import rand, randn
from likely.distributions.latent import Index, LatentDistribution, full_precision
from likely.distributions.normal import HALF_LOG_TWO_PI, DiagonalNormal

__all__ = ["LatentMixture"]

MAX_CELLS = 2**22  # numbers held at once


class LatentMixture(LatentDistribution):
    r"""Σ_m π_m p_m(z), π = softmax(logits): log p(z) = log Σ_m exp(log π_m + log p_m(z)), in nats.

    A draw takes one number more than a component's: Φ of it, uniform on (0, 1), chooses the component by the inverse
    of π's distribution function. `rsample` stratifies that number over the samples axis: of S samples of a row, each
    falls into another of S equal strata, in random order, so that every sample alone follows the mixture and together
    they spread over the components. `sample` draws independently.

    Draws are differentiable: in the components' parameters through the chosen component, in the logits by implicit
    reparameterisation (Figurnov, Mohamed, Mnih 2018, section 3) of the autoregressive distribution function (Graves
    2016), for diagonal normal components. Of a function of several stratified samples that is not a mean over them,
    the gradient in the logits is that of another coupling of the samples with the same marginals.

    Parameters
    ----------
    logits
        `(*batch, components)`.
    components
        Distributions of batch shape `(*batch, components)`.

    """

    def __init__(self, logits: Tensor, components: LatentDistribution) -> None:
        self.logits, self.components = F.log_softmax(logits, -1), components
        self.convex = components.convex
        super().__init__(logits.shape[:-1], components.event_shape, validate_args=False)

    @property
    def like(self) -> Tensor:
        return self.components.like

    @property
    def noise_size(self) -> int:
        return self.components.noise_size + 1

    @property
    def noise_moves(self) -> tuple[bool, ...]:
        return (*self.components.noise_moves, False)

    @property
    def mean(self) -> Tensor:
        return (self.logits.exp().unsqueeze(-1) * self.components.mean).sum(-2)

    @property
    def mode(self) -> Tensor:
        """Of the components' modes the one that is most probable under the mixture."""
        modes = self.components.mode
        best = self.log_prob(modes.movedim(-2, 0)).argmax(0)
        return modes.gather(-2, best[..., None, None].expand(*best.shape, 1, modes.shape[-1])).squeeze(-2)

    @property
    def variance(self) -> Tensor:
        centred = self.components.mean - self.mean.unsqueeze(-2)
        return (self.logits.exp().unsqueeze(-1) * (self.components.variance + centred.square())).sum(-2)

    def expand(self, batch_shape: Any, _instance: Any = None) -> LatentMixture:
        shape = torch.Size((*batch_shape, self.logits.shape[-1]))
        return LatentMixture(self.logits.expand(shape), self.components.expand(shape))

    def at(self, index: Index) -> LatentMixture:
        return LatentMixture(self.logits[index], self.components.at(index))

    def log_prob(self, value: Tensor) -> Tensor:
        if self.batch_shape:
            return torch.logsumexp(self.logits + self.components.log_prob(value.unsqueeze(-2)), -1)
        flat = value.reshape(-1, value.shape[-1])
        diagonal = isinstance(self.components, DiagonalNormal)
        cells = self.logits.shape[-1] * (1 if diagonal else value.shape[-1])
        size = max(1, len(flat) if torch.is_grad_enabled() else MAX_CELLS // cells)
        parts = [torch.logsumexp(self.logits + self._each(part), -1) for part in flat.split(size)]
        return (parts[0] if len(parts) == 1 else torch.cat(parts)).view(value.shape[:-1])

    def _each(self, z: Tensor) -> Tensor:
        """Log-density of each z `(rows, dim)` under each component: `(rows, components)`."""
        if isinstance(self.components, DiagonalNormal):
            return _products(self.components, z)
        return self.components.log_prob(z.unsqueeze(-2))

    def from_noise(self, noise: Tensor) -> Tensor:
        """The last number of the noise chooses the component, the others are its noise."""
        chooser = noise[..., -1].to(torch.float64)
        return self._draw(0.5 * torch.erfc(-chooser / math.sqrt(2)), noise[..., :-1])

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        with torch.no_grad():
            return super().rsample(sample_shape)

    def rsample(self, sample_shape: Any = torch.Size(), generator: torch.Generator | None = None) -> Tensor:
        samples, like = torch.Size(sample_shape), self.like
        axis = len(samples) if self.batch_shape else None
        each = None if axis is None else 1
        shape = (*samples, *self.batch_shape, self.noise_size - 1)
        noise = randn(shape, axis, generator, dtype=like.dtype, device=like.device)
        strata, rows = samples.numel(), self.batch_shape.numel()
        order = rand((strata, rows), each, generator, device=like.device).argsort(0)
        within = rand((strata, rows), each, generator, dtype=torch.float64, device=like.device)
        u = (order + within) / max(1, strata)
        return self._draw(u.view(torch.Size((*samples, *self.batch_shape))), noise)

    def _choose(self, u: Tensor) -> Tensor:
        totals = self.logits.detach().to(torch.float64).exp().cumsum(-1)
        if self.batch_shape:
            places = torch.searchsorted(totals.expand(*u.shape, -1).contiguous(), u.unsqueeze(-1)).squeeze(-1)
        else:
            places = torch.searchsorted(totals, u)
        return places.clamp_max(totals.shape[-1] - 1)

    def _draw(self, u: Tensor, noise: Tensor) -> Tensor:
        axes = len(self.batch_shape)
        grid = [
            torch.arange(size, device=u.device).view(-1, *[1] * (axes - 1 - axis))
            for axis, size in enumerate(self.batch_shape)
        ]
        z = self.components.at((*grid, self._choose(u))).from_noise(noise)
        if self.logits.requires_grad and torch.is_grad_enabled() and isinstance(self.components, DiagonalNormal):
            return z + self._follow_logits(z.detach().to(torch.float64), self.components).to(z.dtype)
        return z

    def _follow_logits(self, z: Tensor, parts: DiagonalNormal) -> Tensor:
        r"""Zero, with the derivative of a draw in the logits: −(∂F/∂z)⁻¹ ∂F/∂logits, F the conditional cdf.

        F_d(z) = Σ_m w_dm Φ((z_d − μ_md)/σ_md), w_dm ∝ π_m Π_{j<d} N(z_j; μ_mj, σ²_mj). ∂F/∂z is lower triangular:
        p(z_d|z_<d) on its diagonal, Σ_m w_dm (Φ_dm − F_d) ∂ log N(z_j)/∂z_j below it. In float64: the square of a
        distance in units of the narrowest component has no room in float32.
        """
        mean, log_std = parts.loc.detach().to(torch.float64), parts.log_std.detach().to(torch.float64)
        x = (z.unsqueeze(-2) - mean) * (-log_std).exp()
        log_n = -0.5 * x.square() - log_std - HALF_LOG_TWO_PI
        before = log_n.cumsum(-1) - log_n
        w = torch.softmax(self.logits.unsqueeze(-1) + before, -2)
        phi = torch.special.ndtr(x)
        f = (w * phi).sum(-2)
        with torch.no_grad(), full_precision(z):
            diagonal = (w * log_n.exp()).sum(-2, keepdim=True).mT.clamp_min(torch.finfo(z.dtype).tiny)
            below = (w * (phi - f.unsqueeze(-2))).mT @ (-x * (-log_std).exp())
            unit = (below / diagonal).tril(-1)
        right = (f - f.detach()).unsqueeze(-1) / diagonal
        solved: Tensor = torch.linalg.solve_triangular(unit, right, upper=False, unitriangular=True)
        return -solved.squeeze(-1)


def _products(parts: DiagonalNormal, z: Tensor) -> Tensor:
    """Log-density of each z `(rows, dim)` under each diagonal component: `(rows, components)`.

    By matrix products, in float64, because ‖(z − μ)/σ‖² = Σ z²/σ² − 2 z μ/σ² + μ²/σ² cancels.
    """
    mean, log_std = parts.loc.to(torch.float64), parts.log_std.to(torch.float64).expand_as(parts.loc)
    exact, inverse = z.to(torch.float64), (-2 * log_std).exp()
    constant = (-0.5 * mean.square() * inverse - log_std - HALF_LOG_TWO_PI).sum(-1)
    log_densities = torch.addmm(constant, exact.square(), inverse.mT, alpha=-0.5) + exact @ (mean * inverse).mT
    return log_densities.to(z.dtype)
