"""Residual convolutional networks, for pictures of any size and number of channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from likely.errors import ConfigError
from likely.networks.base import Network

__all__ = ["ConvDecoder", "ConvEncoder"]

# The longest side of the smallest level, where the number of levels is not given.
MAX_LAST_SIDE = 8

Size = tuple[int, int]


@dataclass(frozen=True)
class _Pyramid:
    """Levels of a picture, each of half the size of the one before, rounded up; the first is half the picture."""

    picture: tuple[int, int, int]
    sizes: tuple[Size, ...]
    widths: tuple[int, ...]

    @property
    def last(self) -> int:
        """Numbers that the last level holds."""
        return math.prod(self.sizes[-1]) * self.widths[-1]

    @property
    def widest(self) -> int:
        """The most numbers that the picture or a level holds."""
        levels = [math.prod(size) * width for size, width in zip(self.sizes, self.widths, strict=True)]
        return max(math.prod(self.picture), *levels)


def _pyramid(event_shape: Sequence[int], channels: Sequence[int] | None, blocks: int) -> _Pyramid:
    event = tuple(event_shape)
    if len(event) not in (2, 3) or min(event) < 1:
        raise ConfigError(f"a convolutional network needs pictures (H, W) or (H, W, C), got {event}; use ResidualMLP")
    height, width = event[:2]
    if channels is None:
        channels = (32, *[64] * max(0, math.ceil(math.log2(max(height, width) / MAX_LAST_SIDE)) - 1))
    if not channels or min(channels) < 1 or blocks < 0:
        raise ConfigError(f"channels must be positive and blocks at least 0, got {tuple(channels)} and {blocks}")
    sizes = [(height, width)]
    for _ in channels:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return _Pyramid((height, width, event[2] if len(event) == 3 else 1), tuple(sizes[1:]), tuple(channels))


class _Block(nn.Module):
    """h + W₂ silu(W₁ h), W₁ over 3x3 cells and W₂ over one; starts as the identity, because W₂ starts at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, h: Tensor) -> Tensor:
        change: Tensor = self.second(F.silu(self.first(h)))
        return h + change


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps the variance: the chain of levels has nothing between them that would restore it."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
    return layer


class _Up(nn.Module):
    """Nearest-neighbour upsampling to `size`, then a 3x3 convolution to `outputs` channels, no bias.

    Two rows that upsampling makes of one are equal, so the convolution is computed on the small picture, with a kernel
    of its own for even and odd rows and columns: a quarter of the memory.
    """

    # (parity, row of the small picture, row of the kernel): which rows of the kernel fall on which row.
    falls: Tensor

    def __init__(self, inputs: int, outputs: int, size: Size) -> None:
        super().__init__()
        self.outputs, self.size = outputs, size
        self.weight = nn.Parameter(torch.empty(outputs, inputs, 3, 3))
        nn.init.kaiming_normal_(self.weight, nonlinearity="linear")
        falls = [[[1.0, 0, 0], [0, 1, 1], [0, 0, 0]], [[0, 0, 0], [1, 1, 0], [0, 0, 1]]]
        self.register_buffer("falls", torch.tensor(falls), persistent=False)

    def forward(self, h: Tensor) -> Tensor:
        """`(rows, inputs, ⌈H/2⌉, ⌈W/2⌉) -> (rows, outputs, H, W)`."""
        kernel = torch.einsum("pik,qjl,ockl->pqocij", self.falls, self.falls, self.weight)
        blocks = F.conv2d(h, kernel.flatten(0, 2), padding=1).unflatten(1, (2, 2, self.outputs))
        wide: Tensor = blocks.permute(0, 3, 4, 1, 5, 2).flatten(4, 5).flatten(2, 3)
        return wide[:, :, : self.size[0], : self.size[1]]


