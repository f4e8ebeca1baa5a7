"""The normalising constant and the mean cosine of the von Mises-Fisher distribution."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

__all__ = ["log_area", "log_mean_exp"]

MIN_ORDER, DEGREES = 20.0, 10  # from which the series in 1/order is exact in float64; terms of it


def log_area(dim: int) -> float:
    """log of the surface of the unit sphere in R^dim: log 2 + dim/2 log π − log Γ(dim/2)."""
    return math.log(2) + 0.5 * dim * math.log(math.pi) - math.lgamma(0.5 * dim)


def log_mean_exp(dim: int, kappa: Tensor) -> tuple[Tensor, Tensor]:
    r"""log M and its derivative A, M(κ) the mean of exp(κ w) over unit vectors of R^dim, w their first coordinate.

    With ν = dim/2 − 1: M = Γ(ν + 1) (2/κ)^ν I_ν(κ) and A = I_{ν+1}(κ)/I_ν(κ), the mean of w under the distribution
    ∝ exp(κ w) (Mardia and Jupp 2000, section 9.3.2). No term overflows, and none cancels: at an order n ≥ 20 by the
    expansion that is uniform in κ (DLMF 10.41.3), from there down by r_{k−1} = κ/(2k + κ r_k), r_k = I_{k+1}/I_k
    (DLMF 10.29.1), and M_{k−1} = M_k (1 + κ r_k/2k).

    Parameters
    ----------
    dim
        Dimension of the space, 2 or more.
    kappa
        κ > 0, in any shape.

    Returns
    -------
    log M, A
        Of κ's shape, float64. The gradient of log M is A; A's runs through the recursion.

    """
    kappa = kappa.to(torch.float64)
    order = 0.5 * dim - 1
    steps = max(0, math.ceil(MIN_ORDER - order))
    log_m, ratio = _large_order(order + steps, kappa)
    for k in range(steps, 0, -1):
        twice = 2 * (order + k)
        log_m = log_m + torch.log1p(kappa.detach() * ratio.detach() / twice)
        ratio = kappa / (twice + kappa * ratio)
    if kappa.requires_grad:
        log_m = log_m + ratio.detach() * (kappa - kappa.detach())
    return log_m, ratio


def _large_order(n: float, kappa: Tensor) -> tuple[Tensor, Tensor]:
    """log M without gradient, and I_{n+1}(κ)/I_n(κ) with one.

    With x = κ/n, s = √(1 + x²), t = s − 1, and S(p) = Σ_k U_k(p)/n^k:
    log M = n (t − log(1 + t/2)) − ½ log s + log S(1/s) − log S(1).
    """
    x = kappa / n
    s = torch.sqrt(1 + x.square())
    series = sum((u / n**k for k, u in enumerate(_debye())), np.polynomial.Polynomial([0.0]))
    value, slope = _polynomial(series, 1 / s), _polynomial(series.deriv(), 1 / s)
    ratio = x / (1 + s) - x / (n * s.square()) * (0.5 + slope / (value * s))
    with torch.no_grad():
        t = x.square() / (1 + s)
        return n * (t - torch.log1p(0.5 * t)) - 0.5 * torch.log1p(t) + value.log() - math.log(series(1.0)), ratio


def _polynomial(polynomial: np.polynomial.Polynomial, x: Tensor) -> Tensor:
    value = torch.zeros_like(x)
    for coefficient in reversed(polynomial.coef):
        value = value * x + float(coefficient)
    return value


@cache
def _debye() -> tuple[np.polynomial.Polynomial, ...]:
    """U_0, ..., U_DEGREES by their recurrence (DLMF 10.41.9)."""
    polynomial = np.polynomial.Polynomial
    polynomials = [polynomial([1.0])]
    for _ in range(DEGREES):
        u = polynomials[-1]
        polynomials.append(polynomial([0, 0, 0.5, 0, -0.5]) * u.deriv() + (polynomial([0.125, 0, -0.625]) * u).integ())
    return tuple(polynomials)
