"""Which rows a diagnosis looks at, and keys that tell equal rows apart."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from likely.data import Batch, EncodedRows
from likely.data.noise import row_keys

__all__ = ["copy_keys", "keyed_batches", "part_of"]

HASHED = 4096


def copy_keys(values: Tensor, seed: int) -> Tensor:
    """One key per row `(rows,)`, from the seed, the row's content and which of its copies it is, in their order.

    As a set these keys do not depend on the order of the rows. Rows that are equal get noise of their own, which a
    statistic over rows needs: with one draw of noise, copies would be one observation counted many times.
    """
    keys = torch.cat([row_keys(part, seed) for part in values.split(HASHED)]).cpu()
    found = keys.numpy()
    order = np.argsort(found, kind="stable")
    ranked = found[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    copy = np.empty(len(found))
    copy[order] = np.arange(len(found)) - np.repeat(starts, np.diff(np.r_[starts, len(found)]))
    pairs = torch.stack([keys.to(torch.float64), torch.from_numpy(copy)], 1)
    return row_keys(pairs, seed).to(values.device)


def part_of(rows: EncodedRows, count: int, seed: int) -> EncodedRows:
    """At most `count` of the rows, a random part that (seed, the rows) choose, binarised once where that applies."""
    if len(rows) > count:
        rows = rows.take(copy_keys(rows.values, seed).argsort()[:count].sort().values)
    return rows.fixed(seed)


def keyed_batches(rows: EncodedRows, keys: Tensor, size: int) -> Iterator[tuple[Batch, Tensor, int]]:
    """Rows and their keys in chunks of one fixed shape, the last one padded; and how many of each count."""
    for first in range(0, len(rows), size):
        index = torch.arange(first, first + size, device=rows.values.device).clamp_max(len(rows) - 1)
        yield rows.evaluation_batch(index), keys[index], min(size, len(rows) - first)
