"""Rows in chunks of one fixed shape, each with the keys of its noise: what every estimate over z goes through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from likely import world
from likely.data import Batch, EncodedRows
from likely.data.noise import Stream, normal, row_keys, uniform
from likely.distributions import LatentDistribution
from likely.models import Model, Terms
from likely.networks.precision import Precision, autocast

__all__ = [
    "DEFAULT_CHUNK_ROWS",
    "MAX_NUMBERS",
    "SUMMED_ROWS",
    "Chunk",
    "PerRow",
    "Progress",
    "block_size",
    "chunk_rows",
    "chunks",
    "copy_keys",
    "random_subset",
    "rows_with_points",
    "sample_blocks",
    "terms_of",
]

Progress = Callable[[int, int], None]

DEFAULT_CHUNK_ROWS = 50  # few, as each is held with many samples of z
MIN_CHUNK_ROWS = 16  # where many samples are drawn: fewer rows than this are padded to it
MAX_CHUNK_ROWS = 4096  # where few samples are drawn
SUMMED_ROWS = 2048  # where z is summed over, and the decoder takes as long for one row as for all
SUMMED_NUMBERS = 2**24  # of log P(x|z_n), where those of all rows and points of a chunk are held at once
MAX_NUMBERS = 2**20  # numbers held at once in the widest layer: 4 MiB of float32


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some rows in a fixed shape: the last chunk of a data set is padded with its last row.

    Attributes
    ----------
    batch
        The rows.
    keys
        Of their noise, `(rows,)` int64: rows with equal keys share it.
    count
        How many of them, the first ones, are no padding.
    index
        Which of all the rows they are, `(rows,)`.
    number
        Which of all the chunks this is.

    """

    batch: Batch
    keys: Tensor
    count: int
    index: Tensor
    number: int = 0

    def noise(self, stream: Stream, q: LatentDistribution, first: int, samples: int) -> Tensor:
        """Standard normal numbers from which Q or P draws samples from `first` on: `(samples, rows, noise_size)`."""
        return normal(self.keys, stream, first, samples, q.noise_size).to(q.like.dtype)

    def uniform(self, stream: Stream, size: int) -> Tensor:
        """Numbers between 0 and 1: `(rows, size)`."""
        return uniform(self.keys, stream, 0, 1, size)[0]


