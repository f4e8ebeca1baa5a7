"""A mixture of normal distributions on the axis that the columns' knots bend: the axis of the model itself."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from likely.evaluation.baselines.boxes import Boxes
from likely.evaluation.baselines.cells import NumericCells, Seen
from likely.evaluation.baselines.chain import Chain

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture

__all__ = ["MAX_WARPED_CELLS", "warped_mixture"]

COUNTS = (1, 2, 4, 8, 16, 32)  # of components
FLOORS = (0.3, 0.1, 0.03, 0.01, 1e-3, 1e-4)  # added to the variances on the axis, where a column's own is about 1
FULL_CELLS = 32  # up to which several components have full covariances
MAX_WARPED_CELLS = 256  # up to which a mixture is fitted
MAX_POINTS, MAX_COPIES = 4000, 5  # on which EM is run; of each row, where rows are few
MAX_HELD = 2000  # rows that choose
MAX_WORSE = 2  # numbers of components in a row that held-out rows like less, after which no more are tried
ITERATIONS = 60
PRIOR_ROWS = 1.0  # rows with the shares of atoms that all rows have, added to those of each component


@dataclass(frozen=True)
class Choice:
    """Of a mixture: the number of components, the form of their covariances, and the floor of the variances."""

    count: int
    form: str
    floor: float

    def __str__(self) -> str:
        covariances = "full" if self.form == "full" else "diagonal"
        noun = "component" if self.count == 1 else "components"
        return f"{self.count} {noun} with {covariances} covariances"


def warped_mixture(
    cells: NumericCells, values: Tensor, held: tuple[Tensor, Tensor | None] | None, seed: int
) -> tuple[Chain, str]:
    """A mixture of normal distributions of y, chosen by rows held out, and what it is.

    EM runs on points spread evenly over the cells of the rows (`Boxes`), so that coarse cells keep their width; a
    row's mass is that of its cells, each given the values before it (`Chain`). Each component has its own shares of
    atoms and spikes, by its part in the rows. Held-out rows choose the number of components (1 to 32), full or diagonal
    covariances, and the floor of the variances.

    Parameters
    ----------
    cells
        With y on the warped axis, and the shares of atoms that all rows have.
    values
        Training rows in random order, none of whose cells is missing.
    held
        Validation rows and their mask. Where there are none, a fifth of the training rows chooses, and the mixture is
        then fitted to all of them.
    seed
        Of the points and of the starts of EM.

    """
    if held is not None:
        mask = None if held[1] is None else held[1][:MAX_HELD]
        chain, choice = _best(_Points(cells, values, seed), cells.read(held[0][:MAX_HELD], mask, shared=False))
        return chain, str(choice)
    size = max(1, len(values) // 5)
    rest = values[size:] if len(values) > 1 else values
    _, choice = _best(_Points(cells, rest, seed), cells.read(values[:size][:MAX_HELD], shared=False))
    return _Points(cells, values, seed).fitted(choice), str(choice)


class _Points:
    """Points of the boxes of rows, to which mixtures are fitted."""

    def __init__(self, cells: NumericCells, values: Tensor, seed: int) -> None:
        self.cells, self.seed, self.rows = cells, seed, len(values)
        values = values[torch.arange(max(2, min(len(values), MAX_POINTS))) % len(values)]  # EM refuses a single row
        copies = max(1, min(MAX_COPIES, MAX_POINTS // len(values)))
        seen = cells.read(values, shared=False)
        points = Boxes.of(seen).points(torch.Generator().manual_seed(seed), copies)
        self.points = points.flatten(0, 1).numpy()
        slot = torch.full_like(seen.excluded, -1, dtype=torch.long) if seen.slot is None else seen.slot
        self.at = (slot.unsqueeze(-1) == torch.arange(cells.log_pi.shape[1])).to(torch.float64)

    def fitted(self, choice: Choice) -> Chain:
        """The mixture of this choice, by EM."""
        from sklearn.mixture import GaussianMixture  # a second to load, and only baselines need it

        estimate = GaussianMixture(
            choice.count,
            covariance_type=choice.form,
            reg_covar=choice.floor,
            max_iter=ITERATIONS,
            random_state=self.seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # EM that has not converged is a distribution all the same
            estimate.fit(self.points)
        found = (np.asarray(part) for part in (estimate.weights_, estimate.means_, estimate.covariances_))
        weights, means, covariances = (torch.as_tensor(part, dtype=torch.float64) for part in found)
        full = covariances if choice.form == "full" else torch.diag_embed(covariances)
        return replace(Chain.of(self.cells, weights, means, full), log_pi=self._shares(estimate))

    def _shares(self, estimate: GaussianMixture) -> Tensor:
        """Each component's log-shares of atoms and spikes, `(components, cells, most)`."""
        part = torch.from_numpy(np.asarray(estimate.predict_proba(self.points)))
        part = part.view(-1, len(self.at), part.shape[1]).mean(0)
        held = torch.einsum("rk,rca->kca", part, self.at) + PRIOR_ROWS * self.cells.log_pi.exp()
        return (held / (part.sum(0) + PRIOR_ROWS)[:, None, None]).log()


def _best(points: _Points, held: Seen) -> tuple[Chain, Choice]:
    """What gives held-out rows the highest mean log P(x)."""
    scored: list[tuple[float, Chain, Choice]] = []
    for form in ("full", "diag"):
        top, worse = -torch.inf, 0
        for count in _counts(form, points.rows, len(points.cells)):
            tried = list(_falling(points, held, count, form))
            scored += tried
            now = max(score for score, *_ in tried)
            top, worse = max(top, now), 0 if now > top else worse + 1
            if worse == MAX_WORSE:
                break
    _, chain, choice = max(scored, key=lambda entry: entry[0])
    return chain, choice


def _counts(form: str, rows: int, cells: int) -> list[int]:
    """Numbers of components for which there are rows enough."""
    if form == "full" and cells > FULL_CELLS:
        return [1]
    return [count for count in COUNTS if count == 1 or count * (cells + 2 if form == "full" else 4) <= rows]


def _falling(points: _Points, held: Seen, count: int, form: str) -> Iterator[tuple[float, Chain, Choice]]:
    """Mixtures with lower and lower floors, until held-out rows like one less than the one before."""
    before = -torch.inf
    for floor in FLOORS:
        chain = points.fitted(Choice(count, form, floor))
        score = float(chain.log_prob(held).mean())
        yield score, chain, Choice(count, form, floor)
        if score < before:
            return
        before = score
