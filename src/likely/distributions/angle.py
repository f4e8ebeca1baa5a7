"""The angle to the mean direction of a von Mises-Fisher distribution, by inverting its distribution function."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

__all__ = ["invert"]

PANELS, NODES, STEPS = 20, 8, 4  # of the integral over the angle, Gauss nodes in each, of Newton's method
BELOW, ABOVE = 8.5, 15.0  # deviations of the mode: beyond lies less than float64 resolves
MAX_RISE = 50.0  # nats between the ends of a panel, whose exponential stays finite
MAX_ROWS = 2**12  # inverted at once


@torch.no_grad()
def invert(dim: int, kappa: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    r"""The θ with F(θ; κ) = u, and ∂θ/∂κ = −(∂F/∂κ)/f, for the density f(θ) ∝ exp(κ cos θ) sin^{dim−2} θ on [0, π].

    f is integrated by Gauss's rule over equal panels, from 8.5 to 15 deviations below and above its mode, beyond which
    less than 1e-16 lies; inside the panel where u falls, Halley's iteration starts from an exponential f. Errors in F
    are about 1e-13. ∂F/∂κ = ∫_0^θ (cos t − E cos) f(t) dt.

    Parameters
    ----------
    dim
        Dimension of the sphere's space, 2 or more.
    kappa
        κ > 0 of each distribution: `(rows,)`.
    u
        Numbers within 0 and 1: `(rows, draws)`.

    Returns
    -------
    θ, ∂θ/∂κ
        `(rows, draws)`, float64.

    """
    pairs = zip(kappa.to(torch.float64).split(MAX_ROWS), u.to(torch.float64).split(MAX_ROWS), strict=True)
    solved = [_Panels(dim, part).invert(numbers) for part, numbers in pairs]
    return torch.cat([theta for theta, _ in solved]), torch.cat([slope for _, slope in solved])


class _Panels:
    """f, up to a factor, and its integrals over the panels of each distribution."""

    def __init__(self, dim: int, kappa: Tensor) -> None:
        self.power, self.kappa = dim - 2, kappa[:, None]
        root = torch.sqrt(self.power**2 + 4 * self.kappa.square())
        cosine, square = 2 * self.kappa / (self.power + root), 2 * self.power / (self.power + root)
        self.mode = torch.atan2(square.sqrt(), cosine)
        deviation = (self.kappa * cosine + 0.5 * (self.power + root) * (self.power > 0)).rsqrt()
        self.low = (self.mode - BELOW * deviation).clamp_min(0)
        self.high = (self.mode + ABOVE * deviation).clamp_max(math.pi)
        self.width = (self.high - self.low) / PANELS
        nodes, weights = np.polynomial.legendre.leggauss(NODES)
        self.nodes, self.weights = kappa.new_tensor(0.5 + 0.5 * nodes), kappa.new_tensor(0.5 * weights)
        self.edges = (self.low + self.width * torch.arange(PANELS + 1, device=kappa.device)).clamp_max(math.pi)
        self.mass, cosines = self._integrals(self.edges[:, :-1], self.width)
        self.mean = cosines.sum(-1, keepdim=True) / self.mass.sum(-1, keepdim=True)
        self.tilt = cosines - self.mean * self.mass

    def log_f(self, half_sine: Tensor, sine: Tensor, axes: int = 2) -> Tensor:
        """log f, 0 at the mode, from sin θ/2 and sin θ with this many axes; κ's own is the first."""
        kappa, mode = (number.view(-1, *[1] * (axes - 1)) for number in (self.kappa, self.mode))
        log_ratio = 2 * kappa * (torch.sin(0.5 * mode).square() - half_sine.square())
        return log_ratio + self.power * (sine / mode.sin()).log() if self.power else log_ratio

    def _integrals(self, start: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
        """∫ f and ∫ f cos from `start` over `length`, both `(rows, any)`."""
        theta = start.unsqueeze(-1) + length.unsqueeze(-1) * self.nodes
        half = torch.sin(0.5 * theta)
        sine = 2 * half * torch.cos(0.5 * theta)
        f = self.log_f(half, sine, 3).exp() * self.weights
        mass = f.sum(-1)
        return length * mass, length * (mass - 2 * (f * half.square()).sum(-1))

    def invert(self, u: Tensor) -> tuple[Tensor, Tensor]:
        totals = self.mass.cumsum(-1)
        target = u * totals[:, -1:]
        place = torch.searchsorted(totals, target).clamp_max(PANELS - 1)
        start, mass = self.edges.gather(1, place), self.mass.gather(1, place)
        rest = (target - (totals - self.mass).gather(1, place)).clamp_min(0)
        part = self._guess(place, (rest / mass).clamp(0, 1))
        for _ in range(STEPS):
            part = part.clamp(1e-15, 1)
            theta = (start + self.width * part).clamp_max(math.pi)
            newton = (self._integrals(start, self.width * part)[0] - rest) / self._f(theta)
            bend = 0.5 * newton * (self.power * theta.cos() / theta.sin() - self.kappa * theta.sin())
            part = part - newton / (1 - bend).clamp(0.5, 2) / self.width
        theta = (start + self.width * part.clamp(1e-15, 1)).clamp_max(math.pi)
        return theta, self._slope(theta, start, place, u)

    def _f(self, theta: Tensor) -> Tensor:
        return self.log_f(torch.sin(0.5 * theta), theta.sin()).exp().clamp_min(torch.finfo(theta.dtype).tiny)

    def _guess(self, place: Tensor, share: Tensor) -> Tensor:
        """Where in its panel a share of its mass is reached, were f exponential there, or a power at 0 and π."""
        heights = self.log_f(torch.sin(0.5 * self.edges), self.edges.sin())
        rise = heights.diff(dim=-1).clamp(-MAX_RISE, MAX_RISE).gather(1, place)
        rise = torch.where(rise.abs() < 1e-6, 1e-6, rise)
        part = torch.log1p(share * torch.expm1(rise)) / rise
        if self.power:
            at_zero, at_pi = (self.low == 0) & (place == 0), (self.high == math.pi) & (place == PANELS - 1)
            part = torch.where(at_zero, share ** (1 / (self.power + 1)), part)
            part = torch.where(at_pi, 1 - (1 - share) ** (1 / (self.power + 1)), part)
        return part

    def _slope(self, theta: Tensor, start: Tensor, place: Tensor, u: Tensor) -> Tensor:
        """−(∂F/∂κ)/f, the integral taken from the nearer end: from the other one it cancels."""
        mass, cosines = self._integrals(start, theta - start)
        inside = cosines - self.mean * mass
        before = (self.tilt.cumsum(-1) - self.tilt).gather(1, place)
        after = self.tilt.flip(-1).cumsum(-1).flip(-1).gather(1, place)
        return -torch.where(u < 0.5, before + inside, inside - after) / self._f(theta)
