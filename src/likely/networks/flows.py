"""Invertible maps of vectors, from zuko."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Transform

from likely.errors import ConfigError

__all__ = ["Kind", "Steps"]

Kind = Literal["coupling", "spline", "autoregressive"]


class Steps(nn.Module):
    """A chain of invertible maps; its call makes the transform, given a context `(*batch, context)` or nothing.

    `coupling`: half of the coordinates are scaled and shifted given the others (Dinh, Sohl-Dickstein, Bengio 2017,
    section 3.2); both ways cost one pass. `autoregressive`: each coordinate is scaled and shifted given those
    before it (Papamakarios, Pavlakou, Murray 2017, section 3.1); one pass forth, `dim` passes back. `spline`: the same
    with monotonic rational-quadratic splines on [−5, 5] (Durkan et al. 2019, equation 4).

    The maps start near the identity.

    Parameters
    ----------
    dim
        Length of the vectors.
    kind, steps
        Which map, and how many of them.
    context
        Length of the context.
    hidden
        Widths of the networks inside.

    """

    def __init__(
        self, dim: int, kind: Kind = "coupling", steps: int = 3, context: int = 0, hidden: Sequence[int] = (64, 64)
    ) -> None:
        super().__init__()
        flows = _zuko()
        makers = {"coupling": flows.NICE, "spline": flows.NSF, "autoregressive": flows.MAF}
        if kind not in makers:
            raise ConfigError(f"unknown kind of flow {kind!r}; known: {', '.join(makers)}")
        if steps < 1:
            raise ConfigError(f"a flow needs at least one step, got {steps}")
        flow = makers[kind](dim, context, transforms=steps, hidden_features=tuple(hidden), activation=nn.ELU)
        self.transform: nn.Module = flow.transform
        self._start()

    @torch.no_grad()
    def _start(self) -> None:
        for module in self.transform.modules():
            if isinstance(module, nn.Sequential):
                last: Any = module[-1]
                last.weight.mul_(0.1)
                last.bias.mul_(0.1)
            elif isinstance(module, nn.ParameterList):
                for weight in module:
                    weight.mul_(0.1)

    def forward(self, context: Tensor | None = None) -> Transform:
        """The map; `.inv` is its inverse, `call_and_ladj(x)` the image and log|det| `(*batch,)`."""
        transform: Transform = self.transform(context)
        return transform


def _zuko() -> Any:
    """zuko's flows; its import switches off torch's argument validation for everyone, which is put back."""
    kept = Distribution.__dict__["_validate_args"], Distribution.__dict__["arg_constraints"]
    try:
        import zuko.flows
    finally:
        Distribution._validate_args, Distribution.arg_constraints = kept  # type: ignore[method-assign]
    return zuko.flows
