"""Normals given some of their coordinates, rows that miss the same cells together."""

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
    """What some rows say of each of K normals N(m_k, C_k), of rows with equally many coordinates that are known.

    Attributes
    ----------
    rows
        Numbers of the rows, `(rows,)`.
    mask
        For each row its place among `known` and `precision`, `(rows,)`.
    known
        Places of the known coordinates, `(masks, k)`.
    precision
        (C_oo)⁻¹ of each mask, `(masks, K, k, k)`.
    solved
        (C_oo)⁻¹ (y_o − m_o), `(rows, K, k)`.
    log_density
        log N(y_o; m_o, C_oo), `(rows, K)`, nats.

    """

    rows: Tensor
    mask: Tensor
    known: Tensor
    precision: Tensor
    solved: Tensor
    log_density: Tensor

    def means(self, means: Tensor, covariances: Tensor) -> Tensor:
        """m + S_·o (C_oo)⁻¹ (y_o − m_o), `(rows, K, dim)`, with S `(K, dim, dim)`."""
        if not self.known.shape[1]:
            return means.expand(len(self.rows), *means.shape)
        return means + _each(self._beside(covariances), self.mask, self.solved)

    def variances(self, covariances: Tensor) -> Tensor:
        """The diagonal of S − S_·o (C_oo)⁻¹ S_o·, of each mask: `(masks, K, dim)`."""
        beside = self._beside(covariances)
        kept = covariances.diagonal(dim1=-2, dim2=-1)
        return (kept - ((beside @ self.precision) * beside).sum(-1)).clamp_min(0)

    def covariances(self, covariances: Tensor) -> Tensor:
        """S − S_·o (C_oo)⁻¹ S_o·, of each mask: `(masks, K, dim, dim)`."""
        beside = self._beside(covariances)
        return covariances - beside @ self.precision @ beside.mT

    def _beside(self, covariances: Tensor) -> Tensor:
        """S_·o, `(masks, K, dim, k)`."""
        return covariances[:, :, self.known].permute(2, 0, 1, 3)


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
        masks, which = torch.unique(known, dim=0, return_inverse=True)
        self.count = len(masks)
        self._order = which.argsort(stable=True)
        self._size = torch.bincount(which, minlength=len(masks))
        self._first = self._size.cumsum(0) - self._size
        self._known = masks.to(torch.int8).argsort(dim=1, descending=True, stable=True)
        self._counts = masks.sum(1)

    def given(self, means: Tensor, covariances: Tensor) -> Iterator[Given]:
        """Each row once, with N(m_k, C_k), `(K, dim)` and `(K, dim, dim)`."""
        with full_precision(means):
            for count in self._counts.unique().tolist():
                group = (self._counts == count).nonzero().squeeze(1)
                many = self._size[group] >= MANY_ROWS
                for mask in group[many].split(1):
                    yield self._given(mask, int(count), means, covariances)
                numbers = len(means) * max(1, count) * self.places.shape[1] * MANY_ROWS
                for part in group[~many].split(max(1, MAX_NUMBERS // numbers)):
                    yield self._given(part, int(count), means, covariances)

    def _given(self, masks: Tensor, count: int, means: Tensor, covariances: Tensor) -> Given:
        size = self._size[masks]
        mask = torch.repeat_interleave(torch.arange(len(masks), device=size.device), size)
        start = self._first[masks] - (size.cumsum(0) - size)
        rows = self._order[start[mask] + torch.arange(len(mask), device=size.device)]
        known = self._known[masks, :count]
        block = covariances[:, known[:, :, None], known[:, None, :]].transpose(0, 1)
        factor = torch.linalg.cholesky(block)
        precision = torch.cholesky_inverse(factor) if count else block
        log_det = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        each = known[mask]
        away = self.places[rows].gather(1, each).unsqueeze(1) - means[:, each].transpose(0, 1)
        solved = _each(precision, mask, away)
        density = -0.5 * (away * solved).sum(-1) - log_det[mask] - count * HALF_LOG_TWO_PI
        return Given(rows, mask, known, precision, solved, density)


def _each(matrices: Tensor, mask: Tensor, vectors: Tensor) -> Tensor:
    """Of each row its mask's matrices `(masks, K, a, k)` times its vectors `(rows, K, k)`: `(rows, K, a)`."""
    if len(matrices) == 1:
        return (vectors.transpose(0, 1) @ matrices[0].mT).transpose(0, 1)
    return (matrices[mask] @ vectors.unsqueeze(-1)).squeeze(-1)
