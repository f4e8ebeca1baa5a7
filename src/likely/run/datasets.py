"""Map-style data sets of torch: their items, read once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset

from likely.data import EncodedRows, Rows, RowStore, Source
from likely.data.kinds import Form
from likely.data.sources.arrays import array_source, tensor_source
from likely.errors import ConfigError, DataError, quoted
from likely.files import most_bytes

__all__ = ["ItemRows", "gathered"]


def gathered(data: Any, field: int | str | None = None, *, memory: int | None = None) -> Any:
    """All items of a data set as one tensor or array `(rows, *event)`; any other data as they are.

    Items that would fill too much memory are given as a source that reads those that are asked for.

    Parameters
    ----------
    data
        The data set, or other data.
    field
        Place or name of x in an item that holds several things.
    memory
        The most bytes that they may fill, a third of what is free unless given.

    Raises
    ------
    DataError
        If the data set is no map-style one, it is empty, or items differ in shape.
    ConfigError
        If a field is needed and not given, or given and not there.

    """
    if isinstance(data, (DataLoader, IterableDataset)):
        name = type(data).__name__
        raise DataError(f"expected a map-style Dataset, which has items by number; got {name}: give its .dataset")
    if isinstance(data, EncodedRows):
        return _decoded(data)
    if not isinstance(data, Dataset):
        if field is not None:
            raise ConfigError(f"field is for a torch Dataset; got {type(data).__name__}: leave it out")
        return data
    sized: Any = data
    try:
        count = len(sized)
    except (TypeError, NotImplementedError) as error:
        raise DataError(f"{type(data).__name__} has no length; give a data set with __len__ and __getitem__") from error
    if not count:
        raise DataError(f"{type(data).__name__} has no items")
    items = ItemRows(data, field)
    if items.bytes > (most_bytes() * 2 // 3 if memory is None else memory):
        return Source(Form.ARRAY, {"all": items})
    return items.stacked(np.arange(count))


class ItemRows(RowStore):
    """The items of a map-style data set of torch, read when they are asked for.

    Parameters
    ----------
    data, field
        As `gathered` has them.

    """

    def __init__(self, data: Any, field: int | str | None) -> None:
        self._data, self._field = data, field
        first = _x(data[0], field)
        self._shape = tuple(first.shape)
        self.bytes = len(data) * int(first.nbytes)

    def __len__(self) -> int:
        return len(self._data)

    @property
    def event(self) -> tuple[int, ...]:
        """The shape of one item."""
        return self._shape or (1,)

    def read(self, index: np.ndarray | None = None) -> Rows:
        """The items with these numbers."""
        numbers = np.arange(len(self)) if index is None else np.asarray(index)
        if not len(numbers):
            return self.read(np.arange(1)).read(numbers)
        held = self.stacked(numbers)
        source = tensor_source(held) if isinstance(held, torch.Tensor) else array_source(held)
        return source.splits["all"].read()

    def stacked(self, numbers: np.ndarray) -> torch.Tensor | np.ndarray:
        """These items, one after the other: a tensor where all are tensors.

        Raises
        ------
        DataError
            If one has another shape than the first of the data set.

        """
        items = [_x(self._data[number], self._field) for number in numbers.tolist()]
        for number, item in zip(numbers.tolist(), items, strict=True):
            if tuple(item.shape) != self._shape:
                raise DataError(
                    f"item {number} has shape {tuple(item.shape)}, item 0 has {self._shape}: rows need one shape"
                )
        if all(isinstance(item, torch.Tensor) for item in items):
            return torch.stack(items)
        return np.stack([np.asarray(item) for item in items])


def _decoded(rows: EncodedRows) -> torch.Tensor:
    """Rows of a model of P(x) as a tensor, NaN where a cell is missing."""
    if rows.covariates is not None or rows.weights is not None or rows.binarize is not None:
        raise ConfigError("give the values alone; what else there is by name: condition=, weight=, binarize=")
    held = rows.stored()
    if held.observed is None:
        return held.values
    return torch.where(held.observed, held.values, torch.full((), torch.nan, dtype=held.values.dtype))


def _x(item: Any, field: int | str | None) -> Any:
    """X of an item: a tensor, or an array of a picture or a number."""
    several = isinstance(item, (tuple, list, Mapping))
    if several and field is None and len(item) == 1:
        field = next(iter(item)) if isinstance(item, Mapping) else 0
    if several:
        names = list(item) if isinstance(item, Mapping) else list(range(len(item)))
        parts = ", ".join(f"{name!r}: {type(item[name]).__name__}" for name in names)
        if field is None:
            raise ConfigError(f"an item of the data set holds {parts}: say which is x, field={names[0]!r}")
        if field not in names:
            raise ConfigError(f"field {quoted(field)} is not in an item of the data set, which holds {parts}")
        item = item[field]
    elif field is not None:
        raise ConfigError(f"an item of the data set is one {type(item).__name__}: leave field out")
    return item.detach() if isinstance(item, torch.Tensor) else np.asarray(item)
