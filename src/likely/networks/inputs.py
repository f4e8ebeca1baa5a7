"""First layers of encoders: data units to numbers of order one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from likely.data import Warp
from likely.networks.base import Network

__all__ = ["Features", "Standardise"]

MAX_FEATURE = 10.0  # deviations from the centre
MAX_ONE_HOT = 32  # categories; more are embedded
MAX_EMBEDDING = 32  # dimensions


class Standardise(Network):
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
        self.inputs = self.outputs = self.widest = cells
        self.register_buffer("cells", torch.arange(cells), persistent=False)
        self.register_buffer("shift", torch.as_tensor(shift, dtype=torch.float64))
        self.register_buffer("scale", torch.as_tensor(scale, dtype=torch.float64))
        self.register_buffer("limit", torch.tensor(MAX_FEATURE), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        flat, dtype = values.flatten(1), self.limit.dtype
        if flat.dtype == torch.float64:
            return ((flat - self.shift) / self.scale).clamp(-MAX_FEATURE, MAX_FEATURE).to(dtype)
        return ((flat.to(dtype) - self.shift.to(dtype)) / self.scale.to(dtype)).clamp(-MAX_FEATURE, MAX_FEATURE)


class Features(Network):
    """`(batch, columns) -> (batch, features)`: numbers on their warped axes, kept within ±10; categories as vectors.

    Up to 32 categories are one-hot, or as many as told, all zero for the code −1 of a value never seen. More are
    embedded in min(32, 1.6 C^0.56) learned dimensions; the code −1 has a vector of its own, which starts at zero.
    Source: Guo and Berkhahn 2016, Entity embeddings of categorical variables; the rule of the size is that of fastai
    (Howard and Gugger 2020, fastai: a layered API for deep learning), with a lower limit.

    Parameters
    ----------
    numeric
        Places of the numeric columns.
    axis
        Their warped axes, on which numbers are of order one; `None` where there are none.
    categories
        `(place, number of categories)` of each categorical column.
    one_hot
        The most categories of a column that are one-hot.

    Attributes
    ----------
    cells
        The column that each feature is made of: `(features,)`.

    """

    places: Tensor
    limit: Tensor
    cells: Tensor

    def __init__(
        self,
        numeric: Sequence[int],
        axis: Warp | None,
        categories: Sequence[tuple[int, int]],
        one_hot: int = MAX_ONE_HOT,
    ) -> None:
        super().__init__()
        self.register_buffer("places", torch.tensor(list(numeric), dtype=torch.int64))
        self.register_buffer("limit", torch.tensor(MAX_FEATURE), persistent=False)
        self.axis, self.categories, self.one_hot = axis, tuple(categories), one_hot
        self.embeddings = nn.ModuleDict({str(place): _embedding(size) for place, size in categories if size > one_hot})
        sizes = [_dimensions(size) if size > one_hot else size for _, size in categories]
        self.inputs, self.outputs = None, len(numeric) + sum(sizes)
        self.widest = self.outputs
        coded = [place for (place, _), size in zip(categories, sizes, strict=True) for _ in range(size)]
        self.register_buffer("cells", torch.tensor([*numeric, *coded], dtype=torch.int64), persistent=False)

    def fixed(self, values: Tensor) -> tuple[Tensor, ...]:
        """What no weight takes part in: features in pieces, and codes, `(batch,)`, where a column is embedded."""
        pieces, together = list[Tensor](), list[Tensor]()
        dtype = self.limit.dtype
        if self.axis is not None:
            together.append(self.axis(values[:, self.places])[0].clamp(-MAX_FEATURE, MAX_FEATURE).to(dtype))
        for place, size in self.categories:
            codes = values[:, place].long() + 1
            if size <= self.one_hot:
                together.append(F.one_hot(codes, size + 1)[:, 1:].to(dtype))
                continue
            if together:
                pieces.append(torch.cat(together, 1))
            pieces.append(codes)
            together = []
        return (*pieces, torch.cat(together, 1)) if together else tuple(pieces)

    def from_fixed(self, pieces: tuple[Tensor, ...]) -> Tensor:
        """The features, of what `fixed` gives."""
        embeddings = iter(self.embeddings.values())
        features = [next(embeddings)(piece) if piece.dim() == 1 else piece for piece in pieces]
        return features[0] if len(features) == 1 else torch.cat(features, 1)

    def forward(self, values: Tensor) -> Tensor:
        return self.from_fixed(self.fixed(values))


def _dimensions(categories: int) -> int:
    return min(MAX_EMBEDDING, round(float(1.6 * categories**0.56)))


def _embedding(categories: int) -> nn.Embedding:
    """A vector for each code from −1 on, about as long as a one-hot one."""
    size = _dimensions(categories)
    embedding = nn.Embedding(categories + 1, size)
    with torch.no_grad():
        embedding.weight.div_(size**0.5)[0] = 0
    return embedding