def chunks(
    rows: EncodedRows,
    seed: int,
    size: int = DEFAULT_CHUNK_ROWS,
    *,
    distinct_noise_for_copies: bool = False,
    progress: Progress | None = None,
    part: range | None = None,
) -> Iterator[Chunk]:
    """Rows in chunks, with noise keyed by (seed, the row's content).

    Parameters
    ----------
    rows
        Encoded and, where that applies, binarised once.
    seed
        Any integer.
    size
        Rows of a chunk.
    distinct_noise_for_copies
        Give equal rows noise of their own (`copy_keys`), not the same.
    progress
        Called with (rows done, rows) after each chunk.
    part
        Only the chunks of these numbers.

    """
    keys = copy_keys(rows, seed) if distinct_noise_for_copies else None
    numbers = range(-(-len(rows) // size)) if part is None else part
    for number in numbers:
        first = number * size
        index = torch.arange(first, first + size, device=rows.device).clamp_max(len(rows) - 1)
        batch, count = rows.evaluation_batch(index), min(size, len(rows) - first)
        yield Chunk(batch, row_keys(batch.values, seed) if keys is None else keys[index], count, index, number)
        if progress:
            done, of = number - numbers.start + 1, len(numbers)
            progress(len(rows) * done // of if part is not None else first + count, len(rows))


def sample_blocks(samples: int, block: int) -> Iterator[tuple[int, int]]:
    """Blocks of samples: the number of the first one, and how many."""
    for first in range(0, samples, block):
        yield first, min(block, samples - first)


def terms_of(
    model: Model,
    chunk: Chunk,
    p: LatentDistribution,
    *,
    stream: Stream,
    samples: int,
    block: int,
    q: LatentDistribution | None = None,
    precision: Precision = "float32",
) -> Iterator[tuple[int, Terms]]:
    """The terms of the identity at samples of z ~ Q(z|x), block by block: the number of the first one, and the terms.

    Parameters
    ----------
    model, chunk
        The rows.
    p
        P(z).
    stream
        Which random numbers z is made of.
    samples, block
        How many z for each row, and how many of them at once.
    q
        Q(z|x); the encoder's unless given.
    precision
        In which networks are multiplied; see `evidence`.

    """
    q = model.posterior(chunk.batch) if q is None else q
    for first, size in sample_blocks(samples, block):
        noise = chunk.noise(stream, q, first, size)
        with autocast(precision, chunk.keys.device):
            terms = model.terms(chunk.batch, noise=noise, q=q, p=p)
        yield first, terms


def block_size(
    model: Model, rows: EncodedRows, samples: int, max_numbers: int = MAX_NUMBERS, size: int = DEFAULT_CHUNK_ROWS
) -> int:
    """How many samples of a chunk of `size` rows to hold at once."""
    return max(1, min(samples, max_numbers // (_widest(model, rows) * size)))


def rows_with_points(model: Model, otherwise: int = DEFAULT_CHUNK_ROWS) -> int:
    """How many rows to hold at once with log P(x|z_n) at all points, where z is summed over, as all of them take time.

    `otherwise` of other models.
    """
    return max(1, min(SUMMED_ROWS, SUMMED_NUMBERS // model.encoded_size)) if model.summed else otherwise


def chunk_rows(model: Model, rows: EncodedRows, samples: int, max_numbers: int = MAX_NUMBERS) -> int:
    """How many rows to hold at once, with all their samples beside each other, and 16 at least.

    They fill half of the memory: 2 MiB stay in a processor's cache, where 4 do not (6% slower).
    """
    return max(MIN_CHUNK_ROWS, min(MAX_CHUNK_ROWS, max_numbers // (2 * _widest(model, rows) * samples)))


def _widest(model: Model, rows: EncodedRows) -> int:
    """Numbers that a row takes in the widest layer."""
    return max(rows.row_size, model.widest)


class PerRow:
    """Numbers of rows that come in chunks, by name; padding is cut off.

    Of several processes each computes some of the chunks, the same that one process would, and when the numbers are
    read all processes have those of all rows. So all must go through the same rows and read in the same order.
    """

    def __init__(self) -> None:
        self.parts: dict[str, list[Tensor]] = {}
        self._apart = False

    def chunks(
        self,
        rows: EncodedRows,
        seed: int,
        size: int = DEFAULT_CHUNK_ROWS,
        *,
        distinct_noise_for_copies: bool = False,
        progress: Progress | None = None,
    ) -> Iterator[Chunk]:
        """The chunks of the rows (`chunks`) that this process computes, and whose numbers it adds."""
        self._apart = world.size() > 1
        part = world.share(-(-len(rows) // size)) if self._apart else None
        yield from chunks(
            rows,
            seed,
            size,
            distinct_noise_for_copies=distinct_noise_for_copies,
            progress=progress,
            part=part,
        )

    @property
    def names(self) -> list[str]:
        """Of what there are numbers."""
        self._put_together()
        return list(self.parts)

    def _put_together(self) -> None:
        if self._apart:
            self._apart, mine = False, {name: [torch.cat(parts)] for name, parts in self.parts.items()}
            each = [one for one in world.gathered(mine) if one]
            self.parts = {name: [one[name][0] for one in each] for name in (each[0] if each else {})}

    def add(self, chunk: Chunk, **numbers: Tensor) -> None:
        """Take in numbers of the chunk's rows, `(rows, ...)` each."""
        for name, part in numbers.items():
            self.parts.setdefault(name, []).append(part[: chunk.count].cpu())

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def tensor(self, name: str) -> Tensor:
        """The numbers of that name for all rows, `(rows, ...)`, on the processor."""
        self._put_together()
        return torch.cat(self.parts[name])

    def array(self, name: str) -> np.ndarray:
        """The numbers of that name as an array."""
        return self.tensor(name).numpy()


def copy_keys(rows: EncodedRows, seed: int) -> Tensor:
    """One key per row `(rows,)`, from the seed, the row's content and which of its copies it is, in their order.

    As a set these keys do not depend on the order of the rows. Rows that are equal get noise of their own, which a
    statistic over rows needs: with one draw of noise, copies would be one observation counted many times.
    """
    keys = rows.keys(seed).cpu()
    array = keys.numpy()
    order = np.argsort(array, kind="stable")
    ranked = array[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    copy = np.empty(len(array))
    copy[order] = np.arange(len(array)) - np.repeat(starts, np.diff(np.r_[starts, len(array)]))
    pairs = torch.stack([keys.to(torch.float64), torch.from_numpy(copy)], 1)
    return row_keys(pairs, seed).to(rows.device)


def random_subset(rows: EncodedRows, count: int, seed: int) -> EncodedRows:
    """At most `count` of the rows, a random part that (seed, the rows) choose, binarised once where that applies."""
    if len(rows) > count:
        rows = rows.take(copy_keys(rows, seed).argsort()[:count].sort().values)
    return rows.binarised_once(seed)
