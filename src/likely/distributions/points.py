"""One of finitely many points."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import register_kl

from likely.distributions.latent import Draws, Index, LatentDistribution

__all__ = ["Points"]


class Points(LatentDistribution):
    r"""P(z = z_n) = w_n, w = softmax(logits), for N points z_n of R^latent: log P(z_n) = log w_n, in nats.

    The measure is counting; what is none of the points has log P = −∞. The points are different from each other. Draws
    carry no gradient of the weights.

    Parameters
    ----------
    points
        z_n, `(points, latent)`.
    logits
        `(*batch, points)`.

    """

    has_rsample, convex = False, False

    def __init__(self, points: Tensor, logits: Tensor) -> None:
        self.points, self.logits = points, logits
        super().__init__(logits.shape[:-1], points.shape[-1:], validate_args=False)

    @property
    def like(self) -> Tensor:
        return self.points

    @property
    def noise_size(self) -> int:
        return 1

    @property
    def noise_moves(self) -> tuple[bool, ...]:
        return (False,)

    @cached_property
    def log_total(self) -> Tensor:
        """log Σ_n exp(logits_n): `(*batch,)`."""
        return torch.logsumexp(self.logits, -1)

    @cached_property
    def log_weights(self) -> Tensor:
        """log w_n: `(*batch, points)`; all equal where no point has any weight."""
        return F.log_softmax(self.logits.clamp_min(torch.finfo(self.logits.dtype).min / 2), -1)

    @cached_property
    def weights(self) -> Tensor:
        """w_n: `(*batch, points)`."""
        return self.log_weights.exp()

    def expect(self, values: Tensor) -> Tensor:
        """E g(z) = Σ_n w_n g(z_n) of g's values `(*batch, points)`: `(*batch,)`; what has no weight does not count."""
        return (self.weights * values.clamp_min(torch.finfo(values.dtype).min / 2)).sum(-1)

    @property
    def mean(self) -> Tensor:
        """Σ_n w_n z_n: no point itself."""
        return self.weights.to(self.points.dtype) @ self.points

    @property
    def mode(self) -> Tensor:
        """The point of the greatest weight."""
        return self.points[self.logits.argmax(-1)]

    @property
    def variance(self) -> Tensor:
        weights, points = self.weights.to(torch.float64), self.points.to(torch.float64)
        squares = weights @ points.square() - (weights @ points).square()
        return squares.clamp_min(0).to(self.points.dtype)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Points:
        return Points(self.points, self.logits.expand(*torch.Size(batch_shape), -1))

    def at(self, index: Index) -> Points:
        return Points(self.points, self.logits[index])

    def chosen(self, noise: Tensor) -> Tensor:
        """Numbers of the points that noise `(*sample, *batch, 1)` draws, by the inverse of the distribution function.

        `(*sample, *batch)`: from n with w_1 + ... + w_(n−1) < Φ(noise) <= w_1 + ... + w_n.
        """
        u = torch.special.ndtr(noise[..., 0].detach().to(torch.float64))
        totals = self.weights.detach().to(torch.float64).cumsum(-1)
        u = u * totals[..., -1]
        if not self.batch_shape:
            return torch.searchsorted(totals, u).clamp_max(len(self.points) - 1)
        flat = u.reshape(-1, self.batch_shape.numel()).T.contiguous()
        places = torch.searchsorted(totals.reshape(len(flat), -1), flat).clamp_max(len(self.points) - 1)
        return places.T.reshape(u.shape)

    def from_noise(self, noise: Tensor) -> Tensor:
        """The point that the noise chooses."""
        return self.points[self.chosen(noise)]

    def log_prob_of(self, numbers: Tensor) -> Tensor:
        """log w_n of the points with these numbers: `(*sample, *batch)` twice."""
        lead = numbers.dim() - len(self.batch_shape)
        table = self.log_weights.expand(*numbers.shape[:lead], *self.log_weights.shape)
        return table.gather(-1, numbers.unsqueeze(-1)).squeeze(-1)

    def sample_with_log_prob(
        self, k: int = 1, *, generator: torch.Generator | None = None, noise: Tensor | None = None
    ) -> Draws:
        """Draws, whose log-probabilities are looked up by the numbers of the points."""
        noise = self.noise(torch.Size((k,)), generator) if noise is None else noise
        numbers = self.chosen(noise)
        return Draws(self.points[numbers], lambda: self.log_prob_of(numbers))

    def log_prob(self, value: Tensor) -> Tensor:
        lead = torch.broadcast_shapes(value.shape[:-1], self.batch_shape)
        found = self._number_of(value).expand(lead)
        each = self.log_prob_of(found.clamp_min(0))
        return torch.where(found >= 0, each, -math.inf)

    def _number_of(self, value: Tensor) -> Tensor:
        """Which point each value is, −1 where it is none: `(*lead,)`; by its first number, then by all."""
        order = self.points[:, 0].argsort(stable=True)
        ordered = self.points[order].detach()
        first = ordered[:, 0].contiguous()
        most = int(torch.unique_consecutive(first, return_counts=True)[1].max())
        place = torch.searchsorted(first, value[..., 0].detach().contiguous())
        found = torch.full_like(place, -1)
        for step in range(most):
            here = (place + step).clamp_max(len(first) - 1)
            found = torch.where((ordered[here] == value).all(-1), order[here], found)
        return found

    def entropy(self) -> Tensor:
        return -self.expect(self.log_weights)


def kl_points(q: Points, p: Points) -> Tensor:
    """D[q‖p] = Σ_n w_n (log w_n − log v_n), in nats, of two distributions over the same points.

    Raises
    ------
    NotImplementedError
        If the points are others: no sum over one of them is the divergence.

    """
    if q.points is not p.points and not torch.equal(q.points, p.points):
        raise NotImplementedError
    return q.expect(q.log_weights - p.log_weights)


register_kl(Points, Points)(kl_points)
