"""Laws near given draws, normalised by others' code or by construction: what importance ratios need."""

from __future__ import annotations

import math

import numpy as np
import scipy.stats
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import RelaxedOneHotCategorical

from likely.distributions import (
    DiagonalNormal,
    LatentDistribution,
    LatentMixture,
    OneHot,
    Points,
    RelaxedOneHot,
    UniformSphere,
    VonMisesFisher,
)

__all__ = ["references"]


def references(law: LatentDistribution, z: Tensor) -> list[Tensor]:
    """Log-densities at the draws `(draws, *batch, latent)` of laws near theirs."""
    part = law.components if isinstance(law, LatentMixture) else law
    if isinstance(part, RelaxedOneHot):
        cells = z.unflatten(-1, part.log_p.shape[-2:])
        likeness = cells.mean(0).log()
        near = [RelaxedOneHotCategorical(torch.tensor(t).double(), logits=likeness) for t in (0.75, 0.9)]
        return [other.log_prob(cells).sum(-1) for other in near]
    if isinstance(part, OneHot):
        groups, classes = part.log_p.shape[-2:]
        tilted = F.log_softmax(torch.randn(groups, classes, dtype=z.dtype), -1).flatten()
        return [z.new_full(z.shape[:-1], -groups * math.log(classes)), (z * tilted).sum(-1)]
    if isinstance(part, Points):
        tilted = F.log_softmax(torch.randn(len(part.points), dtype=z.dtype), -1)
        nearest = torch.cdist(z.flatten(0, -2), part.points).argmin(-1).view(z.shape[:-1])
        return [z.new_full(z.shape[:-1], -math.log(len(part.points))), tilted[nearest]]
    if isinstance(part, UniformSphere | VonMisesFisher):
        return [_on_sphere(z, *how) for how in ((0.0, 0.7), (0.3, 1.0), (-0.3, 1.2))]
    centre, spread = z.mean(0), z.std(0)
    normals = ((0.0, 0.5), (0.5, 0.4), (-0.5, 0.4))
    return [DiagonalNormal(centre + shift * spread, (width * spread).log()).log_prob(z) for shift, width in normals]


def _on_sphere(z: Tensor, tilt: float, sharper: float) -> Tensor:
    """scipy's von Mises-Fisher law of the draws' mean direction, tilted, and about their concentration."""
    dim = z.shape[-1]
    length = z.mean(0).norm(dim=-1)
    kappa = (0.5 + sharper * length * (dim - length**2) / (1 - length**2)).view(-1)
    mean = F.normalize(F.normalize(z.mean(0), dim=-1) + tilt * F.one_hot(torch.tensor(0), dim), dim=-1).view(-1, dim)
    laws = [scipy.stats.vonmises_fisher(m.numpy(), float(k)) for m, k in zip(mean, kappa, strict=True)]
    rows = z.reshape(len(z), -1, dim).unbind(1)
    found = [law.logpdf(row.numpy()) for law, row in zip(laws, rows, strict=True)]
    return torch.tensor(np.stack(found, 1)).view(z.shape[:-1])
