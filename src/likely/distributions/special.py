"""Special functions that torch lacks, or that lose digits where distributions are extreme."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["HALF_LOG_TWO_PI", "betainc", "stirling"]

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
MIN_SIZE = 1e-300  # in the place of 0 in a continued fraction (Lentz)


def stirling(log_k: Tensor) -> Tensor:
    """S(k) = k log k − k − log Γ(k), from log k: finite, with finite gradients, for every k from 0 to infinity.

    Writing log Γ(k) as k log k − k − S(k) lets the large terms of a log-density cancel on paper instead of in the
    machine. Below 30, log Γ(k) = log Γ(1 + k) − log k; above it the series of Abramowitz and Stegun 1964, 6.1.41.
    """
    border = math.log(30.0)
    small, large = log_k.clamp_max(border), log_k.clamp_min(border)
    k, inverse = small.exp(), (-large).exp()
    near = (1 + k) * small - k - torch.lgamma(1 + k)
    square = inverse.square()
    far = 0.5 * large - HALF_LOG_TWO_PI - inverse * (1 / 12 - square * (1 / 360 - square / 1260))
    return torch.where(log_k < border, near, far)


@torch.no_grad()
def betainc(a: Tensor, b: Tensor, x: Tensor, rest: Tensor) -> Tensor:
    """The regularised incomplete beta function I_x(a, b), rest = 1 − x, in float64 and without gradients.

    By the continued fraction of DLMF 8.17.22 with the modified Lentz method, after the reflection
    I_x(a, b) = 1 − I_{1−x}(b, a) where that converges faster.
    """
    wide = torch.broadcast_tensors(a.double(), b.double(), x.double(), rest.double())
    a, b, x, rest = wide
    swap = x > (a + 1) / (a + b + 2)
    a, b, x, rest = (torch.where(swap, other, own) for own, other in zip((a, b, x, rest), (b, a, rest, x), strict=True))
    log_front = a * x.log() + b * rest.log() + torch.lgamma(a + b) - torch.lgamma(a) - torch.lgamma(b)
    value = log_front.exp() / a * _fraction(a, b, x)
    return torch.where(swap, 1 - value, value).clamp(0, 1)


def _fraction(a: Tensor, b: Tensor, x: Tensor, most: int = 10_000) -> Tensor:
    c = torch.ones_like(x)
    d = 1 / _nonzero(1 - (a + b) * x / (a + 1))
    total = d
    for m in range(1, most):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _nonzero(1 + term * d)
            c = _nonzero(1 + term / c)
            total = total * d * c
        if ((d * c - 1).abs() < 1e-14).all():
            break
    return total


def _nonzero(x: Tensor) -> Tensor:
    return torch.where(x.abs() < MIN_SIZE, torch.full_like(x, MIN_SIZE), x)
