"""The order of rows."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Sampler"]


class Sampler:
    """Row numbers of one batch after the other: every row once per epoch, every batch full, none left over.

    The order of an epoch is a permutation that depends on (seed, epoch) alone, the same on every device, so that two
    integers say where training is.

    Parameters
    ----------
    rows, batch
        How many there are, and how many a batch takes.
    seed
        Any integer.

    """

    def __init__(self, rows: int, batch: int, seed: int) -> None:
        self.rows, self.batch, self.seed, self.position = rows, batch, seed, 0
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)

    def next(self) -> Tensor:
        """The next batch's rows: `(batch,)`."""
        parts, needed = list[Tensor](), self.batch
        while needed:
            epoch, first = divmod(self.position, self.rows)
            part = self._permutation(epoch)[first : first + needed]
            self.position += len(part)
            needed -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _permutation(self, epoch: int) -> Tensor:
        if epoch != self._epoch:
            # Odd multipliers keep the pairs apart modulo 2^63; the generator of a step is seeded by the seed itself.
            key = (self.seed * 0x9E3779B97F4A7C15 + (epoch + 1) * 0xD1342543DE82EF95) % 2**63
            self._order = torch.randperm(self.rows, generator=torch.Generator().manual_seed(key))
            self._epoch = epoch
        return self._order

    def rewind(self, steps: int) -> None:
        """Go back to where so many batches were given out."""
        self.position = steps * self.batch

    def state_dict(self) -> dict[str, int]:
        """The seed, and how many rows were given out."""
        return {"seed": self.seed, "position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from what `state_dict` gave."""
        self.seed, self.position, self._epoch = state["seed"], state["position"], -1
