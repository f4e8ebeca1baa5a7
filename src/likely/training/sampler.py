"""The order of rows."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["WINDOW_BLOCKS", "Sampler"]

WINDOW_BLOCKS = 64  # blocks whose rows are shuffled together: a batch has rows of so many places of the data


class Sampler:
    """Row numbers of one batch after the other: every row once per epoch, every batch full, none left over.

    The order of an epoch is a permutation that depends on (seed, epoch) alone, the same on every device, so that two
    integers say where training is. With a `block` it is not drawn from all permutations: the blocks of so many
    neighbouring rows are put in a random order, and the rows of each 64 blocks of that order are shuffled. Then only
    these rows are needed for a while, and no list of all rows is.

    Parameters
    ----------
    rows, batch
        How many there are, and how many a batch takes.
    seed
        Any integer.
    block
        Rows of a block; `None` shuffles all rows together.

    Attributes
    ----------
    window_begun
        Whether the last batch began a window: 64 blocks, or an epoch where there are no blocks.

    """

    def __init__(self, rows: int, batch: int, seed: int, block: int | None = None) -> None:
        self.rows, self.batch, self.seed, self.position = rows, batch, seed, 0
        self.block = min(block or rows, rows)
        self.window_begun = False
        self._epoch, self._blocks = -1, torch.empty(0, dtype=torch.int64)
        self._window, self._order = (-1, -1), torch.empty(0, dtype=torch.int64)

    def next(self) -> Tensor:
        """The next batch's rows: `(batch,)`."""
        parts, needed, window = list[Tensor](), self.batch, self._window
        while needed:
            part = self._rest_of_window()[:needed]
            self.position += len(part)
            needed -= len(part)
            parts.append(part)
        self.window_begun = window != self._window
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def coming(self) -> list[tuple[int, int]]:
        """The first row and the one past the last of each block of the next window, ascending; of this epoch alone."""
        epoch, window = self._window
        blocks = self._blocks_of(max(0, epoch))[(window + 1) * WINDOW_BLOCKS :][:WINDOW_BLOCKS]
        return [self._span(number) for number in sorted(blocks.tolist())]

    def _rest_of_window(self) -> Tensor:
        epoch, place = divmod(self.position, self.rows)
        blocks, short = self._blocks_of(epoch), -self.rows % self.block  # the last block lacks so many rows
        last = int((blocks == len(blocks) - 1).nonzero()) // WINDOW_BLOCKS if len(blocks) > 1 else 0
        size = WINDOW_BLOCKS * self.block
        window = place // size if place < (last + 1) * size - short else (place + short) // size
        if (epoch, window) != self._window:
            chosen = blocks[window * WINDOW_BLOCKS :][:WINDOW_BLOCKS].tolist()
            rows = torch.cat([torch.arange(*self._span(number)) for number in chosen])
            self._order = rows[self._permutation(len(rows), epoch, window)]
            self._window = epoch, window
        return self._order[place - window * size + (short if window > last else 0) :]

    def _blocks_of(self, epoch: int) -> Tensor:
        if epoch != self._epoch:
            count = -(-self.rows // self.block)
            self._blocks = torch.zeros(1, dtype=torch.int64) if count == 1 else self._permutation(count, epoch, -1)
            self._epoch = epoch
        return self._blocks

    def _span(self, block: int) -> tuple[int, int]:
        return block * self.block, min((block + 1) * self.block, self.rows)

    def _permutation(self, count: int, epoch: int, window: int) -> Tensor:
        # Odd multipliers keep the keys apart modulo 2^63; the generator of a step is seeded by the seed itself.
        key = self.seed * 0x9E3779B97F4A7C15 + (epoch + 1) * 0xD1342543DE82EF95
        if self.block < self.rows:
            key += (window + 2) * 0xDA942042E4DD58B5
        return torch.randperm(count, generator=torch.Generator().manual_seed(key % 2**63))

    def rewind(self, steps: int) -> None:
        """Go back to where so many batches were given out."""
        self.position = steps * self.batch

    def state_dict(self) -> dict[str, int]:
        """The seed, and how many rows were given out."""
        return {"seed": self.seed, "position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from what `state_dict` gave."""
        self.seed, self.position, self._epoch, self._window = state["seed"], state["position"], -1, (-1, -1)
