"""The warp of numeric columns: an increasing, piecewise linear map of each column's values."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["Warp"]

MAX_PLACE = 1e15  # of y, in deviations: far beyond all rows, and a square of it is still a number
MAX_SLOPE = 1e300  # of knots that lie next to each other in float64
MIN_POSITIVE = 1e-300  # x of a logarithmic column, in data units
MAX_LOG = 345.0  # of x: squares of e^345 are still numbers


class Warp(nn.Module):
    """y = T(x), increasing and piecewise linear in x, or in log x: one map for each column, or one for all cells.

    Beyond the outermost knots T goes on with the slope that it has there. Everything is float64; y is kept within
    ±1e15, and x of a logarithmic column within e^±345, where squares of values still are numbers.

    Parameters
    ----------
    knots
        Of each column at least two pairs `(x, y)` in data units and on the warped axis, both strictly ascending. Those
        of a single column are shared by all cells.
    logarithmic
        For each column whether T is linear in log x; its support is x > 0.

    """

    x: Tensor
    y: Tensor
    logarithmic: Tensor
    slope: Tensor
    x_knot: Tensor
    y_knot: Tensor

    def __init__(self, knots: Sequence[Sequence[tuple[float, float]]], logarithmic: Sequence[bool]) -> None:
        super().__init__()
        most = max(len(column) for column in knots)
        table = torch.full((2, len(knots), most), torch.inf, dtype=torch.float64)
        for i, (column, logs) in enumerate(zip(knots, logarithmic, strict=True)):
            x, y = torch.tensor(column, dtype=torch.float64).unbind(1)
            table[0, i, : len(column)] = x.log() if logs else x
            table[1, i, : len(column)] = y
        self.register_buffer("x", table[0].clone())
        self.register_buffer("y", table[1].clone())
        self.register_buffer("logarithmic", torch.tensor(list(logarithmic)))
        self._logs = any(logarithmic)
        # Of each piece the slope and a knot, `(columns, pieces)`; the first and the last piece are the tails.
        slope = (self.y.diff() / self.x.diff()).clamp_max(MAX_SLOPE)
        last = torch.tensor([[len(column) - 2] for column in knots])
        place = torch.minimum(torch.arange(-1, most).clamp_min(0), last)
        for name, part in (("slope", slope), ("x_knot", self.x), ("y_knot", self.y)):
            self.register_buffer(name, part.gather(1, place), persistent=False)

    @property
    def has_logarithmic(self) -> bool:
        """Whether T of any column is linear in log x."""
        return self._logs

    def _columns_first(self, cells: Tensor) -> tuple[Tensor, torch.Size]:
        """`(*batch, columns)` -> `(columns, numbers)`, and what `_back` needs."""
        moved = cells.unsqueeze(0) if len(self.x) == 1 else cells.movedim(-1, 0)
        return moved.reshape(len(self.x), -1).contiguous(), moved.shape

    def _back(self, numbers: Tensor, shape: torch.Size) -> Tensor:
        cells = numbers.view(shape)
        return cells.squeeze(0) if len(self.x) == 1 else cells.movedim(0, -1)

    def coordinate(self, x: Tensor) -> Tensor:
        """x, or log x where the column is logarithmic: float64, `(*batch, columns)`."""
        x = x.to(torch.float64)
        return torch.where(self.logarithmic, x.clamp_min(MIN_POSITIVE).log(), x) if self._logs else x

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Data units -> the warped axis.

        Parameters
        ----------
        x
            `(*batch, columns)`, or of any shape where all cells share one map.

        Returns
        -------
        T(x), and the slope of T in the coordinate (x, or log x) there.

        """
        flat, shape = self._columns_first(self.coordinate(x))
        piece = torch.searchsorted(self.x, flat, right=True)
        slope, x_knot, y_knot = (part.gather(1, piece) for part in (self.slope, self.x_knot, self.y_knot))
        y = (y_knot + slope * (flat - x_knot)).clamp(-MAX_PLACE, MAX_PLACE)
        return self._back(y, shape), self._back(slope, shape)

    def inverse(self, y: Tensor) -> Tensor:
        """The warped axis -> data units, `(*batch, columns)`."""
        flat, shape = self._columns_first(y.to(torch.float64))
        piece = torch.searchsorted(self.y, flat, right=True)
        slope, x_knot, y_knot = (part.gather(1, piece) for part in (self.slope, self.x_knot, self.y_knot))
        x = self._back(x_knot + (flat - y_knot) / slope, shape)
        return torch.where(self.logarithmic, x.clamp(-MAX_LOG, MAX_LOG).exp(), x) if self._logs else x

    def cell(self, x: Tensor, step: Tensor, *, within: bool = True) -> tuple[Tensor, Tensor, Tensor]:
        """T(x − δ/2), T(x + δ/2) and their difference.

        Parameters
        ----------
        x
            Middles of cells, `(*batch, columns)`.
        step
            δ, a number or `(columns,)`.
        within
            Whether the cells lie within one piece each: then the difference is taken without cancellation.

        """
        if not within:
            lower, upper = self(x - 0.5 * step)[0], self(x + 0.5 * step)[0]
            return lower, upper, upper - lower
        y, slope = self(x)
        below = above = 0.5 * step
        if self._logs:
            part = (0.5 * step / x).where(self.logarithmic, 0.5).clamp(0, 0.5)
            below = torch.where(self.logarithmic, -torch.log1p(-part), below)
            above = torch.where(self.logarithmic, torch.log1p(part), above)
        return y - slope * below, y + slope * above, slope * (below + above)

    def bends_between(self, step: Tensor) -> bool:
        """Whether every knot at which the slope changes is on an edge of the grid of this step."""
        x = torch.where(self.logarithmic[:, None], self.x.exp(), self.x)
        off = x / step.view(-1, 1) - 0.5
        bends = x.isfinite() & x.roll(-1, 1).isfinite()
        bends[:, 0] = bends[:, -1] = False
        return bool(((off - off.round()).abs() < 1e-3 + 1e-15 * off.abs())[bends].all())

    def holds(self, x: Tensor) -> Tensor:
        """Whether x is in the support: everywhere, or above 0 where the column is logarithmic."""
        return (x > 0) | ~self.logarithmic

    def log_jacobian(self, x: Tensor) -> Tensor:
        """log dx/d(coordinate): 0, or log x where the column is logarithmic."""
        return self.coordinate(x).where(self.logarithmic, 0.0)

    def nodes(self, parts: int) -> tuple[Tensor, Tensor]:
        """Ascending points of the warped axis, and x there, `(columns, nodes)`: each piece cut into `parts`, and tails.

        In the tails of a logarithmic column x stays at its outermost knot: beyond it the mean need not be finite.
        """
        last = self.y.where(self.y.isfinite(), -torch.inf).amax(1, keepdim=True)
        knots = torch.minimum(self.y, last)
        fine = knots[:, :-1, None] + knots.diff().unsqueeze(-1) * torch.arange(parts, device=last.device) / parts
        reach = 2.0 ** torch.arange(-2, 7, device=last.device)
        y = torch.cat([knots[:, :1] - reach.flip(0), fine.flatten(1), last, last + reach], 1)
        kept = torch.where(self.logarithmic[:, None], y.clamp(knots[:, :1], last), y)
        return y, self.inverse(kept.T).T
