"""Encoded rows in mapped files are the rows that were written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from likely.data import ResidentRows
from likely.data.kinds import Binarize
from likely.data.mapped import MappedRows, written_rows
from likely.errors import DataError


def some_rows(count: int = 50) -> ResidentRows:
    rng = np.random.default_rng(0)
    values, observed = torch.from_numpy(rng.normal(size=(count, 3))), torch.from_numpy(rng.random((count, 3)) < 0.8)
    observed[:7] = True
    covariates, weights = torch.from_numpy(rng.random((count, 2))), torch.from_numpy(1 + rng.random(count))
    return ResidentRows(values, covariates=covariates, observed=observed, weights=weights)


def mapped(folder: Path, rows: ResidentRows, size: int) -> MappedRows:
    parts = [rows.take(torch.arange(first, min(first + size, len(rows)))) for first in range(0, len(rows), size)]
    written_rows(folder, parts, len(rows))
    return MappedRows.opened(folder)


@pytest.mark.parametrize("size", [1, 7, 50])
def test_batches_are_those_of_rows_in_memory(tmp_path: Path, size: int) -> None:
    rows = some_rows()
    there, index = mapped(tmp_path, rows, size), torch.tensor([3, 49, 0, 3])
    for batch, same in (
        (there.training_batch(index), rows.training_batch(index)),
        (there.evaluation_batch(index), rows.evaluation_batch(index)),
        (there.stored(5, 30), rows.stored(5, 30)),
    ):
        for part in ("values", "observed", "covariates", "weights"):
            assert torch.equal(getattr(batch, part), getattr(same, part))
    assert torch.equal(there.training_batch(index).rows, index)
    assert torch.equal(there.keys(1), rows.keys(1))


def test_rows_before_the_first_missing_cell_are_written_as_whole(tmp_path: Path) -> None:
    rows = some_rows()
    parts = [ResidentRows(rows.stored(0, 7).values), rows.take(torch.arange(7, 50)).weighted(None)]
    parts[1] = ResidentRows(parts[1].stored().values, observed=parts[1].observed)
    written_rows(tmp_path, parts, 50)
    assert torch.equal(MappedRows.opened(tmp_path).observed, rows.observed)


def test_dynamic_binarisation_draws_what_it_draws_in_memory(tmp_path: Path) -> None:
    levels = torch.randint(0, 256, (40, 5), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    rows = ResidentRows(levels, Binarize.DYNAMIC, 255.0)
    there, index = mapped(tmp_path, rows, 16), torch.arange(30)
    one, two = (torch.Generator().manual_seed(3) for _ in range(2))
    assert torch.equal(there.training_batch(index, one).values, rows.training_batch(index, two).values)


def test_a_chunk_of_another_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="changes its type"):
        written_rows(tmp_path, [ResidentRows(torch.zeros(2, 3)), ResidentRows(torch.zeros(2, 3).double())], 4)


def test_another_number_of_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has changed"):
        written_rows(tmp_path, [ResidentRows(torch.zeros(2, 3))], 4)


def test_files_that_were_not_written_to_their_end_are_not_opened(tmp_path: Path) -> None:
    mapped(tmp_path, some_rows(), 7)
    (tmp_path / "rows.json").unlink()
    with pytest.raises(OSError, match=r"rows\.json"):
        MappedRows.opened(tmp_path)


def test_read_ahead_asks_for_rows_of_files_whose_names_are_gone(tmp_path: Path) -> None:
    there = mapped(tmp_path, some_rows(), 7)
    for file in tmp_path.iterdir():
        file.unlink()
    there.expect([(0, 10), (20, 50)])
    there._ahead._last.result()
    assert there.stored(0, 1).values.shape == (1, 3)
