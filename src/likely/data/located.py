"""What a model needs of rows whatever z and its weights are: computed once, taken batch by batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor

__all__ = ["Located", "Prepared", "take"]

# Tensors whose first axis is that of the rows, nested as the parts of P(x|z) are; `None` where nothing is to be known.
Located: TypeAlias = "Tensor | tuple[Located, ...] | None"


@dataclass(frozen=True, eq=False)
class Prepared:
    """What is known of some rows before z is.

    Attributes
    ----------
    features
        Of the encoder's first layer (`Encoder.fixed`); `None` where it is not known beforehand.
    located
        Where the cells lie in the distributions of P(x|z) (`Locating.locate`).

    """

    features: Located
    located: Located

    def take(self, index: Tensor) -> Prepared:
        """The same of the rows with these numbers."""
        return Prepared(take(self.features, index), take(self.located, index))


def take(located: Located, index: Tensor) -> Located:
    """The rows with these numbers."""
    if located is None:
        return None
    return located.index_select(0, index) if isinstance(located, Tensor) else tuple(take(one, index) for one in located)
