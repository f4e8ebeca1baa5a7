"""Means over steps."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from likely.training.distributed import BatchMeans

__all__ = ["Meter"]

MAX_WAITING = 25  # steps whose numbers wait before they are added up


class Meter:
    """Means over steps of the loss, the reconstruction term and the KL, without a sync or a kernel in most steps."""

    def __init__(self, device: torch.device) -> None:
        self.sums, self.count = torch.zeros(3, device=device), 0
        self.waiting: list[BatchMeans] = []

    def add(self, means: BatchMeans) -> None:
        """Take in one step."""
        if self.waiting and self.waiting[0].kl.shape != means.kl.shape:  # with another number of processes
            self._fold()
        self.waiting.append(means)
        if len(self.waiting) == MAX_WAITING:
            self._fold()

    def means(self) -> Tensor:
        """The three means since the last call; NaN where no step was taken in."""
        self._fold()
        means = self.sums / (self.count or math.nan)
        self.sums, self.count = torch.zeros_like(self.sums), 0
        return means

    def _fold(self) -> None:
        for column, tensors in enumerate(zip(*self.waiting, strict=True)):
            self.sums[column] += torch.stack(tensors).flatten().mean() * len(tensors)
        self.count += len(self.waiting)
        self.waiting = []

    def state_dict(self) -> dict[str, Any]:
        """Sums, and the steps that are not yet in them, in the main memory."""
        names = ("loss", "log_px_z", "kl")
        waiting = {
            name: torch.stack([part.cpu() for part in parts])
            for name, parts in zip(names, zip(*self.waiting, strict=True), strict=False)
        }
        return {"sums": self.sums.to("cpu", copy=True), "count": self.count, "waiting": waiting}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.sums, self.count = state["sums"].to(self.sums.device, copy=True), state["count"]
        parts = [state["waiting"][name].to(self.sums.device) for name in state["waiting"]]
        self.waiting = [BatchMeans(*one) for one in zip(*parts, strict=True)]