class ConvEncoder(Network):
    """Levels of strided 3x3 convolutions and residual blocks (He et al. 2016), silu, linear.

    `(*batch, cells + covariates) -> (*batch, outputs)`. The cells of a row are a picture, channels last, with values of
    order one (`Encoder` brings them there); a linear map of the covariates is added to what the last level holds.
    Where cells may be missing a second picture, 1 where one is, comes after the first. No layer couples rows.

    Parameters
    ----------
    event_shape
        `(H, W)` or `(H, W, C)`, of any size.
    outputs
        Size of the last axis of the output.
    channels
        Of each level; a level has half the size of the one before, rounded up, the first has half the picture's.
        By default 32, then 64 until the longest side is at most 8.
    blocks
        Residual blocks per level.
    covariates
        Length of y.
    masked
        Whether cells may be missing: `(*batch, 2 cells + covariates)` is taken.

    Raises
    ------
    ConfigError
        If the event is no picture, or a size is not positive.

    """

    covariates: int

    def __init__(
        self,
        event_shape: Sequence[int],
        outputs: int,
        channels: Sequence[int] | None = None,
        blocks: int = 1,
        covariates: int = 0,
        masked: bool = False,
    ) -> None:
        super().__init__()
        plan = _pyramid(event_shape, channels, blocks)
        pictures = 2 if masked else 1
        self.seen, self.covariates = (pictures, *plan.picture), covariates
        self.inputs, self.outputs = math.prod(self.seen) + covariates, outputs
        self.widest = max(plan.widest, self.inputs, outputs)
        self.levels = nn.Sequential()
        for before, width in zip((pictures * plan.picture[-1], *plan.widths), plan.widths, strict=False):
            self.levels.append(_conv(before, width, 3, stride=2))
            self.levels.extend(_Block(width) for _ in range(blocks))
        self.condition = nn.Linear(covariates, plan.last, bias=False) if covariates else None
        self.last = nn.Linear(plan.last, outputs)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] != self.inputs:
            raise ConfigError(f"ConvEncoder takes {self.inputs} numbers per row, flat; got {tuple(x.shape)}")
        rows = x.reshape(-1, x.shape[-1])
        cells, y = rows.split([x.shape[-1] - self.covariates, self.covariates], -1)
        h: Tensor = self.levels(cells.unflatten(1, self.seen).permute(0, 1, 4, 2, 3).flatten(1, 2))
        h = h.permute(0, 2, 3, 1).flatten(1)
        if self.condition is not None:
            h = h + self.condition(y)
        features: Tensor = self.last(F.silu(h))
        return features.reshape(*x.shape[:-1], self.outputs)


class ConvDecoder(Network):
    """Linear, levels of residual blocks and nearest-neighbour upsampling, silu, a 3x3 convolution, a bias per number.

    `(*batch, inputs) -> (*batch, numbers)`, flat, one parameter of all cells after the other, as likelihoods take them.
    Upsampling before a convolution leaves no checkerboard (Odena, Dumoulin, Olah 2016, Deconvolution and checkerboard
    artifacts). No layer couples rows.

    Parameters
    ----------
    inputs
        Size of the last axis of the input: z, and y after it where the model is conditional.
    parameter_shape
        The likelihood's: `(H, W, parameters per cell)` or `(H, W, C, parameters per cell)`.
    channels, blocks
        As in `ConvEncoder`, whose levels are gone through backwards.

    Raises
    ------
    ConfigError
        If the event is no picture, or a size is not positive.

    """

    def __init__(
        self, inputs: int, parameter_shape: Sequence[int], channels: Sequence[int] | None = None, blocks: int = 1
    ) -> None:
        super().__init__()
        plan = _pyramid(parameter_shape[:-1], channels, blocks)
        self.inputs, self.outputs = inputs, math.prod(parameter_shape)
        self.cell = (parameter_shape[-1], plan.picture[-1])
        self.widest = max(plan.widest, self.inputs, self.outputs)
        self.smallest = (*plan.sizes[-1], plan.widths[-1])
        self.first = nn.Linear(inputs, plan.last)
        self.levels = nn.Sequential(*(_Block(plan.widths[-1]) for _ in range(blocks)))
        for level in reversed(range(len(plan.widths) - 1)):
            width = plan.widths[level]
            # A 1x1 convolution and upsampling commute: the convolution goes first, where there is less to do.
            self.levels.append(_conv(plan.widths[level + 1], width, 1))
            self.levels.append(_Nearest(plan.sizes[level]))
            self.levels.extend(_Block(width) for _ in range(blocks))
        self.last = _Up(plan.widths[0], math.prod(self.cell), plan.picture[:2])
        self.bias = nn.Parameter(torch.zeros(self.outputs))

    @torch.no_grad()
    def start(self, bias: Tensor) -> None:
        """Start the output near `bias`, `(outputs,)`, whatever the input is."""
        self.last.weight.mul_(0.1)
        self.bias.copy_(bias)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        h: Tensor = self.first(rows)
        h = self.levels(h.unflatten(1, self.smallest).permute(0, 3, 1, 2))
        cells: Tensor = self.last(F.silu(h)).unflatten(1, self.cell)
        flat = cells.permute(0, 1, 3, 4, 2).flatten(1) + self.bias
        return flat.reshape(*x.shape[:-1], self.outputs)


class _Nearest(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size

    def forward(self, h: Tensor) -> Tensor:
        return F.interpolate(h, size=self.size, mode="nearest")
