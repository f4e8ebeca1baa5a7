"""The VampPrior: Q of learned pseudo-inputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from likely.data.batch import completed
from likely.distributions import LatentMixture
from likely.priors.base import Encode, FromPosterior

__all__ = ["Vamp"]


class Vamp(FromPosterior):
    """P(z) = (1/K) Σ_k Q(z|u_k), u_k learned pseudo-inputs (Tomczak and Welling 2018, VAE with a VampPrior).

    u_k = start_k + scale · move_k: a training row, and a learned move in units of each cell's deviation, so that the
    step of the optimiser means the same in every column. The moves are not bounded. A cell that the encoder reads as a
    code passes no gradient and stays what it was. A pseudo-input lacks the cells that its first row lacks.

    z is whatever Q's z is: real, a unit vector or a code.

    With a posterior whose density at an arbitrary z takes many passes (`iaf`), every step does too; take `coupling`.

    Parameters
    ----------
    dim
        Dimension of z.
    event_shape
        Shape of a row's values.
    components
        K.
    dtype
        Type of the values that Q is given: float64 for tables.
    covariates
        Columns of y in a model of P(x|y): a pseudo-input keeps the y of the row that it started from.
    missing
        Whether cells of training rows may be missing.

    """

    space = None
    start: Tensor
    scale: Tensor
    zeros: Tensor
    covariates: Tensor | None
    observed: Tensor | None

    def __init__(
        self,
        dim: int,
        event_shape: tuple[int, ...],
        components: int = 500,
        dtype: torch.dtype = torch.float32,
        covariates: int = 0,
        missing: bool = False,
    ) -> None:
        super().__init__()
        self.event_shape, self.dtype = torch.Size((dim,)), dtype
        self.register_buffer("start", torch.zeros(components, *event_shape, dtype=dtype))
        self.register_buffer("scale", torch.ones(event_shape, dtype=dtype))
        self.register_buffer("zeros", torch.zeros(components), persistent=False)
        self.move = nn.Parameter(torch.zeros(components, *event_shape))
        self.register_buffer("covariates", torch.zeros(components, covariates, dtype=dtype) if covariates else None)
        mask = torch.ones(components, *event_shape, dtype=torch.bool) if missing else None
        self.register_buffer("observed", mask)

    @torch.no_grad()
    def initialise(self, values: Tensor, covariates: Tensor | None = None, observed: Tensor | None = None) -> None:
        """Start the pseudo-inputs at rows evenly spaced among these `(rows, *event)`."""
        count = len(self.start)
        chosen = torch.arange(count, device=values.device) * len(values) // count
        self.start.copy_(values[chosen])
        self.scale.copy_(completed(values, observed).to(torch.float64).std(0, correction=0))
        self.move.zero_()
        if self.covariates is not None and covariates is not None:
            self.covariates.copy_(covariates[chosen])
        if self.observed is not None and observed is not None:
            self.observed.copy_(observed[chosen])

    def forward(self, posterior: Encode, rows: Tensor | None = None) -> LatentMixture:  # noqa: ARG002
        """The distribution, over vectors `(dim,)`."""
        inputs = self.start + self.scale * self.move
        beside = {"covariates": self.covariates, "observed": self.observed}
        q = posterior(inputs, **{name: part for name, part in beside.items() if part is not None})
        return LatentMixture(self.zeros, q)
