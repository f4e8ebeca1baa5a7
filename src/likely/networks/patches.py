"""Pictures to maps of features and back: the ends of a convolutional hierarchy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from likely.errors import ConfigError
from likely.networks.base import Network

__all__ = ["MapBlock", "PatchDecoder", "PatchEncoder", "as_map", "conv", "flat_map", "map_size", "picture_of"]

Size = tuple[int, int]


def picture_of(event_shape: Sequence[int]) -> tuple[int, int, int]:
    """Height, width and channels of rows that are pictures `(H, W)` or `(H, W, C)`.

    Raises
    ------
    ConfigError
        If they are none.

    """
    event = tuple(event_shape)
    if len(event) not in (2, 3) or min(event) < 1:
        raise ConfigError(f"a convolutional network needs pictures (H, W) or (H, W, C), got {event}; take an mlp")
    return event[0], event[1], event[2] if len(event) == 3 else 1


def map_size(event_shape: Sequence[int], patch: int) -> Size:
    """Height and width of the map that has a cell for each patch of so many pixels a side, rounded up."""
    height, width, _ = picture_of(event_shape)
    return -(-height // patch), -(-width // patch)


def as_map(flat: Tensor, size: Size) -> Tensor:
    """`(*lead, H W C) -> (rows, C, H, W)`, a view in channels-last memory, in autocast's type where that is on.

    It is from there on that a state is kept in that type: otherwise each sum would be in float32 again.
    """
    shaped = flat.reshape(-1, *size, flat.shape[-1] // math.prod(size)).permute(0, 3, 1, 2)
    kind = shaped.device.type
    return shaped.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else shaped


def flat_map(maps: Tensor) -> Tensor:
    """`(rows, C, H, W) -> (rows, H W C)`: the inverse of `as_map`."""
    return maps.permute(0, 2, 3, 1).flatten(1)


def conv(inputs: int, outputs: int, kernel: int, bias: bool = True) -> nn.Conv2d:
    """A convolution that keeps size and, linearly, variance; its bias starts at zero."""
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class MapBlock(nn.Module):
    """h + W₂ silu(W₁ silu(h)), both over 3x3 cells: a residual block with activations first.

    (He et al. 2016, Identity mappings in deep residual networks, section 3.1.) W₂ starts 1/√depth as large as it would,
    so that a chain of so many blocks starts with a variance that does not grow with its length (Child 2021, Very deep
    VAEs, section 3.2).

    Parameters
    ----------
    width
        Channels.
    depth
        Blocks in the chain that this one is of.

    """

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.first, self.second = conv(width, width, 3), conv(width, width, 3)
        with torch.no_grad():
            self.second.weight.mul_(depth**-0.5)

    def forward(self, h: Tensor) -> Tensor:
        change: Tensor = self.second(F.silu(self.first(F.silu(h))))
        return h + change


class PatchEncoder(Network):
    """Patches of a picture as channels, then a 3x3 convolution: `(*batch, cells + covariates) -> (*batch, outputs)`.

    The cells of a row are a picture, channels last, with values of order one (`Encoder` brings them there); a linear
    map of the covariates is added to every place of the map. Where cells may be missing a second picture, 1 where one
    is, comes after the first. A picture that is no multiple of the patch gets rows and columns of zeros.

    Parameters
    ----------
    event_shape
        `(H, W)` or `(H, W, C)`, of any size.
    width
        Channels of the map, which comes flat, channels last: `outputs = ⌈H/patch⌉ ⌈W/patch⌉ width`.
    patch
        Pixels a side that become one place of the map.
    covariates
        Length of y.
    masked
        Whether cells may be missing: `(*batch, 2 cells + covariates)` is taken.

    Raises
    ------
    ConfigError
        If the event is no picture.

    """

    covariates: int

    def __init__(
        self, event_shape: Sequence[int], width: int, patch: int = 2, covariates: int = 0, masked: bool = False
    ) -> None:
        super().__init__()
        picture, pictures = picture_of(event_shape), 2 if masked else 1
        self.seen, self.patch, self.size = (pictures, *picture), patch, map_size(event_shape, patch)
        self.covariates, self.inputs = covariates, math.prod(self.seen) + covariates
        self.outputs = math.prod(self.size) * width
        self.widest = max(self.inputs, self.outputs)
        self.first = conv(pictures * picture[-1] * patch**2, width, 3)
        self.condition = nn.Linear(covariates, width, bias=False) if covariates else None

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] != self.inputs:
            raise ConfigError(f"PatchEncoder takes {self.inputs} numbers per row, flat; got {tuple(x.shape)}")
        cells, y = x.reshape(-1, x.shape[-1]).split([x.shape[-1] - self.covariates, self.covariates], -1)
        pictures = cells.unflatten(1, self.seen).permute(0, 1, 4, 2, 3).flatten(1, 2)
        right, below = (
            side * self.patch - given for side, given in zip(self.size[::-1], self.seen[2:0:-1], strict=True)
        )
        h: Tensor = self.first(F.pixel_unshuffle(F.pad(pictures, (0, right, 0, below)), self.patch))
        if self.condition is not None:
            h = h + self.condition(y)[:, :, None, None]
        return flat_map(h).reshape(*x.shape[:-1], self.outputs)


class PatchDecoder(Network):
    """Residual blocks on a map, silu, a 3x3 convolution to the parameters of each place's patch, a bias per number.

    `(*batch, inputs) -> (*batch, numbers)`, flat, one parameter of all cells after the other, as likelihoods take them.
    A place's patch is made of its channels (Shi et al. 2016, Real-time single image and video super-resolution,
    section 3.2); what goes beyond the picture is cut off.

    Parameters
    ----------
    parameter_shape
        The likelihood's: `(H, W, parameters per cell)` or `(H, W, C, parameters per cell)`.
    width
        Channels of the map, which is given flat, channels last, y after it: `inputs = map + covariates`.
    patch
        Pixels a side that one place of the map becomes.
    blocks
        Residual blocks.
    covariates
        Length of y, a linear map of which is added to every place of the map.

    Raises
    ------
    ConfigError
        If the event is no picture.

    """

    def __init__(
        self, parameter_shape: Sequence[int], width: int, patch: int = 2, blocks: int = 1, covariates: int = 0
    ) -> None:
        super().__init__()
        event = parameter_shape[:-1]
        self.picture, self.patch, self.size = picture_of(event), patch, map_size(event, patch)
        self.cell = (parameter_shape[-1], self.picture[-1])
        self.map, self.covariates = math.prod(self.size) * width, covariates
        self.inputs, self.outputs = self.map + covariates, math.prod(parameter_shape)
        made = math.prod(self.cell) * patch**2
        self.widest = max(self.inputs, math.prod(self.size) * made)
        self.condition = nn.Linear(covariates, width, bias=False) if covariates else None
        self.blocks = nn.Sequential(*(MapBlock(width, blocks) for _ in range(blocks)))
        self.last = conv(width, made, 3, bias=False)
        self.bias = nn.Parameter(torch.zeros(self.outputs))

    @torch.no_grad()
    def start(self, bias: Tensor) -> None:
        """Start the output near `bias`, `(outputs,)`, whatever the input is."""
        self.last.weight.mul_(0.1)
        self.bias.copy_(bias)

    def forward(self, x: Tensor) -> Tensor:
        maps, y = x.split([self.map, x.shape[-1] - self.map], -1)
        h = as_map(maps, self.size)
        if self.condition is not None:
            h = h + self.condition(y.reshape(-1, self.covariates))[:, :, None, None]
        wide: Tensor = F.pixel_shuffle(self.last(F.silu(self.blocks(h))), self.patch)
        cells = wide[:, :, : self.picture[0], : self.picture[1]].unflatten(1, self.cell)
        flat: Tensor = cells.permute(0, 1, 3, 4, 2).flatten(1) + self.bias
        return flat.reshape(*x.shape[:-1], self.outputs)
