"""The aggregated posterior Q(z) = E_x Q(z|x) beside the prior, and how far z tells rows apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from likely.data import EncodedRows
from likely.data.noise import Stream
from likely.distributions import DiagonalNormal, LatentDistribution, OneHot, VonMisesFisher
from likely.evaluation.sampling import MAX_NUMBERS, chunks, random_subset
from likely.models import Model

__all__ = ["Aggregate", "aggregate"]

DRAWS = 4  # of z for each row
MAX_COSTLY_ROWS = 200  # where a density of Q(z|x) takes a network
MAX_CHUNK_ROWS = 200  # whose Q are compared with all z at once
MIN_ROWS_PER_DIMENSION = 4  # for the covariance of Q(z)


@dataclass(frozen=True)
class Aggregate:
    """E_x D[Q(z|x)‖P(z)] = I(x;z) + D[Q(z)‖P(z)], each with its errors over rows, in nats.

    Attributes
    ----------
    rows
        How many were looked at. A density of Q(z|x) that is costly (a flow, a hierarchy, full covariance) allows 200.
    kl, kl_se
        E_x D[Q(z|x)‖P(z)], from the same draws as the rest.
    information_least, information_least_se
        I(x;z) with Q(z) the mean over these rows, their own among them: too small in expectation, at most log(rows).
    information_most, information_most_se
        I(x;z) with Q(z) the mean over the other rows: too large in expectation.
    information_limit
        log(rows): what the first one cannot exceed.
    divergence_least, divergence_least_se
        D[Q(z)‖P(z)] from `information_most`, too small in expectation and at times below 0.
    divergence_most, divergence_most_se
        The same from `information_least`, too large in expectation.
    divergence_moments
        D[N(m, C)‖P(z)], m and C the mean and covariance of Q(z): no more than D[Q(z)‖P(z)] where P(z) is normal.
        Estimated, d(d + 3)/(4 rows), its bias to first order, taken off; `None` where P(z) is not normal or there are
        less than 4 rows a dimension.

    """

    rows: int
    kl: float
    kl_se: float
    information_least: float
    information_least_se: float
    information_most: float
    information_most_se: float
    information_limit: float
    divergence_least: float
    divergence_least_se: float
    divergence_most: float
    divergence_most_se: float
    divergence_moments: float | None

    @property
    def least(self) -> float:
        """The best of what D[Q(z)‖P(z)] is at least: 4 errors are taken off what is estimated."""
        return max(0.0, self.divergence_least - 4 * self.divergence_least_se, self.divergence_moments or 0.0)


@torch.no_grad()
def aggregate(model: Model, rows: EncodedRows, seed: int = 0) -> Aggregate | None:
    """The KL over rows, split into I(x;z) and D[Q(z)‖P(z)] (Hoffman and Johnson 2016, ELBO surgery).

    Q(z) is a mean over rows. With a row's own Q(z|x) among them I(x;z) is bounded from below (van den Oord, Li, Vinyals
    2018), without it from above (Poole et al. 2019, On variational bounds of mutual information). The
    two are the same where rows overlap in z, and far apart where I(x;z) is above log(rows).

    Parameters
    ----------
    model, rows
        The rows encoded and binarised once where that applies.
    seed
        Of the noise, which is keyed by (seed, row, copy of the row).

    Returns
    -------
    Aggregate
        Or `None` for less than two rows.

    """
    model.eval()
    if not _cheap(model.posterior(rows.evaluation_batch(torch.zeros(1, dtype=torch.int64, device=rows.device)))):
        rows = random_subset(rows, MAX_COSTLY_ROWS, seed)
    if len(rows) < 2:
        return None
    posteriors, draws, own, counts = [], [], [], []
    for chunk in chunks(rows, seed, min(MAX_CHUNK_ROWS, len(rows)), distinct_noise_for_copies=True):
        q = model.posterior(chunk.batch)
        drawn = q.sample_with_log_prob(noise=chunk.noise(Stream.AGGREGATE, q, 0, DRAWS))
        own.append(drawn.log_prob[:, : chunk.count])
        draws.append(drawn.z[:, : chunk.count])
        posteriors.append(q)
        counts.append(chunk.count)
    z, log_q = torch.cat(draws, 1), torch.cat(own, 1).to(torch.float64)
    p = model.prior()
    log_p = torch.cat([p.log_prob(part) for part in z.split(MAX_CHUNK_ROWS, 1)], 1).to(torch.float64)
    whole, others = _averaged(model, z, posteriors, counts)
    n = len(rows)
    terms = {
        "kl": log_q - log_p,
        "information_least": log_q - whole + math.log(n),
        "information_most": log_q - others + math.log(n - 1),
        "divergence_most": whole - math.log(n) - log_p,
        "divergence_least": others - math.log(n - 1) - log_p,
    }
    numbers: dict[str, float] = {}
    for name, term in terms.items():
        each = term.mean(0)
        numbers |= {name: float(each.mean()), f"{name}_se": float(each.std()) / math.sqrt(n)}
    return Aggregate(n, **numbers, information_limit=math.log(n), divergence_moments=_moments(z, p))


def _cheap(q: LatentDistribution) -> bool:
    """Whether densities of Q take no network, and no matrix, for each pair of z and x."""
    return isinstance(q, DiagonalNormal | OneHot | VonMisesFisher)


def _averaged(
    model: Model, z: Tensor, posteriors: list[LatentDistribution], counts: list[int]
) -> tuple[Tensor, Tensor]:
    """log Σ_m Q(z|x_m) over all rows, and over all but z's own: `(draws, rows)`, float64."""
    flat = z.flatten(0, 1)
    row = torch.arange(z.shape[1], device=z.device).repeat(len(z))
    whole = torch.full((len(flat),), -math.inf, dtype=torch.float64, device=z.device)
    others = whole.clone()
    first = 0
    for q, count in zip(posteriors, counts, strict=True):
        place = first + torch.arange(q.batch_shape[0], device=z.device)
        numbers = z.shape[-1] if _cheap(q) else max(model.widest, z.shape[-1] ** 2)
        for index in torch.arange(len(flat), device=z.device).split(max(1, MAX_NUMBERS // (len(place) * numbers))):
            each = q.log_prob(flat[index].unsqueeze(1).expand(-1, len(place), -1)).to(torch.float64)
            each = each.masked_fill(place >= first + count, -math.inf)
            whole[index] = torch.logaddexp(whole[index], torch.logsumexp(each, 1))
            each = each.masked_fill(place == row[index].unsqueeze(1), -math.inf)
            others[index] = torch.logaddexp(others[index], torch.logsumexp(each, 1))
        first += count
    return whole.view(z.shape[:2]), others.view(z.shape[:2])


def _moments(z: Tensor, p: LatentDistribution) -> float | None:
    """D[N(m, C)‖P] = ½ (tr C + ‖m‖² − d − log|C|) in P's units, for a normal P, less its first-order bias."""
    draws, rows, d = z.shape
    if not isinstance(p, DiagonalNormal) or rows < MIN_ROWS_PER_DIMENSION * d:
        return None
    y = ((z - p.loc) * (-p.log_std).exp()).to(torch.float64).flatten(0, 1)
    mean = y.mean(0)
    covariance = (y - mean).T @ (y - mean) / (draws * rows - 1)
    divergence = 0.5 * (covariance.trace() + mean.square().sum() - d - torch.logdet(covariance))
    return float(divergence) - d * (d + 3) / (4 * rows)
