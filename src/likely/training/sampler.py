"""The order of rows."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["Sampler"]


class Sampler:
    """Row numbers of one batch after the other: every row once per epoch, every batch full, none left over."""

    def __init__(self, rows: int, batch: int, generator: torch.Generator) -> None:
        self.rows, self.batch, self.generator = rows, batch, generator
        self.rest = torch.empty(0, dtype=torch.int64, device=generator.device)

    def next(self) -> Tensor:
        """The next batch's rows: `(batch,)`."""
        while len(self.rest) < self.batch:
            more = torch.randperm(self.rows, generator=self.generator, device=self.generator.device)
            self.rest = torch.cat([self.rest, more])
        chosen, self.rest = self.rest[: self.batch], self.rest[self.batch :]
        return chosen

    def state_dict(self) -> dict[str, Any]:
        """What is left of the permutation."""
        return {"rest": self.rest}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.rest = state["rest"].to(self.generator.device)
