"""Rows that are improbable under P(X)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any, Self, final

import numpy as np
import pandas as pd
import torch
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted

from likely.assembly import fits
from likely.errors import ConfigError
from likely.estimators.coordinates import Coordinates
from likely.estimators.learner import SAMPLES, Learner
from likely.estimators.table import division_of, likelier, named, quantile, weighed
from likely.run.inspect import inspect
from likely.tasks.anomalies import contributions

__all__ = ["VAEOutlierDetector"]


COARSE, FIRST, SECOND, DROPPED = "kernel:0.25", "trimmed:0.4", "trimmed:0.2", 0.2
STARTS, FEW_ROWS = 3, 500  # models that are averaged where there are fewer rows than that
GUARD = (
    "run_ is of the detector's coordinates, not of the data: give rows to the detector's own score_samples, predict or "
    "explain, and store the detector itself (pickle, joblib), which keeps coordinates_"
)


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
        The fitted `likely.Run`, in float64, of rows in these coordinates: what it draws is in them, rows of the data it
        refuses. A tenth of its rows chose its weights - with
        `novelty=True` rows whose copies trained - and it has no test rows.
    coordinates_
        The coordinates t; `None` with a likelihood of one's own.
    offset_
        What `decision_function` subtracts from log P, nats.
    decision_scores_
        −log P of all rows given to the fit, nats: the higher, the more unusual; these rows trained the model.
    n_iter_, history_
        Steps of the last model's fit, and what was measured on the way (`Run.history`).
    calibration_scores_
        −log P of the rows of `calibrate`, in rising order; absent before.

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
        self._forget()
        every = self._taken(X)
        rows, weights = weighed(every, sample_weight)
        try:
            if self.novelty or self.objective is not None:
                self._learn_coarsely(rows, options, weights)
            else:
                self._learn_robustly(rows, options, weights)
            log_px = self._log_px(self._placed(rows))
            scores = -log_px if len(rows) == len(every) else -self._log_px(self._placed(every))
        except BaseException:
            self._forget()
            raise
        self._of_scores: tuple[float, float] = _mean_and_deviation(-log_px, weights)
        self.decision_scores_: np.ndarray = scores
        self.offset_: float = quantile(log_px, float(share), weights)
        return self

    def _forget(self) -> None:
        """Be as before a fit: a fit that fails or is interrupted leaves nothing that would answer."""
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)

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
        place: Coordinates | None = None
        if options["likelihood"] is None:
            place = Coordinates.of(rows)
            rows = place(rows)
            if self.novelty:
                count, rows = len(rows), place.smoothed(rows, options["seed"])
                weights = None if weights is None else np.tile(weights, len(rows) // count)
        self._learn(rows, {**options, "likelihood": options["likelihood"] or _coarse(rows, options["seed"])}, weights)
        self.coordinates_: Coordinates | None = place
        self.run_.home.guard = None if place is None else GUARD

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

    def predict_proba(self, X: Any) -> np.ndarray:
        """Unified scores, `(rows, 2)`: of an inlier and of an outlier, max(0, erf((s − m)/(d √2))), s = −log P.

        m and d are mean and deviation of `decision_scores_`: scores of all detectors lie within 0 and 1 so (Kriegel,
        Kröger, Schubert, Zimek 2011, Interpreting and unifying outlier scores, section 3.2). How often a row is an
        outlier they do not say; `p_values` do have a meaning.
        """
        score = -self.score_samples(X)
        mean, deviation = self._of_scores
        away = torch.from_numpy((score - mean) / (deviation * math.sqrt(2)))
        outlier = torch.erf(away).clamp_min(0).numpy()
        return np.column_stack([1 - outlier, outlier])

    def calibrate(self, X: Any) -> Self:
        """Keep log P of inliers that were not among the rows of the fit, against which `p_values` compares."""
        self.calibration_scores_: np.ndarray = np.sort(-self.score_samples(X))
        return self

    def p_values(self, X: Any) -> np.ndarray:
        """(1 + number of the m rows of `calibrate` at least as unusual) / (m + 1), `(rows,)`.

        Of a row of the same distribution as these, P(p <= a) <= a for every a, whatever the model is like (Bates et al.
        2023, Testing for outliers with conformal p-values, equation 2). That is over rows and calibration rows both:
        with few of these the share of one's own rows may be larger. Rows are ranked by log P of what is observed; one
        with more missing cells than these is less unusual by that alone.

        Raises
        ------
        ConfigError
            Before `calibrate`: the rows of the fit trained the model, and new rows are less probable than they.

        """
        if not hasattr(self, "calibration_scores_"):
            raise ConfigError("p-values need inliers that were not in the fit: call calibrate(X) with some first")
        score = -self.score_samples(X)
        known = self.calibration_scores_
        return np.asarray((1 + len(known) - np.searchsorted(known, score)) / (len(known) + 1))

    def explain(self, X: Any) -> pd.DataFrame:
        """A frame of what each column, and "(code)", adds to −log P of each row, by (row, column).

        `nats` of a row sum to −`score_samples`: of each column E_{P(z|x)}[−log P(x_j|z)], NaN where it is missing; of
        the code D[P(z|x)‖P(z)], which is large where each value is usual and their combination is not. `value` and
        `expected` are in the data's units; `expected` is what P(x|z) has at the mean of Q(z|x), the mean of t brought
        back to x, or the most probable category.
        """
        rows = self._rows(X)
        placed, run = self._placed(rows), self._unguarded
        found = contributions(run.model, self._encoded(placed), samples=SAMPLES, seed=run.config.seed)
        expected = named(run.reconstruct(placed), self._names)
        if self.coordinates_ is not None:
            expected = self.coordinates_.inverse(expected)
        names = [column.name for column in run.schema.modelled]
        if run.schema.cells_alike:
            names = [f"x{place}" for place in range(self.n_features_in_)]
        return _by_cell(names, pd.DataFrame(rows), pd.DataFrame(expected), np.column_stack([found.cells, found.code]))


def _by_cell(names: list[str], rows: pd.DataFrame, expected: pd.DataFrame, nats: np.ndarray) -> pd.DataFrame:
    """A line for each cell of the columns that the model knows, and one for the code."""
    given = [str(name) for name in rows.columns]
    if not set(names) <= set(given):  # an array's columns
        given = [f"x{place}" for place in range(len(given))]
    places, none = [given.index(name) for name in names], np.full(len(rows), np.nan)
    values, means = (
        np.column_stack([*(np.asarray(some.iloc[:, place], dtype=object) for place in places), none])
        for some in (rows, expected)
    )
    index = pd.MultiIndex.from_product([rows.index, [*names, "(code)"]], names=["row", "column"])
    parts = {"value": values.ravel(), "expected": means.ravel(), "nats": nats.ravel()}
    return pd.DataFrame(parts, index=index).infer_objects()


def _mean_and_deviation(scores: np.ndarray, weights: np.ndarray | None) -> tuple[float, float]:
    """Of the finite ones, each counted by its weight; a deviation of 0 is 1."""
    known = np.isfinite(scores)
    if not known.any():
        return 0.0, 1.0
    counted = None if weights is None else weights[known]
    mean = float(np.average(scores[known], weights=counted))
    return mean, float(np.sqrt(np.average(np.square(scores[known] - mean), weights=counted))) or 1.0


def _coarse(rows: pd.DataFrame | np.ndarray, seed: int) -> str | None:
    """The coarse likelihood where it fits a column; none of a table of categories, truths or a few distinct numbers."""
    return COARSE if fits(COARSE, inspect(rows, split=division_of(rows, seed)).schema) else None
