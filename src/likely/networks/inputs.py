"""First layers of encoders: data units to numbers of order one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Features", "Standardise"]

LARGEST = 10.0


class Standardise(nn.Module):
    """`(batch, *event) -> (batch, cells)`: (x − shift)/scale, kept within ±10, cast after centring.

    Parameters
    ----------
    shift, scale
        Numbers, in data units.
    cells
        Number of cells of a row.

    Attributes
    ----------
    cells
        The cell that each feature is made of: `(features,)`.

    """

    shift: Tensor
    scale: Tensor
    limit: Tensor
    cells: Tensor

    def __init__(self, shift: float | Tensor, scale: float | Tensor, cells: int) -> None:
        super().__init__()
        self.outputs = cells
        self.register_buffer("cells", torch.arange(cells), persistent=False)
        self.register_buffer("shift", torch.as_tensor(shift, dtype=torch.float64))
        self.register_buffer("scale", torch.as_tensor(scale, dtype=torch.float64))
        self.register_buffer("limit", torch.tensor(LARGEST), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        flat, dtype = values.flatten(1), self.limit.dtype
        if flat.dtype == torch.float64:
            return ((flat - self.shift) / self.scale).clamp(-LARGEST, LARGEST).to(dtype)
        return ((flat.to(dtype) - self.shift.to(dtype)) / self.scale.to(dtype)).clamp(-LARGEST, LARGEST)


class Features(nn.Module):
    """`(batch, columns) -> (batch, features)`: numbers standardised, codes one-hot (all zero for a value never seen).

    Parameters
    ----------
    numeric
        Places of the numeric columns, with their `shift` and `scale`.
    categories
        `(place, number of categories)` of each categorical column.

    Attributes
    ----------
    cells
        The column that each feature is made of: `(features,)`.

    """

    places: Tensor
    cells: Tensor

    def __init__(
        self, numeric: Sequence[int], shift: Tensor, scale: Tensor, categories: Sequence[tuple[int, int]]
    ) -> None:
        super().__init__()
        self.register_buffer("places", torch.tensor(list(numeric), dtype=torch.int64))
        self.numbers = Standardise(shift, scale, len(numeric))
        self.categories = tuple(categories)
        self.outputs = len(numeric) + sum(size for _, size in categories)
        coded = [place for place, size in categories for _ in range(size)]
        self.register_buffer("cells", torch.tensor([*numeric, *coded], dtype=torch.int64), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        made = [self.numbers(values[:, self.places])]
        for place, size in self.categories:
            made.append(F.one_hot(values[:, place].long() + 1, size + 1)[:, 1:].to(made[0].dtype))
        return torch.cat(made, 1)
