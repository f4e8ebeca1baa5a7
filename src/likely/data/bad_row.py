"""What is wrong with one row of an array, whose number is that of the rows at hand until it is put among all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from likely.errors import DataError

__all__ = ["BadRowError", "bad_rows_named_by"]


class BadRowError(DataError):
    """A row that cannot be used; its message begins with the row's number.

    Attributes
    ----------
    row, text
        The number among the rows at hand, and what is said of it.

    """

    def __init__(self, row: int, text: str) -> None:
        super().__init__(f"row {row}{text}")
        self.row, self.text = row, text


@contextmanager
def bad_rows_named_by(numbers: np.ndarray) -> Iterator[None]:
    """Within it a bad row is named by its number among all rows of the source, where it is one of these."""
    try:
        yield
    except BadRowError as error:
        raise BadRowError(int(numbers[error.row]), error.text) from error
