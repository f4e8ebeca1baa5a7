"""Random numbers for the rows of a batch, which several processes may have parts of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import torch
from torch import Tensor

__all__ = ["BatchGenerator", "rand", "randn"]


@final
class BatchGenerator(torch.Generator):
    """A generator of the random numbers of a batch, of which this process may have a part of the rows.

    Each process draws the numbers of all rows, from the same state, and keeps those of its own: together they draw
    what one process draws.

    Attributes
    ----------
    part, rows
        Which rows of the batch are this process's, `None` where all are; and how many the batch has.

    """

    part: range | None = None
    rows: int = 0


def randn(shape: Sequence[int], axis: int | None, generator: torch.Generator | None = None, **kind: Any) -> Tensor:
    """Standard normal numbers of this shape; of `kind` dtype and device.

    Parameters
    ----------
    shape, axis
        The shape, and which of its axes is that of the rows; `None` where none is.
    generator
        torch's own unless given.
    kind
        `dtype` and `device`.

    """
    return _drawn(torch.randn, shape, axis, generator, kind)


def rand(shape: Sequence[int], axis: int | None, generator: torch.Generator | None = None, **kind: Any) -> Tensor:
    """Uniform numbers between 0 and 1; as `randn`."""
    return _drawn(torch.rand, shape, axis, generator, kind)


def _drawn(
    draw: Callable[..., Tensor],
    shape: Sequence[int],
    axis: int | None,
    generator: torch.Generator | None,
    kind: dict[str, Any],
) -> Tensor:
    if axis is None or not isinstance(generator, BatchGenerator) or generator.part is None:
        return draw(tuple(shape), generator=generator, **kind)
    part = generator.part
    if shape[axis] != len(part):
        raise ValueError(f"numbers for {shape[axis]} rows, where this process has {len(part)} of a batch")
    whole = (*shape[:axis], generator.rows, *shape[axis + 1 :])
    return draw(whole, generator=generator, **kind).narrow(axis, part.start, len(part))
