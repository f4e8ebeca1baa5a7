"""Normals given some of their coordinates, rows that miss the same ones together."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from likely.distributions.latent import full_precision

__all__ = ["Given", "Masks"]

MAX_NUMBERS = 2**22  # held at once: 32 MiB in float64
MANY_ROWS = 8  # that miss the same cells: they are taken apart from others
HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True, eq=False)
class Given:
    """What some rows y_o say of each of K normals N(m_k, C_k), of rows with equally many coordinates that are missing.

    Attributes
    ----------
    rows
        Numbers of the rows, `(rows,)`.
    mask
        For each row its place among `missing` and `spread`, `(rows,)`.
    missing
        Places of the missing coordinates, `(masks, m)`.
    spread
        The covariance of the missing ones given the others, (Λ_mm)⁻¹ with Λ = C⁻¹: `(masks, K, m, m)`.
    away
        y − m_k, with E[y_m|y_o] in the places of missing ones: `(rows, K, dim)`.
    log_density
        log N(y_o; m_ko, C_koo): `(rows, K)`, nats.

    """

    rows: Tensor
    mask: Tensor
    missing: Tensor
    spread: Tensor
    away: Tensor
    log_density: Tensor


class Masks:
    """Rows `(rows, dim)`, of which each knows some coordinates, grouped: what depends on the mask is computed once.

    Parameters
    ----------
    places
        The coordinates, anything where they are not known: float64.
    known
        Which are known, boolean.

    """

    def __init__(self, places: Tensor, known: Tensor) -> None:
        self.places, self.known = places.where(known, 0.0), known
        masks, which = torch.unique(~known, dim=0, return_inverse=True)
        self._order = which.argsort(stable=True)
        self._size = torch.bincount(which, minlength=len(masks))
        self._first = self._size.cumsum(0) - self._size
        self._missing = masks.to(torch.int8).argsort(dim=1, descending=True, stable=True)
        self._counts = masks.sum(1)

    def given(self, means: Tensor, covariances: Tensor) -> Iterator[Given]:
        r"""Each row once, with N(m_k, C_k), `(K, dim)` and `(K, dim, dim)`.

        With Λ = C⁻¹, and a = y − m where y is known and else 0,

            E[y_m|y_o] − m_m = −(Λ_mm)⁻¹ (Λa)_m,
            log N(y_o) = −½ (aᵀΛa − (Λa)_mᵀ (Λ_mm)⁻¹ (Λa)_m) − ½ log det C − ½ log det Λ_mm − ½ (dim − m) log 2π,

        so that what is inverted for each mask is as large as what is missing.
        """
        with full_precision(means):
            factors = torch.linalg.cholesky(covariances)
            precisions = torch.cholesky_inverse(factors)
            log_det = factors.diagonal(dim1=-2, dim2=-1).log().sum(-1)
            each = len(means) * self.places.shape[1]
            for count in self._counts.unique().tolist():
                group = (self._counts == count).nonzero().squeeze(1)
                many = self._size[group] >= MANY_ROWS
                numbers = len(means) * max(self.places.shape[1], int(count) ** 2) * MANY_ROWS
                parts = [*group[many].split(1), *group[~many].split(max(1, MAX_NUMBERS // numbers))]
                for masks in parts:
                    if not len(masks):
                        continue
                    missing = self._missing[masks, :count]
                    block = precisions[:, missing[:, :, None], missing[:, None, :]].transpose(0, 1)
                    factor = torch.linalg.cholesky(block)
                    spread = torch.cholesky_inverse(factor) if count else block
                    total = log_det + factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
                    mask, rows = self._rows(masks)
                    size = max(1, MAX_NUMBERS // each)
                    for some, of in zip(rows.split(size), mask.split(size), strict=True):
                        yield self._given(some, of, missing, spread, means, precisions, total)

    def _rows(self, masks: Tensor) -> tuple[Tensor, Tensor]:
        """The rows of some masks: which of these each has, and its number."""
        size = self._size[masks]
        mask = torch.repeat_interleave(torch.arange(len(masks), device=size.device), size)
        start = self._first[masks] - (size.cumsum(0) - size)
        return mask, self._order[start[mask] + torch.arange(len(mask), device=size.device)]

    def _given(
        self,
        rows: Tensor,
        mask: Tensor,
        missing: Tensor,
        spread: Tensor,
        means: Tensor,
        precisions: Tensor,
        log_det: Tensor,
    ) -> Given:
        known = self.known[rows].unsqueeze(1)
        away = torch.where(known, self.places[rows].unsqueeze(1) - means, 0.0)
        pulled = (away.transpose(0, 1) @ precisions).transpose(0, 1)
        square = (away * pulled).sum(-1)
        count = missing.shape[1]
        if count:
            each = missing[mask].unsqueeze(1).expand(-1, len(means), -1)
            there = pulled.gather(2, each)
            if len(spread) == 1:
                filled = -(there.transpose(0, 1) @ spread[0]).transpose(0, 1)
            else:
                filled = -(spread[mask] @ there.unsqueeze(-1)).squeeze(-1)
            square = square + (there * filled).sum(-1)
            away = away.scatter(2, each, filled)
        density = -0.5 * square - log_det[mask] - (means.shape[1] - count) * HALF_LOG_TWO_PI
        return Given(rows, mask, missing, spread, away, density)
