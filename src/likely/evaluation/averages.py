"""Averages over samples of z, accumulated chunk by chunk in memory that does not depend on their number."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["LogMean", "Mean", "jackknife"]

BLOCKS = 20  # of samples: leaving one out after the other gives the standard error (jackknife)


def jackknife(without: Tensor) -> Tensor:
    """Standard error from the estimates that leave one block out, `(blocks, rows)` -> `(rows,)` (Tukey 1958)."""
    blocks = len(without)
    if blocks < 2:
        return torch.full_like(without[0], math.nan)
    spread = (without - without.mean(0)).square().sum(0)
    return torch.sqrt(spread * (blocks - 1) / blocks)


class LogMean:
    """log (1/K) Σ exp(w_k) per row, in float64; sample k belongs to block k mod 20.

    Parameters
    ----------
    samples, rows
        K, and the number of rows.
    device
        Where the weights are.

    """

    def __init__(self, samples: int, rows: int, device: torch.device) -> None:
        self.samples, self.blocks = samples, min(BLOCKS, samples)
        self.sums = torch.full((self.blocks, rows), -math.inf, dtype=torch.float64, device=device)

    def add(self, first: int, log_weight: Tensor) -> None:
        """Take in log-weights `(size, rows)`, those of samples first, first + 1, ..."""
        w = log_weight.to(torch.float64)
        short = -len(w) % self.blocks
        if short:
            w = torch.cat([w, w.new_full((short, w.shape[1]), -math.inf)])
        added = torch.logsumexp(w.view(-1, self.blocks, w.shape[1]), 0).roll(first % self.blocks, 0)
        self.sums = torch.logaddexp(self.sums, added)

    @property
    def value(self) -> Tensor:
        """The estimate: `(rows,)`."""
        return torch.logsumexp(self.sums, 0) - math.log(self.samples)

    def without_each(self) -> Tensor:
        """The estimates without each block: `(blocks, rows)`."""
        if self.blocks < 2:
            return self.value[None]
        others = ~torch.eye(self.blocks, dtype=torch.bool, device=self.sums.device)
        masked = torch.where(others[:, :, None], self.sums[None], -math.inf)
        return torch.logsumexp(masked, 1) - _left(self.samples, self.blocks, self.sums).log()

    @property
    def error(self) -> Tensor:
        """Its standard error: `(rows,)`, nats."""
        return jackknife(self.without_each())


class Mean:
    """Mean of one number per sample and row, in float64, with blocks as in `LogMean`."""

    def __init__(self, samples: int, rows: int, device: torch.device) -> None:
        self.samples, self.blocks = samples, min(BLOCKS, samples)
        self.sums = torch.zeros((self.blocks, rows), dtype=torch.float64, device=device)
        self.squares = torch.zeros(rows, dtype=torch.float64, device=device)
        self.centre: Tensor | None = None

    def add(self, first: int, values: Tensor) -> None:
        """Take in values `(size, rows)`, those of samples first, first + 1, ..."""
        v = values.to(torch.float64)
        if self.centre is None:
            self.centre = v[0]
        v = v - self.centre
        self.squares = self.squares + v.square().sum(0)
        short = -len(v) % self.blocks
        if short:
            v = torch.cat([v, v.new_zeros((short, v.shape[1]))])
        self.sums = self.sums + v.view(-1, self.blocks, v.shape[1]).sum(0).roll(first % self.blocks, 0)

    @property
    def value(self) -> Tensor:
        """The estimate: `(rows,)`."""
        return self.sums.sum(0) / self.samples + (0.0 if self.centre is None else self.centre)

    def without_each(self) -> Tensor:
        """The estimates without each block: `(blocks, rows)`."""
        if self.blocks < 2:
            return self.value[None]
        left = _left(self.samples, self.blocks, self.sums)
        return (self.sums.sum(0) - self.sums) / left + (0.0 if self.centre is None else self.centre)

    @property
    def error(self) -> Tensor:
        """Its standard error: `(rows,)`."""
        if self.samples < 2:
            return torch.full_like(self.squares, math.nan)
        variance = (self.squares - self.sums.sum(0).square() / self.samples) / (self.samples - 1)
        return torch.sqrt(variance.clamp_min(0) / self.samples)


def _left(samples: int, blocks: int, like: Tensor) -> Tensor:
    """How many samples are left without each block: `(blocks, 1)`."""
    counts = torch.full((blocks, 1), samples // blocks, dtype=like.dtype, device=like.device)
    counts[: samples % blocks] += 1
    return samples - counts
