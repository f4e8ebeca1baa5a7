"""A cell of an array that cannot be used is told with its row in the source, whichever part it falls in."""

from __future__ import annotations

import re

import numpy as np
import pytest

import likely
from likely.errors import DataError


@pytest.mark.parametrize("part", ["train", "validation", "test"])
@pytest.mark.parametrize(("value", "message"), [(np.inf, "is infinite"), (3.0, "which is neither 0 nor 1")])
def test_the_row_is_that_of_the_source(part: str, value: float, message: str) -> None:
    rows = (np.random.default_rng(0).random((60, 2, 3)) < 0.5).astype(np.float64)
    row = int(getattr(likely.fit(rows, latent=2, width=8, steps=1).division, part)[2])
    rows[row, 1, 2] = value
    if value == 3.0 and part == "train":
        assert likely.inspect(rows).schema.columns[0].kind == "levels"
        return
    with pytest.raises(DataError, match=re.escape(f"row {row}, cell (1, 2)") + f".*{message}"):
        likely.fit(rows, latent=2, width=8, steps=1)
