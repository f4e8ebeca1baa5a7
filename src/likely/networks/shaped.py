"""Any module of the user's, with a stated shape of what it takes and gives per row."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from likely.errors import ConfigError
from likely.networks.base import Network
from likely.networks.probe import probe

__all__ = ["Shaped"]

Shape = tuple[int, ...]


class Shaped(Network):
    """Any module as a network of the model: `(*batch, inputs) -> (*batch, outputs)`, both flat.

    The module gets rows `(rows, *inputs)` in the type of its weights and gives `(rows, *outputs)`; rows in the stated
    shape, `(*batch, *inputs)`, are taken too, and without a last axis of one channel. It is tried once, with two rows
    of zeros, in evaluation mode, which leaves its mode, its buffers and torch's generator as they were.

    Parameters
    ----------
    module
        A module; an encoder's gives the posterior's parameters, a decoder's the likelihood's, as
        `(parameters per cell, *event)`. Batch normalisation in it couples rows in training.
    inputs, outputs
        Shapes of one row.
    channels_first
        Whether pictures are `(..., C, H, W)` in the module; elsewhere in this package they are `(..., H, W, C)`.
        It concerns each of the two shapes that has three axes or more.

    Attributes
    ----------
    inputs, outputs, widest
        Numbers per row that it takes, gives, and holds at most after any of its modules.
    takes, gives
        The shapes of one row, channels last.

    Raises
    ------
    ConfigError
        If a shape is not of positive sizes, or the module does not take or give what is stated.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 4))
    >>> encoder = Shaped(net, (3, 8, 8), (4,), channels_first=True)
    >>> encoder(torch.zeros(5, 8, 8, 3)).shape
    torch.Size([5, 4])

    """

    def __init__(
        self, module: nn.Module, inputs: Sequence[int], outputs: Sequence[int], channels_first: bool = False
    ) -> None:
        super().__init__()
        self.module, self.channels_first = module, channels_first
        self._taken, self._given = tuple(inputs), tuple(outputs)
        if min(self._taken + self._given, default=0) < 1 or not self._taken or not self._given:
            raise ConfigError(f"shapes of a row need positive sizes, got {self._taken} and {self._given}")
        self.inputs, self.outputs = math.prod(self._taken), math.prod(self._given)
        self.takes, self.gives = self._channels_last(self._taken), self._channels_last(self._given)
        self.widest = max(self.inputs, self.outputs, *self._try())

    def forward(self, x: Tensor) -> Tensor:
        flat = x.shape[-1:] == (self.inputs,)
        if not flat and self.takes[-1] == 1 and x.shape[1 - len(self.takes) :] == self.takes[:-1]:
            x = x.unsqueeze(-1)  # grey pictures have no axis of channels outside
        if not flat and x.shape[-len(self.takes) :] != self.takes:
            raise ConfigError(
                f"{self._name} got {tuple(x.shape)}; its rows are {self.takes}, or flat, {self.inputs} numbers"
            )
        lead = x.shape[:-1] if flat else x.shape[: x.dim() - len(self.takes)]
        rows = x.reshape(-1, *self.takes)
        if self._moves(self.takes):
            rows = rows.movedim(-1, -3)
        output = self._run(rows.to(next((weight.dtype for weight in self.parameters()), x.dtype)))
        if self._moves(self.gives):
            output = output.movedim(-3, -1)
        return output.reshape(*lead, self.outputs)

    @property
    def _name(self) -> str:
        return type(self.module).__name__

    def _moves(self, shape: Shape) -> bool:
        return self.channels_first and len(shape) >= 3

    def _channels_last(self, shape: Shape) -> Shape:
        return (*shape[:-3], *shape[-2:], shape[-3]) if self._moves(shape) else shape

    def _run(self, rows: Tensor) -> Tensor:
        output = self.module(rows)
        if not isinstance(output, Tensor):
            shape = ", ".join(map(str, ("rows", *self._given)))
            kind = type(output).__name__
            raise ConfigError(f"{self._name} gave a {kind}; one tensor ({shape}) is expected: torch.cat joins several")
        if output.shape != (len(rows), *self._given):
            raise ConfigError(
                f"{self._name} got {tuple(rows.shape)} and gave {tuple(output.shape)}; "
                f"{(len(rows), *self._given)} is expected, because its outputs are stated as {self._given}"
            )
        return output

    def _try(self) -> list[int]:
        """Run two rows of zeros; the numbers per row that each module inside gives."""
        like = next(self.module.parameters(), torch.zeros(()))
        rows = torch.zeros(2, *self._taken, dtype=like.dtype, device=like.device)
        what = f"{tuple(rows.shape)}, two rows of the stated inputs {self._taken}"
        return probe(self.module, lambda: self._run(rows), what)[1]
