"""How far importance weights can be trusted: their effective number, and how heavy their tail is."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["Tail", "pareto_shape"]

MIN_SAMPLES = 25  # of a row, for a tail of five weights
MIN_LOG = -690.0  # whose exponential is a float64 above 0


class Tail:
    """Effective sample size and Pareto k̂ of weights w_k per row, from the sums and the M + 1 greatest of them.

    M = ⌈min(K/5, 3 √K)⌉ (Vehtari, Simpson, Gelman, Yao, Gabry 2024, Pareto smoothed importance sampling); the memory
    grows with M, not with K, and the chunks that samples come in change nothing beyond rounding.

    Parameters
    ----------
    samples, rows
        K, and the number of rows.
    device
        Where the weights are.

    """

    def __init__(self, samples: int, rows: int, device: torch.device) -> None:
        self.size = math.ceil(min(samples / 5, 3 * math.sqrt(samples))) if samples >= MIN_SAMPLES else 0
        self.sums, self.squares = (torch.full((rows,), -math.inf, dtype=torch.float64, device=device) for _ in range(2))
        self.top = torch.empty((rows, 0), dtype=torch.float64, device=device)
        self.rounding = 0.0

    def add(self, log_weight: Tensor) -> None:
        """Take in log-weights `(size, rows)`."""
        self.rounding = 8 * torch.finfo(log_weight.dtype).eps
        w = log_weight.to(torch.float64).T
        self.sums = torch.logaddexp(self.sums, torch.logsumexp(w, 1))
        self.squares = torch.logaddexp(self.squares, torch.logsumexp(2 * w, 1))
        if self.size:
            both = torch.cat([self.top, w], 1)
            self.top = torch.topk(both, min(self.size + 1, both.shape[1]), 1).values

    @property
    def ess(self) -> Tensor:
        """(Σ w)²/Σ w², 1 to K (Kong 1992): `(rows,)`; NaN where every weight is zero."""
        return torch.exp(2 * self.sums - self.squares)

    @property
    def pareto_k(self) -> Tensor:
        """The Pareto shape k̂ of each row's M greatest weights above the next: `(rows,)`.

        NaN where K < 25 or every weight is zero; −∞, no tail at all, where these weights are equal within rounding.
        Weights within rounding of the one they are measured from count as equal to it; a weight of zero among the M
        counts as the smallest of positive numbers, so that k̂ is large.
        """
        if not self.size:
            return torch.full_like(self.sums, math.nan)
        top, cut = self.top[:, :-1], self.top[:, -1:]
        best = top[:, :1]
        equal = top - cut <= self.rounding * best.abs().clamp_min(1)
        log_x = torch.where(top.isneginf(), MIN_LOG, top - best + torch.log(-torch.expm1(cut - top)))
        x = (log_x - log_x[:, :1]).clamp_min(MIN_LOG).exp().masked_fill(equal, 0)
        k = pareto_shape(x.flip(1))
        k = torch.where(equal.all(1), -math.inf, k)
        return torch.where(best[:, 0].isfinite(), k, math.nan)


def pareto_shape(excess: Tensor) -> Tensor:
    """Shape k of a generalised Pareto distribution, p(x) = (1 + k x/σ)^(−1/k − 1)/σ: `(rows, n)` -> `(rows,)`.

    The estimator of Zhang and Stephens (2009), whose k is minus this one: with θ = −k/σ, k(θ) = (1/n) Σ log(1 − θ x)
    and the profile log-likelihood l(θ) = n (log(−θ/k(θ)) − k(θ) − 1), θ̂ is the mean of
    θ_j = 1/x_max + (1 − √(m/(j − ½)))/(3 x*), j = 1, ..., m, weighted by exp l(θ_j), x* being the first quartile, and
    k = k(θ̂). As Vehtari et al. (2024) do: m = 30 + ⌊√n⌋, and k is drawn to ½ with the weight of ten observations,
    (n k + 5)/(n + 10).

    Parameters
    ----------
    excess
        x ≥ 0 in ascending order along the last axis, float64, the greatest one positive; ties at 0 are allowed.

    """
    n = excess.shape[1]
    x = excess / excess[:, -1:]
    points = 30 + math.isqrt(n)
    least = torch.where(x > 0, x, 1.0).amin(1, keepdim=True)
    quartile = torch.maximum(x[:, [math.floor(n / 4 + 0.5) - 1]], least)
    steps = torch.arange(points, dtype=x.dtype, device=x.device) + 0.5
    theta = 1 + (1 - torch.sqrt(points / steps)) / (3 * quartile)
    theta = torch.where(theta == 0, torch.finfo(x.dtype).eps, theta)
    k = torch.log1p(-theta[:, :, None] * x[:, None]).mean(-1)
    share = torch.softmax(n * (torch.log(-theta / k) - k - 1), 1)
    shape = torch.log1p(-(share * theta).sum(1, keepdim=True) * x).mean(-1)
    return (n * shape + 5) / (n + 10)
