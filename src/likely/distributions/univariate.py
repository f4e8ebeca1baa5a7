"""Distributions of one cell: parameters that broadcast, and families of location and scale."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

__all__ = ["LocationScale", "Univariate", "uniform"]


def uniform(shape: torch.Size, like: Tensor) -> Tensor:
    """Uniform numbers in float64, kept off 0 and 1, where a quantile may be infinite."""
    return torch.rand(shape, dtype=torch.float64, device=like.device).clamp(1e-15, 1 - 1e-15)


class Univariate(Distribution):
    """One distribution per cell: the parameters broadcast to `(*batch, *event)`, and `log_prob` is per cell, in nats.

    Everything is computed in the parameters' type. Families with gamma functions are meant to be given float64 ones.
    """

    arg_constraints = {}  # noqa: RUF012
    support: Any = constraints.real

    def __init__(self, *parameters: Tensor) -> None:
        self.parameters: tuple[Tensor, ...] = tuple(torch.broadcast_tensors(*parameters))
        super().__init__(self.parameters[0].shape, validate_args=False)

    @property
    def dtype(self) -> torch.dtype:
        """The type in which values are read."""
        return self.parameters[0].dtype

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        return type(self)(*(parameter.expand(torch.Size(batch_shape)) for parameter in self.parameters))


class LocationScale(Univariate):
    """The distribution of x = μ + s y: log p(x) = log f((x − μ)/s) − log s, where f is even. Nats, Lebesgue measure.

    Parameters
    ----------
    loc, log_scale
        μ and log s, `(*batch, *event)`.

    """

    has_rsample = True
    unit_deviation: ClassVar[float]

    def __init__(self, loc: Tensor, log_scale: Tensor) -> None:
        super().__init__(loc, log_scale)
        self.loc, self.log_scale = self.parameters

    @staticmethod
    @abstractmethod
    def log_density(y: Tensor) -> Tensor:
        """log f(y)."""

    @staticmethod
    @abstractmethod
    def log_lower(y: Tensor) -> Tensor:
        """log F(y), exact in the lower tail."""

    @staticmethod
    @abstractmethod
    def quantile(u: Tensor) -> Tensor:
        """The inverse of F, for u in (0, 1)."""

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return (self.unit_deviation * self.log_scale.exp()).square()

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:
        y = self.quantile(uniform(self._extended_shape(torch.Size(sample_shape)), self.loc))
        return self.loc + self.log_scale.exp() * y.to(self.dtype)

    def standardise(self, value: Tensor) -> Tensor:
        """(x − μ)/s."""
        return (value - self.loc) * (-self.log_scale).exp()

    def log_prob(self, value: Tensor) -> Tensor:
        return self.log_density(self.standardise(value)) - self.log_scale

    def cdf(self, value: Tensor) -> Tensor:
        return self.log_lower(self.standardise(value)).exp()

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc + self.log_scale.exp() * self.quantile(value)
