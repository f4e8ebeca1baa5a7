"""A density in standardised units, as the density in data units that it stands for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, Normal

from likely.distributions.cell_mixture import Mixture
from likely.distributions.truncated import Truncated
from likely.distributions.univariate import Univariate

__all__ = ["Frame", "Rescaled"]

MAX_STANDARDISED = 1e15  # whose square float32 holds


class Frame:
    """The change of variables x = shift + scale y between data units x and standardised units y.

    Centring happens in x's own precision (float64 for tables) and is cast afterwards, so that a column of large values
    and small differences loses nothing.

    Parameters
    ----------
    shift, scale
        float64, scalar or `(*event)`; scale is positive.

    """

    def __init__(self, shift: Tensor, scale: Tensor) -> None:
        self.shift, self.scale = shift, scale

    def inward(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Data units to standardised units, kept within ±1e15, where squares still fit into float32."""
        if x.dtype != torch.float64:
            return (x.to(dtype) - self.shift.to(dtype)) / self.scale.to(dtype)
        return ((x - self.shift) / self.scale).clamp(-MAX_STANDARDISED, MAX_STANDARDISED).to(dtype)

    def outward(self, y: Tensor) -> Tensor:
        """Standardised units to data units, in float64."""
        return self.shift + self.scale * y.to(torch.float64)


class Rescaled(Distribution):
    """x = shift + scale y, y ~ base, per cell: log p(x) = log p_base((x − shift)/scale) − log scale, in nats.

    Parameters
    ----------
    base
        A univariate density per cell, in standardised units.
    frame
        The change of variables.

    """

    arg_constraints = {}  # noqa: RUF012

    def __init__(self, base: Univariate | Mixture | Truncated | Normal, frame: Frame) -> None:
        self.has_rsample = base.has_rsample
        self.base, self.frame = base, frame
        super().__init__(base.batch_shape, base.event_shape, validate_args=False)

    @property
    def support(self) -> Any:
        """The base's support (the frame maps the real line onto itself)."""
        return self.base.support

    @property
    def mean(self) -> Tensor:
        return self.frame.outward(self.base.mean)

    @property
    def mode(self) -> Tensor:
        return self.frame.outward(self.base.mode)

    @property
    def variance(self) -> Tensor:
        return self.base.variance.to(torch.float64) * self.frame.scale.square()

    def expand(self, batch_shape: Any, _instance: Any = None) -> Rescaled:
        return Rescaled(self.base.expand(torch.Size(batch_shape)), self.frame)

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:
        return self.frame.outward(self.base.rsample(torch.Size(sample_shape)))

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        with torch.no_grad():
            return self.frame.outward(self.base.sample(torch.Size(sample_shape)))

    @property
    def dtype(self) -> torch.dtype:
        """The type in which the base reads values: its own `dtype`, else its mean's."""
        return self.base.loc.dtype if isinstance(self.base, Normal) else self.base.dtype

    def log_prob(self, value: Tensor) -> Tensor:
        inner = self.base.log_prob(self.frame.inward(value, self.dtype))
        return inner - self.frame.scale.log().to(inner.dtype)

    def cdf(self, value: Tensor) -> Tensor:
        return self.base.cdf(self.frame.inward(value, self.dtype))
