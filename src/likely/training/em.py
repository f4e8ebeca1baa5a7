"""Maximum likelihood of mixtures of normals, whatever cells are missing, by EM."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from likely.data import EncodedRows
from likely.errors import InputError
from likely.models import Normals
from likely.models.given import Masks

__all__ = ["Fitted", "maximise"]

MAX_ROWS, MAX_VALIDATION_ROWS = 10_000, 1000  # that are looked at: more change the imputed values little
STEPS, STEPS_OF_ONE = 30, 15  # of EM, at most
PATIENCE = 3  # steps without a better validation
TO_COMMON = 0.5  # rows a coordinate by which each covariance is drawn to the mean of all
TO_DIAGONAL = 5.0  # rows by which that mean is drawn to its diagonal
PER_COMPONENT = 1.0  # rows by which a component's weight and mean are drawn to what they were
START = 0.7  # of the covariance of all rows, that of a component at the start


@dataclass(frozen=True)
class Fitted:
    """How EM went.

    Attributes
    ----------
    steps
        In all.
    validation
        The mean log-density of validation rows under each member, nats.
    interrupted
        Whether EM was: then the member in progress is its best so far, and those after it are the one normal that all
        start from.

    """

    steps: int
    validation: tuple[float, ...]
    interrupted: bool = False


@dataclass(frozen=True, eq=False)
class _Mixture:
    """Log-weights `(K,)`, means `(K, dim)` and covariances `(K, dim, dim)` of a mixture of normals."""

    log_weights: Tensor
    means: Tensor
    covariances: Tensor


@dataclass(frozen=True, eq=False)
class _Maximised:
    """The best mixture, the steps taken, and the log-density of validation rows under it."""

    best: _Mixture
    steps: int
    score: float
    interrupted: bool = False


@dataclass(frozen=True, eq=False)
class _Rows:
    masks: Masks
    weights: Tensor


@torch.no_grad()
def maximise(
    model: Normals,
    rows: EncodedRows,
    validation: EncodedRows,
    *,
    seed: int = 0,
    steps: int | None = None,
    minutes: float | None = None,
) -> Fitted:
    r"""Fit each member of the model to training rows by EM, in place, from a start of its own.

    The E step has in closed form, for a row of known features y_o and a component k, its share, which is in proportion
    to π_k N(y_o; m_ko, C_k) with C_k = (S_k + diag ν)_oo, and the moments of all features given y_o. The M step sets
    π_k, m_k and S_k to what they say in all (Ghahramani and Jordan 1994, Supervised learning from incomplete data via
    an EM approach); each S_k is drawn to their mean by half as many rows as there are features, and the mean to its
    diagonal by five rows, as the mode under inverse Wishart priors is (Fraley and Raftery 2007, Bayesian regularization
    for normal mixture estimation and model-based clustering). A member ends when the density of validation rows has not
    risen for three steps, and has the parameters of the best.

    Parameters
    ----------
    model
        Initialised: its noise ν is known.
    rows, validation
        Training rows, at most 10,000 of which are looked at, and the rows that choose the step.
    seed
        Of the starts, and of which rows are looked at.
    steps
        The most steps of a member; 30 unless given.
    minutes
        After how long members only take the step that they are in; any time unless given.

    Raises
    ------
    InputError
        If the density of validation rows never was finite.

    """
    model.eval()
    ends = math.inf if minutes is None else time.perf_counter() + 60 * minutes
    generator = torch.Generator().manual_seed(seed)
    train, held = (
        _looked_at(model, part, most, generator) for part, most in ((rows, MAX_ROWS), (validation, MAX_VALIDATION_ROWS))
    )
    noise = model.noise
    device, dim = noise.device, model.latent
    spread = _variances(train)
    start = _Mixture(noise.new_zeros(1), noise.new_zeros(1, dim), torch.diag(spread + noise).unsqueeze(0))
    most = STEPS if steps is None else steps
    one = _maximised(start, train, held, noise, min(most, STEPS_OF_ONE), ends)
    found, total, interrupted = list[_Maximised](), one.steps, one.interrupted
    for size in model.sizes:
        if size == 1 or interrupted:
            alike = one.best.means.expand(size, dim), one.best.covariances.expand(size, dim, dim)
            found.append(replace(one, best=_Mixture(_even(size, noise), *alike)))
            continue
        drawn = torch.randn(size, dim, generator=generator, dtype=noise.dtype).to(device)
        means = one.best.means + drawn @ torch.linalg.cholesky(one.best.covariances[0]).mT
        first = _Mixture(_even(size, noise), means, START * one.best.covariances.expand(size, dim, dim))
        member = _maximised(first, train, held, noise, most, ends)
        found.append(member)
        total += member.steps
        interrupted = member.interrupted
    members, scores = [one.best for one in found], [one.score for one in found]
    if not all(math.isfinite(score) for score in scores):
        raise InputError("no density of the validation rows was finite; look for extreme values")
    model.logits.copy_(torch.cat([member.log_weights for member in members]))
    model.means.copy_(torch.cat([member.means for member in members]))
    model.factors.copy_(torch.linalg.cholesky(torch.cat([member.covariances for member in members])))
    return Fitted(total, tuple(scores), interrupted)


def _even(size: int, like: Tensor) -> Tensor:
    """Log-weights that are all the same."""
    return like.new_full((size,), -math.log(size))


def _looked_at(model: Normals, rows: EncodedRows, most: int, generator: torch.Generator) -> _Rows:
    index = torch.arange(len(rows))
    if len(rows) > most:
        index = torch.randperm(len(rows), generator=generator)[:most].sort().values
    batch = rows.evaluation_batch(index.to(rows.device))
    places, known = model.located(batch)
    weights = torch.ones(len(places), device=places.device) if batch.weights is None else batch.weights
    return _Rows(Masks(places, known), weights.to(places))


def _variances(rows: _Rows) -> Tensor:
    """Of each feature about 0, over the rows that know it: more than about its mean, where EM starts at 0."""
    counts = rows.masks.known.to(rows.weights).mul(rows.weights.unsqueeze(1)).sum(0).clamp_min(1)
    return rows.masks.places.square().mul(rows.weights.unsqueeze(1)).sum(0) / counts


def _maximised(mixture: _Mixture, train: _Rows, held: _Rows, noise: Tensor, steps: int, ends: float) -> _Maximised:
    """The mixture of the step at which validation rows are most probable, of those until an interrupt."""
    best, best_score, since, step = mixture, -math.inf, 0, 0
    try:
        for step in range(steps + 1):
            score = _log_density(mixture, held, noise)
            since = 0 if score > best_score else since + 1
            if score > best_score:
                best, best_score = mixture, score
            if since == PATIENCE or step == steps or time.perf_counter() > ends:
                break
            mixture = _stepped(mixture, train, noise)
    except KeyboardInterrupt:
        if best_score == -math.inf:
            best_score = _log_density(best, held, noise)
        return _Maximised(best, step, best_score, interrupted=True)
    return _Maximised(best, step, best_score)


def _log_density(mixture: _Mixture, rows: _Rows, noise: Tensor) -> float:
    """The mean over rows, by their weights: nats."""
    total = rows.weights.new_zeros(())
    for given in rows.masks.given(mixture.means, mixture.covariances + torch.diag(noise)):
        density = (mixture.log_weights + given.log_density).logsumexp(1)
        total += (rows.weights[given.rows] * density).sum()
    return float(total / rows.weights.sum())


def _stepped(mixture: _Mixture, rows: _Rows, noise: Tensor) -> _Mixture:
    """One step of EM."""
    means, noisy = mixture.means, mixture.covariances + torch.diag(noise)
    count, dim = means.shape
    shares, moved = means.new_zeros(count), torch.zeros_like(means)
    second, unknown = torch.zeros_like(noisy), torch.zeros_like(noisy).view(count, -1)
    for given in rows.masks.given(means, noisy):
        share = torch.softmax(mixture.log_weights + given.log_density, 1) * rows.weights[given.rows].unsqueeze(1)
        shares += share.sum(0)
        moved += (share.unsqueeze(-1) * given.away).sum(0)
        scaled = (share.sqrt().unsqueeze(-1) * given.away).transpose(0, 1)
        second += scaled.mT @ scaled
        by_mask = means.new_zeros(len(given.missing), count).index_add_(0, given.mask, share)
        places = (given.missing[:, :, None] * dim + given.missing[:, None, :]).flatten()
        unknown.index_add_(1, places, (given.spread * by_mask[..., None, None]).transpose(0, 1).reshape(count, -1))
    return _updated(mixture, shares, moved, second + unknown.view_as(second), noise)


def _updated(mixture: _Mixture, shares: Tensor, moved: Tensor, second: Tensor, noise: Tensor) -> _Mixture:
    """Parameters by the sums over rows of r, of r E[y − m] and of r E[(y − m)(y − m)ᵀ], r the component's share."""
    shift = moved / (shares + PER_COMPONENT).unsqueeze(1)
    outer = shift.unsqueeze(2) * moved.unsqueeze(1)
    scatter = second - outer - outer.mT + shares[:, None, None] * shift.unsqueeze(2) * shift.unsqueeze(1)
    rows = shares.sum()
    common = scatter.sum(0) / rows
    common = (rows * common + TO_DIAGONAL * torch.diag(common.diagonal())) / (rows + TO_DIAGONAL)
    drawn = TO_COMMON * mixture.means.shape[1]
    covariances = (scatter + drawn * common) / (shares + drawn)[:, None, None]
    if len(shares) == 1:
        covariances = common.unsqueeze(0)
    covariances = (covariances + covariances.mT) / 2 + torch.diag(noise) / 10
    weights = (shares + PER_COMPONENT).log()
    return _Mixture(weights - weights.logsumexp(0), mixture.means + shift, covariances)
