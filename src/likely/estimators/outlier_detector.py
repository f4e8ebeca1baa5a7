"""Rows that are improbable under P(X)."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, Self, final

import numpy as np
import pandas as pd
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted

from likely.assembly import fits
from likely.errors import ConfigError
from likely.estimators.coordinates import Coordinates
from likely.estimators.learner import Learner
from likely.estimators.table import division_of, likelier, quantile, weighed
from likely.run.inspect import inspect

__all__ = ["VAEOutlierDetector"]


COARSE, FIRST, SECOND, DROPPED = "kernel:0.25", "trimmed:0.4", "trimmed:0.2", 0.2
STARTS, FEW_ROWS = 3, 500  # models that are averaged where there are fewer rows than that


@final
class VAEOutlierDetector(OutlierMixin, Learner):
    """Outlier detector that marks the rows of least log P, under scikit-learn's contract.

    A number x counts by its distance and by its rank, as t(x) = (x − mean) / deviation + Φ⁻¹(F(x)) of its column, and
    t is modelled as normal given z with a quarter of its deviation (`kernel:0.25`), not as finely as it is recorded:
    log P then tells of where rows lie, not of the digits they end in. It is a density of t, not one of the data's
    units. Categories, truths and numbers of which there are few different ones have masses; a table of these alone has
    the likelihoods of `likely.fit`. With a likelihood of one's own, columns are taken as they are.

    The rows of the fit may hold outliers themselves. So a first model leaves the least probable 40% of each batch out
    (`trimmed:0.4`); of fewer than 500 rows three such models do, and the mean of their log P counts, since one may take
    a cluster of outliers for ordinary. The fifth of the rows that is least probable is dropped, and of the others a
    second model leaves 20% out, as robust estimates are reweighted (Rousseeuw and van Driessen 1999, A fast algorithm
    for the minimum covariance determinant estimator). With an objective of one's own, one model is fitted to all rows.
    With `novelty=True`, one to all rows and jittered copies of them, by the evidence lower bound.

    A row is an outlier, −1, where log P is below `offset_`, the quantile of order `contamination` of log P over the
    rows of the fit; else it is an inlier, 1. Rows are what `VariationalAutoencoder` takes. For a
    row with missing cells, log P covers the observed cells only; compare it only with rows that miss the same cells.

    Parameters
    ----------
    n_components
        Dimension of z; by the number of columns unless given.
    contamination
        The share of outliers among the rows of the fit, above 0 and at most 0.5. These rows trained the model: of new
        rows of the same kind more are called outliers.
    novelty
        All rows of the fit are inliers, and outliers are looked for among new ones: every row trains.
    max_epochs, max_minutes
        The budget, at most one of them: the epochs of each model, the minutes of all. Without one training ends when
        validation stalls.
    random_state
        A whole number is the seed of the fit and of every estimate; else a seed is drawn from it.
    verbose
        Whether bars are drawn, in a terminal or a notebook, of what takes more than two seconds.
    prior, posterior, likelihood, objective, network
        The parts by name, as `likely parts` lists them; the likelihood and the objective above, and else the defaults
        of `likely.fit`, unless given.

    Attributes
    ----------
    run_
        The fitted `likely.Run`, in float64, of rows in these coordinates. A tenth of its rows chose its weights - with
        `novelty=True` rows whose copies trained - and it has no test rows.
    coordinates_
        The coordinates t; `None` with a likelihood of one's own.
    offset_
        What `decision_function` subtracts from log P, nats.

    Examples
    --------
    >>> import numpy as np
    >>> from likely.estimators import VAEOutlierDetector
    >>> x = np.random.default_rng(0).normal(size=(150, 2)) @ [[2.0, 1.0], [0.0, 0.5]]
    >>> detector = VAEOutlierDetector(contamination=0.02, max_epochs=20, random_state=0).fit(x)
    >>> detector.predict([[0.0, 0.0], [6.0, -6.0]]).tolist()
    [1, -1]

    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        contamination: float = 0.1,
        novelty: bool = False,
        max_epochs: int | None = None,
        max_minutes: float | None = None,
        random_state: Any = None,
        verbose: bool | int = False,
        prior: str | None = None,
        posterior: str | None = None,
        likelihood: str | None = None,
        objective: str | None = None,
        network: str | None = None,
    ) -> None:
        super().__init__(
            n_components,
            max_epochs=max_epochs,
            max_minutes=max_minutes,
            random_state=random_state,
            verbose=verbose,
            prior=prior,
            posterior=posterior,
            likelihood=likelihood,
            objective=objective,
            network=network,
        )
        self.contamination = contamination
        self.novelty = novelty

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:  # noqa: ARG002
        """Learn P(X), and where its least probable rows begin; y is not used.

        A row of weight w counts as w rows (`likely.fit`), in `contamination` too; one of weight 0 is left out.

        Raises
        ------
        ValueError
            If there are fewer than three rows, or the rows or a parameter cannot be used.

        """
        share = self.contamination
        if not isinstance(share, Real) or not 0 < share <= 0.5:
            raise ConfigError(f"contamination must be above 0 and at most 0.5, got {share!r}")
        options = self._options()
        rows, weights = weighed(self._taken(X), sample_weight)
        if self.novelty or self.objective is not None:
            self._learn_coarsely(rows, options, weights)
        else:
            self._learn_robustly(rows, options, weights)
        self.offset_: float = quantile(self._log_px(self._placed(rows)), float(share), weights)
        return self

    def _learn_robustly(
        self, rows: pd.DataFrame | np.ndarray, options: Mapping[str, Any], weights: np.ndarray | None
    ) -> None:
        starts = STARTS if len(rows) < FEW_ROWS else 1
        if options["minutes"] is not None:
            options = {**options, "minutes": options["minutes"] / (starts + 1)}
        log_px = np.zeros(len(rows))
        for seed in (options["seed"], *np.random.default_rng(options["seed"]).integers(2**31, size=starts - 1)):
            self._learn_coarsely(rows, {**options, "objective": FIRST, "seed": int(seed)}, weights)
            log_px += self._log_px(self._placed(rows)) / starts
        kept = likelier(rows, log_px, DROPPED, weights)
        weights = None if weights is None else weights[kept]
        self._learn_coarsely(rows[kept], {**options, "objective": SECOND}, weights)

    def _learn_coarsely(
        self, rows: pd.DataFrame | np.ndarray, options: Mapping[str, Any], weights: np.ndarray | None
    ) -> None:
        self.coordinates_: Coordinates | None = None
        if options["likelihood"] is None:
            self.coordinates_ = Coordinates.of(rows)
            rows = self.coordinates_(rows)
            if self.novelty:
                count, rows = len(rows), self.coordinates_.smoothed(rows, options["seed"])
                weights = None if weights is None else np.tile(weights, len(rows) // count)
        self._learn(rows, {**options, "likelihood": options["likelihood"] or _coarse(rows, options["seed"])}, weights)

    def _placed(self, rows: pd.DataFrame | np.ndarray) -> pd.DataFrame | np.ndarray:
        return rows if self.coordinates_ is None else self.coordinates_(rows)

    def score_samples(self, X: Any) -> np.ndarray:
        """log P of each row's coordinates, by the importance-weighted bound L_100, `(rows,)`, nats.

        The higher, the more normal; by a likelihood of one's own it is log P(x), in the data's units.
        """
        return self._log_px(self._placed(self._rows(X)))

    def decision_function(self, X: Any) -> np.ndarray:
        """log P − `offset_`: negative for outliers."""
        return np.asarray(self.score_samples(X) - self.offset_)

    def predict(self, X: Any) -> np.ndarray:
        """−1 for outliers, 1 for inliers."""
        check_is_fitted(self, "run_")
        return np.where(self.decision_function(X) < 0, -1, 1)


def _coarse(rows: pd.DataFrame | np.ndarray, seed: int) -> str | None:
    """The coarse likelihood where it fits a column; none of a table of categories, truths or a few distinct numbers."""
    return COARSE if fits(COARSE, inspect(rows, split=division_of(rows, seed)).schema) else None
