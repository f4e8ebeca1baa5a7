"""Which part of several (files, row groups, blocks of lines) a row lies in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from likely.errors import DataError

__all__ = ["Places"]


class Places:
    """Rows numbered through parts that follow one another."""

    def __init__(self, counts: Sequence[int] | np.ndarray) -> None:
        self._ends = np.cumsum(np.asarray(counts, dtype=np.int64))

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def start(self, part: int) -> int:
        """The number of the first row of a part."""
        return int(self._ends[part - 1]) if part else 0

    def checked(self, index: np.ndarray) -> np.ndarray:
        """Row numbers as int64; negative ones count from the end.

        Raises
        ------
        DataError
            If one is beyond the rows.

        """
        numbers = np.asarray(index, dtype=np.int64)
        beyond = (numbers < -len(self)) | (numbers >= len(self))
        if beyond.any():
            raise DataError(f"there is no row {numbers[beyond.argmax()]}; there are {len(self)}")
        return np.where(numbers < 0, numbers + len(self), numbers)

    def parts(self, index: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Each part that holds some of the rows: its number, where in `index` they stand, their numbers in it."""
        owners = np.searchsorted(self._ends, index, side="right")
        order = np.argsort(owners, kind="stable")
        parts, starts = np.unique(owners[order], return_index=True)
        for part, where in zip(parts.tolist(), np.split(order, starts[1:]), strict=True):
            yield part, where, index[where] - self.start(part)
