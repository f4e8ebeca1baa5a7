"""Distributions on the real line."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from likely.distributions.special import HALF_LOG_TWO_PI, betainc, stirling
from likely.distributions.univariate import LocationScale, Univariate

__all__ = ["Gaussian", "Laplace", "Logistic", "StudentT"]


class Gaussian(LocationScale):
    """N(x; μ, σ²) = exp(−((x − μ)/σ)²/2) / (σ √(2π)); `loc` μ and `log_scale` log σ, `(*batch, *event)`.

    Source: Johnson, Kotz, Balakrishnan 1994, Continuous Univariate Distributions 1, chapter 13.
    """

    unit_deviation = 1.0

    @staticmethod
    def log_density(y: Tensor) -> Tensor:
        """−y²/2 − ½ log 2π."""
        return -0.5 * y.square() - HALF_LOG_TWO_PI

    @staticmethod
    def log_lower(y: Tensor) -> Tensor:
        """log Φ(y); below −100, where torch's gradient fails, by Abramowitz and Stegun 1964, 26.2.12."""
        far = y.clamp_max(-100)
        inverse = far.square().reciprocal()
        tail = -0.5 * far.square() - torch.log(-far) - HALF_LOG_TWO_PI + torch.log1p(-inverse * (1 - 3 * inverse))
        tail_log: Tensor = torch.where(y < -100, tail, torch.special.log_ndtr(y.clamp_min(-100)))
        return tail_log

    @staticmethod
    def quantile(u: Tensor) -> Tensor:
        """Φ⁻¹(u)."""
        x: Tensor = torch.special.ndtri(u)
        return x


class Laplace(LocationScale):
    """p(x) = exp(−|x − μ|/s) / (2s); `loc` μ and `log_scale` log s, `(*batch, *event)`.

    Source: Johnson, Kotz, Balakrishnan 1995, Continuous Univariate Distributions 2, chapter 24.
    """

    unit_deviation = math.sqrt(2)

    @staticmethod
    def log_density(y: Tensor) -> Tensor:
        """−|y| − log 2."""
        return -y.abs() - math.log(2)

    @staticmethod
    def log_lower(y: Tensor) -> Tensor:
        """y − log 2 on the left, log(1 − e^−y / 2) on the right."""
        return torch.where(y < 0, y.clamp_max(0) - math.log(2), torch.log1p(-0.5 * torch.exp(-y.clamp_min(0))))

    @staticmethod
    def quantile(u: Tensor) -> Tensor:
        """log 2u on the left, −log 2(1 − u) on the right."""
        lower, upper = torch.log(2 * u.clamp_max(0.5)), -torch.log(2 * (1 - u.clamp_min(0.5)))
        return torch.where(u < 0.5, lower, upper)


class Logistic(LocationScale):
    """p(x) = e^−y / (s (1 + e^−y)²), y = (x − μ)/s; `loc` μ and `log_scale` log s, `(*batch, *event)`.

    Source: Johnson, Kotz, Balakrishnan 1995, Continuous Univariate Distributions 2, chapter 23.
    """

    unit_deviation = math.pi / math.sqrt(3)

    @staticmethod
    def log_density(y: Tensor) -> Tensor:
        """−softplus(y) − softplus(−y)."""
        return -F.softplus(y) - F.softplus(-y)

    @staticmethod
    def log_lower(y: Tensor) -> Tensor:
        """−softplus(−y)."""
        return F.logsigmoid(y)

    @staticmethod
    def quantile(u: Tensor) -> Tensor:
        """log u − log(1 − u)."""
        return torch.log(u) - torch.log1p(-u)


class StudentT(Univariate):
    """p(x) = Γ((ν+1)/2) / (Γ(ν/2) √(πν) s) · (1 + y²/ν)^−(ν+1)/2, y = (x − μ)/s, per cell, Lebesgue measure.

    Source: Lange, Little, Taylor 1989, Robust statistical modeling using the t distribution.

    Parameters
    ----------
    loc, log_scale, log_df
        μ, log s and log ν, `(*batch, *event)`.

    """

    has_rsample = True

    def __init__(self, loc: Tensor, log_scale: Tensor, log_df: Tensor) -> None:
        super().__init__(loc, log_scale, log_df)
        self.loc, self.log_scale, self.log_df = self.parameters

    @property
    def mean(self) -> Tensor:
        """The centre μ, which is the mean where ν > 1."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        """s² ν/(ν − 2); infinite for ν <= 2."""
        df = self.log_df.exp()
        finite = (2 * self.log_scale).exp() * df / (df - 2).clamp_min(1e-12)
        return torch.where(df > 2, finite, torch.full_like(df, math.inf))

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:
        shape = self._extended_shape(torch.Size(sample_shape))
        half = (0.5 * self.log_df.exp()).expand(shape)
        noise = torch.randn(shape, dtype=self.dtype, device=self.loc.device)
        ratio = torch._standard_gamma(half).clamp_min(torch.finfo(self.dtype).tiny) / half
        return self.loc + self.log_scale.exp() * noise * ratio.rsqrt()

    def log_prob(self, value: Tensor) -> Tensor:
        df, half = self.log_df.exp(), 0.5 * self.log_df.exp()
        y = (value - self.loc) * (-self.log_scale).exp()
        # log Γ(h + ½) − log Γ(h), h = ν/2, with the large terms cancelled on paper.
        upper = torch.log(half + 0.5)
        gammas = half * torch.log1p(0.5 / half) + 0.5 * upper - 0.5
        gammas = gammas - stirling(upper) + stirling(self.log_df - math.log(2))
        front = gammas - 0.5 * (self.log_df + math.log(math.pi)) - self.log_scale
        return front - (half + 0.5) * torch.log1p(y.square() / df)

    def cdf(self, value: Tensor) -> Tensor:
        df = self.log_df.double().exp()
        y = (value.double() - self.loc) * (-self.log_scale.double()).exp()
        x = df / (df + y.square())
        tail = 0.5 * betainc(0.5 * df, torch.full_like(df, 0.5), x, y.square() / (df + y.square()))
        return torch.where(y > 0, 1 - tail, tail).to(self.dtype)
