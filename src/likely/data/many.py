"""The division of very many rows: a sample of those that train stands for them where a few tell as much."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from likely.data.source import Source
from likely.data.split import MAX_VALIDATION_ROWS, Division, Split, divide
from likely.errors import ConfigError

__all__ = ["MANY_ROWS", "demand_random", "divide_many", "is_many", "sample_size"]

MANY_ROWS = 1_000_000  # training rows of a table or array in memory beyond which a sample of them tells what X is
SAMPLE_ROWS, SAMPLE_CELLS, MIN_SAMPLE_ROWS = 200_000, 2**24, 5000
MAX_TEST_ROWS = 100_000  # where the data are not divided already


def sample_size(cells: int) -> int:
    """How many training rows of so many cells stand for all where these are many."""
    return min(SAMPLE_ROWS, max(MIN_SAMPLE_ROWS, SAMPLE_CELLS // max(1, cells)))


def is_many(source: Source, cells: int) -> bool:
    """Whether a sample of the training rows stands for all: where these are more, and are not held, or very many."""
    rows = len(next((source.splits[name] for name in ("train", "all") if name in source.splits), ()))
    held = MAX_VALIDATION_ROWS + min(MAX_TEST_ROWS, sample_size(cells))
    return rows > (sample_size(cells) + held if source.streamed else MANY_ROWS)


def demand_random(split: Split) -> None:
    """Refuse a division for which all rows would have to be in memory.

    Raises
    ------
    ConfigError
        If it is one.

    """
    if not isinstance(split, Division) and split != "random":
        raise ConfigError(
            f"split={split!s:.60}: so many rows are divided by the seed, or come divided into train, val and test; "
            "divide them first, or raise --memory"
        )


def divide_many(source: Source, seed: int, cells: int) -> Division:
    """Divide a source of very many rows: 5,000 validate, at most 100,000 test, all others train (`Division.sample_of`).

    Where the source has these parts it is they, of which so many rows at most are drawn.

    Parameters
    ----------
    source
        The data.
    seed
        Of what is drawn.
    cells
        Of a row.

    Raises
    ------
    DataError
        As `divide`.

    """
    if "train" not in source.splits and "all" not in source.splits:
        return divide(source, seed)  # which says what is wrong
    name = "train" if "train" in source.splits else "all"
    rng, most = np.random.default_rng(seed), min(MAX_TEST_ROWS, sample_size(cells))
    origin = dict.fromkeys(("train", "validation", "test"), name)
    count, parts = len(source.splits[name]), dict[str, np.ndarray]()
    for kind, part, size in (("validation", "val", MAX_VALIDATION_ROWS), ("test", "test", most)):
        if part in source.splits:
            origin[kind], rows = part, len(source.splits[part])
            parts[kind] = np.arange(rows) if rows <= size else np.sort(rng.choice(rows, size, replace=False))
    sizes = {"test": min(count // 10, most), "validation": min(count // 10, MAX_VALIDATION_ROWS)}
    drawn = [kind for kind in sizes if kind not in parts]
    held = sum(sizes[kind] for kind in drawn)
    size = min(sample_size(cells), count - held)
    order, first = rng.choice(count, held + size, replace=False).astype(np.int64), 0
    for kind in drawn:
        parts[kind] = np.sort(order[first : first + sizes[kind]])
        first += sizes[kind]
    division = Division(np.sort(order[first:]), parts["validation"], parts["test"], origin)
    return replace(division, sample_of=count - held)
