"""A mixture of logistics on an axis, per cell: what the distributions of numeric columns are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from likely.distributions.cell_mixture import choose
from likely.distributions.log_mixture import log_mixture, log_shares
from likely.distributions.univariate import uniform

__all__ = ["OPEN", "Logistics"]

OPEN = 1e20  # where an open edge lies on the axis: its logistic functions are 0 and 1, with finite gradients
MIN_SHARE = 1e-300  # whose logit is finite
TRACED_KINKS = 16  # of a piecewise linear function that are one step of a traced graph, which has a node for each step


@dataclass(frozen=True, eq=False)
class Logistics:
    """F(y) = Σ_k w_k σ((y − m_k)/s_k), w = softmax(logits), per cell; logarithms in nats.

    Parameters
    ----------
    logits, loc, log_scale
        log w_k but for a constant, m_k and log s_k: `(*batch, *event, components)`.

    """

    logits: Tensor
    loc: Tensor
    log_scale: Tensor

    @property
    def dtype(self) -> torch.dtype:
        """The type in which it is computed."""
        return self.loc.dtype

    @property
    def shape(self) -> torch.Size:
        """`(*batch, *event)`."""
        return self.loc.shape[:-1]

    def expand(self, batch_shape: Any) -> Logistics:
        """The same distribution for more rows."""
        shape = torch.Size((*batch_shape, self.loc.shape[-1]))
        return Logistics(*(part.expand(shape) for part in (self.logits, self.loc, self.log_scale)))

    def at(self, y: Tensor) -> Tensor:
        """(y − m_k)/s_k, from float64 to the parameters' type."""
        return (y.to(self.dtype).unsqueeze(-1) - self.loc) * (-self.log_scale).exp()

    def log_density(self, y: Tensor) -> Tensor:
        """log F'(y)."""
        return log_mixture(self._parameters, (y.to(self.dtype).unsqueeze(-1),))

    def log_mass(self, lower: Tensor, upper: Tensor, width: Tensor) -> Tensor:
        """log(F(upper) − F(lower)), without cancellation.

        With b_k, a_k the arguments of σ at the edges, a component has log σ(b) + log σ(−a) + log(1 − exp(a − b)), and
        b − a is the width (upper − lower, in float64) over s_k.
        """
        return log_mixture(self._parameters, tuple(one.to(self.dtype).unsqueeze(-1) for one in (lower, upper, width)))

    @property
    def _parameters(self) -> tuple[Tensor, Tensor, Tensor]:
        return log_shares(self.logits), self.loc, self.log_scale

    def log_parts(self, lower: Tensor, upper: Tensor, width: Tensor) -> Tensor:
        """Each component's log-mass between two places: `(*batch, *event, components)`."""
        narrow = width.to(self.dtype).unsqueeze(-1) * (-self.log_scale).exp()
        inner = torch.log(-torch.expm1(-narrow.clamp_min(torch.finfo(self.dtype).tiny)))
        return F.logsigmoid(self.at(upper)) + F.logsigmoid(-self.at(lower)) + inner

    def below(self, y: Tensor) -> Tensor:
        """F(y)."""
        return (torch.softmax(self.logits, -1) * torch.sigmoid(self.at(y))).sum(-1)

    def sample(self, shape: torch.Size) -> Tensor:
        """Draws `(*shape)`, float64, without gradient."""
        with torch.no_grad():
            loc, log_scale = self._chosen(F.log_softmax(self.logits, -1), shape)
            u = uniform(shape, self.loc)
            return loc + log_scale.exp() * (torch.log(u) - torch.log1p(-u))

    def sample_between(self, shape: torch.Size, lower: Tensor, upper: Tensor) -> Tensor:
        """Draws of y given lower <= y <= upper: `(*shape)`, float64; a component counts by its mass there."""
        with torch.no_grad():
            weights = F.log_softmax(self.logits, -1) + self.log_parts(lower, upper, upper - lower)
            loc, log_scale = self._chosen(weights, shape)
            return _between(loc, log_scale, uniform(shape, self.loc), lower, upper)

    def between(self, u: Tensor, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
        """Each component's quantile at u given lower <= y <= upper, and the components' weights there.

        Returns
        -------
        y `(*batch, *event, components)` float64, and weights of the same shape that sum to 1.

        """
        weights = torch.softmax(F.log_softmax(self.logits, -1) + self.log_parts(lower, upper, upper - lower), -1)
        ends = lower.unsqueeze(-1), upper.unsqueeze(-1)
        return _between(self.loc.double(), self.log_scale.double(), u, *ends), weights

    def _chosen(self, log_weights: Tensor, shape: torch.Size) -> tuple[Tensor, Tensor]:
        chosen, wide = choose(log_weights, shape), (*shape, self.loc.shape[-1])
        loc, log_scale = (part.expand(wide).gather(-1, chosen)[..., 0] for part in (self.loc, self.log_scale))
        return loc.double(), log_scale.double()

    def expect(self, y: Tensor, values: Tensor) -> Tensor:
        """E g(Y) of the piecewise linear g with these values at the nodes y, both `(columns, nodes)`: float64.

        Y ~ Logistic(m, s) has E max(Y − c, 0) = s softplus((m − c)/s); g is the sum of a line and of such kinks.
        """
        loc, scale = self.loc.double(), self.log_scale.double().exp()
        slopes = torch.where(y.diff() > 0, values.diff() / y.diff(), 0)
        total = values[:, :1] + slopes[:, :1] * (loc - y[:, :1])
        block = TRACED_KINKS if torch.compiler.is_compiling() else 1
        loc, scale = loc.unsqueeze(-1), scale.unsqueeze(-1)
        for place, change in zip(y[:, 1:-1].split(block, 1), slopes.diff().split(block, 1), strict=True):
            kinks = change.unsqueeze(1) * scale * F.softplus((loc - place.unsqueeze(1)) / scale)
            total = total + kinks.sum(-1)
        return (torch.softmax(self.logits, -1).double() * total).sum(-1)


def _between(loc: Tensor, log_scale: Tensor, u: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """The quantile at u of a logistic given lower <= y <= upper, taken in its lower tail, where σ keeps its digits."""
    a, b = ((end.double() - loc) * (-log_scale).exp() for end in (lower, upper))
    flip = a + b > 0
    low, high = torch.where(flip, -b, a), torch.where(flip, -a, b)
    share = torch.where(flip, 1 - u, u)
    p = (torch.sigmoid(low) + share * (torch.sigmoid(high) - torch.sigmoid(low))).clamp(MIN_SHARE, 1 - 1e-16)
    y = torch.log(p) - torch.log1p(-p)
    return (loc + log_scale.exp() * torch.where(flip, -y, y)).clamp(lower, upper)
