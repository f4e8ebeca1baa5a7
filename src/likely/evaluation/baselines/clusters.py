"""Mixtures of normal distributions fitted to rows by EM."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from likely.evaluation.baselines.cells import NumericCells, Seen
from likely.evaluation.baselines.chain import Chain
from likely.evaluation.baselines.gaussian import Training, leading
from likely.evaluation.baselines.moments import Moments

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture

__all__ = ["mixture"]

FULL_DIMS = 32  # cells up to which components have full covariances; leading directions in which more are grouped
MAX_ROWS = 10_000  # of training that the components are fitted on
# Numbers of components and floors of their variances, among which rows held out choose.
COUNTS = (2, 4, 8, 16)
TIED_COUNTS = (2, 4, 10)
FLOORS = (1e-6, 1e-4, 1e-2, 1e-1)

Response = Callable[[Tensor], Tensor]


def mixture(training: Training, single: Chain, ridge: float, seed: int) -> tuple[Chain, str]:
    """A mixture of normal distributions, and what it is.

    Up to 32 cells: EM with a full covariance per component (Dempster, Laird, Rubin 1977) on at most 10,000 rows; the
    number of components (1 to 16), the floor added to the variances and the stretch are chosen by held-out rows, then
    EM goes on with these. Beyond: EM with diagonal covariances in the space of the 32 leading principal components
    gives the responsibilities, and one step of maximisation the means and the one covariance within components; the
    number (1 to 10) is chosen by held-out rows, ridge and stretch are the single Gaussian's.

    Parameters
    ----------
    training
        The rows; the first fold is what is held out.
    single, ridge
        What `gaussian.full` found.
    seed
        Of the starts of EM.

    """
    if len(training.cells) <= FULL_DIMS:
        return _full(training, seed)
    return _tied(training, single, ridge, seed)


def _best(candidates: Iterable[Chain], held: Seen) -> tuple[Chain, int]:
    """The candidate that gives held-out rows the highest mean log P(x), and its number."""
    scored = ((float(one.log_prob(held).mean()), one) for one in candidates)
    number, (_, chosen) = max(enumerate(scored), key=lambda pair: pair[1][0])
    return chosen, number


def _some(training: Training) -> Tensor:
    """At most 10,000 of the rows that are not held out, in standardised units."""
    first = len(training.folds[0].y)
    return training.cells.read(training.values[first : first + MAX_ROWS]).y


def _em(y: np.ndarray, count: int, kind: str, floor: float, seed: int, start: Chain | None = None) -> GaussianMixture:
    from sklearn.mixture import GaussianMixture  # a second to load, and only baselines need it

    estimate = GaussianMixture(count, covariance_type=kind, reg_covar=floor, max_iter=60, random_state=seed)
    if start is not None:
        estimate.max_iter = 10
        estimate.weights_init, estimate.means_init = start.log_weights.exp().numpy(), start.means.numpy()
        estimate.precisions_init = torch.cholesky_inverse(start.factors).numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # EM that has not converged is a distribution all the same
        return estimate.fit(y)


def _full(training: Training, seed: int) -> tuple[Chain, str]:
    cells, held, y = training.cells, training.folds[0], _some(training).numpy()
    y = np.concatenate([y, y]) if len(y) == 1 else y  # EM refuses a single row
    choices = [(1, FLOORS[0])]
    choices += [(n, floor) for n in COUNTS if len(y) >= n * (len(cells) + 2) for floor in FLOORS]

    def fitted(rows: np.ndarray, count: int, floor: float, start: Chain | None = None) -> Chain:
        mixture = _em(rows, count, "full", floor, seed, start)
        numbers = (mixture.weights_, mixture.means_, mixture.covariances_)
        return Chain.of(cells, *(torch.as_tensor(np.asarray(number), dtype=torch.float64) for number in numbers))

    chosen, number = _best((fitted(y, *choice).calibrated(held) for choice in choices), held)
    chain = fitted(np.concatenate([y, held.y.numpy()]), *choices[number], chosen)
    count = choices[number][0]
    return replace(chain, adjustment=chosen.adjustment), f"{count} components with full covariances"


def _tied(training: Training, single: Chain, ridge: float, seed: int) -> tuple[Chain, str]:
    moments, y = training.without[0], _some(training)
    vectors = leading(moments.covariance, FULL_DIMS)[1]

    def scores(rows: Tensor) -> np.ndarray:
        return np.asarray(((rows - moments.mean) @ vectors).numpy())

    counts = [count for count in TIED_COUNTS if count <= len(y) // 5]
    groups = [None, *(_em(scores(y), count, "diag", 1e-4, seed) for count in counts)]

    def fitted(group: GaussianMixture | None, *, all_rows: bool) -> Chain:
        def response(rows: Tensor) -> Tensor:
            if group is None:
                return torch.ones((len(rows), 1), dtype=torch.float64)
            return torch.from_numpy(group.predict_proba(scores(rows)))

        total = training.moments if all_rows else moments
        chain = _one_step(training.parts(all_rows=all_rows), total, response, ridge, training.cells)
        return replace(chain, adjustment=single.adjustment)

    _, number = _best((fitted(group, all_rows=False) for group in groups), training.folds[0])
    what = f"{(1, *counts)[number]} components with one covariance for all"
    return fitted(groups[number], all_rows=True), what


def _one_step(parts: Iterable[Seen], moments: Moments, response: Response, ridge: float, cells: NumericCells) -> Chain:
    """The maximisation step of means, one row at the common mean added to each, and of the covariance within."""
    count, total = torch.zeros(1, dtype=torch.float64), torch.zeros((1, len(cells)), dtype=torch.float64)
    for part in parts:
        share = response(part.y)
        count, total = count + share.sum(0), total + share.T @ (part.y - moments.mean)
    centres, kept = total / count.clamp_min(1e-12)[:, None], count / (count + 1)
    lost = (count / moments.rows * kept * (2 - kept))[:, None] * centres
    within = moments.covariance - centres.T @ lost + ridge * torch.eye(len(cells), dtype=torch.float64)
    weights = (count + 1) / (count + 1).sum()
    return Chain.of(cells, weights, moments.mean + kept[:, None] * centres, within[None])
