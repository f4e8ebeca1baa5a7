"""Which parts of z the model uses."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from torch import Tensor

from likely.data import EncodedRows
from likely.data.noise import Stream
from likely.distributions import Flowed, Hierarchy, LatentDistribution, OneHot, VonMisesFisher
from likely.evaluation.evidence import Evidence, LatentPart
from likely.evaluation.sampling import Chunk, PerRow, rows_with_points
from likely.models import Model

__all__ = ["Collapse", "Method", "Units", "Usage", "active_units", "collapse"]

DRAWS = 16  # of z for each of the two means
MIN_ACTIVITY = 0.01  # of the variance under P(z) (Burda, Grosse, Salakhutdinov 2016, section 5.2)
MIN_KL = 0.01  # nats that a part of z that is used carries
FEW = 0.25  # of the parts: fewer that are used are reported as few


class Method(StrEnum):
    """How the activity of units was computed."""

    MEANS = "means"
    DRAWS = "draws"


class Usage(StrEnum):
    """How much of z the model uses, as it is printed."""

    USED = "used"
    SOME_UNUSED = "some unused"
    MOSTLY_UNUSED = "mostly unused"
    UNUSED = "unused"


@dataclass(frozen=True, eq=False)
class Units:
    """How active each unit of z is: A_u = Cov_x(E_Q(z_u|x)[z_u]).

    Attributes
    ----------
    unit
        What a unit is: a `dimension` of z, a `coordinate` of a unit vector (whose axes mean nothing by themselves), or
        a one-hot `code`, whose variances are summed over its classes.
    variance
        A_u of each unit over the rows.
    prior_variance
        Variance of each unit under P(z): 1 for N(0, I).
    method
        `means`: E_Q[z|x] is in closed form; `draws`: A_u is the covariance of two independent means of 16 draws each,
        which is unbiased, and may be a little below 0.

    """

    unit: LatentPart
    variance: np.ndarray
    prior_variance: np.ndarray
    method: Method

    @property
    def active(self) -> int:
        """How many units have A_u above 0.01 of their variance under P(z)."""
        return int((self.variance > MIN_ACTIVITY * self.prior_variance).sum())


@torch.no_grad()
def active_units(model: Model, rows: EncodedRows, seed: int = 0) -> Units:
    """The activity of each unit of z (Burda, Grosse, Salakhutdinov 2016, section 5.2), where 0.01 counts as active.

    There P(z) is N(0, I). Here the threshold is relative to a unit's variance under P(z), as a learned prior may have
    any scale. In a hierarchy a unit may be active because of the groups above it: the KL tells what it adds.
    """
    model.eval()
    per_row, sampled, q = PerRow(), False, None
    for chunk in per_row.chunks(rows, seed, rows_with_points(model), distinct_noise_for_copies=True):
        q = model.posterior(chunk.batch)
        means = _means(q, chunk)
        sampled = len(means) > 1
        per_row.add(chunk, one=means[0], two=means[-1])
    one, two = (per_row.tensor(name).to(torch.float64) for name in ("one", "two"))
    each = ((one - one.mean(0)) * (two - two.mean(0))).sum(0) / max(len(one) - 1, 1)
    prior = model.prior().variance.to(torch.float64).expand_as(each)
    unit = LatentPart.COORDINATE if isinstance(q, VonMisesFisher) else LatentPart.DIMENSION
    if isinstance(q, OneHot):
        unit, classes = LatentPart.CODE, q.log_p.shape[-1]
        each, prior = (part.unflatten(-1, (-1, classes)).sum(-1) for part in (each, prior))
    return Units(unit, each.cpu().numpy(), prior.cpu().numpy(), Method.DRAWS if sampled else Method.MEANS)


def _means(q: LatentDistribution, chunk: Chunk) -> Tensor:
    """E_Q[z|x], `(1, rows, latent)`, or two independent estimates of it, `(2, rows, latent)`."""
    if not isinstance(q, Hierarchy | Flowed):
        return q.mean.unsqueeze(0)
    z = q.from_noise(chunk.noise(Stream.ACTIVITY, q, 0, 2 * DRAWS))
    means: Tensor = z.unflatten(0, (2, DRAWS)).mean(1)
    return means


@dataclass(frozen=True)
class Collapse:
    """Whether z is used.

    Attributes
    ----------
    part
        What the parts are: a `dimension` or `group`, by their KL; or a `unit`, by its activity, where the KL has no
        parts.
    unused
        Numbers of the parts that carry less than 0.01 nats, or are not active.
    parts
        How many there are.
    kl
        All of the KL, nats per row.
    verdict
        `used`; `some unused`, which is normal; `mostly unused` and `unused`, which are a problem where `could_use`.
    dependence, dependence_limit
        Largest eigenvalue of the correlations between cells that P(x|z) leaves, and what it is at most by chance.
    could_use
        Whether that is exceeded: z could carry something that it does not.

    """

    part: LatentPart
    unused: tuple[int, ...]
    parts: int
    kl: float
    verdict: Usage
    dependence: float
    dependence_limit: float
    could_use: bool

    @property
    def is_problem(self) -> bool:
        """Whether z is hardly used although it could be."""
        return self.could_use and self.verdict in (Usage.MOSTLY_UNUSED, Usage.UNUSED)


def collapse(evidence: Evidence, units: Units, left: tuple[float, float]) -> Collapse:
    """Parts of z that carry less than 0.01 nats, and whether that matters, judged by the dependence that is left."""
    part = LatentPart.UNIT
    if evidence.kl_parts is not None:
        idle = evidence.kl_parts < MIN_KL
        part = evidence.part
    else:
        idle = units.variance <= MIN_ACTIVITY * units.prior_variance
    unused = tuple(int(i) for i in np.flatnonzero(idle))
    used, parts = len(idle) - len(unused), len(idle)
    verdict = Usage.SOME_UNUSED if unused else Usage.USED
    if not used:
        verdict = Usage.UNUSED
    elif used < FEW * parts:
        verdict = Usage.MOSTLY_UNUSED
    kl = float(evidence.terms["kl"].mean())
    return Collapse(part, unused, parts, kl, verdict, *left, could_use=left[0] > left[1])
