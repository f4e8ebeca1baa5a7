"""Rows that are improbable under P(X)."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, Self, final

import numpy as np
import pandas as pd
import torch
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted

from likely.assembly import fits
from likely.data import Division, EncodedRows
from likely.errors import ConfigError
from likely.estimators.columns_alone import ColumnsAlone
from likely.estimators.learner import Learner
from likely.estimators.table import named, quantile, some_of, weighed
from likely.run.inspect import inspect
from likely.tasks.anomalies import contributions

__all__ = ["VAEOutlierDetector"]


LIKELIHOOD = "kernel:0.05:column"  # of numbers
SHARE, SHARE_OF_INLIERS, SHARE_AMONG_OUTLIERS = 0.25, 0.0, 1.5  # λ: no hint, and by the hint
PARTS = {"prior": "normal", "network": "linear"}
PLAN = {"width": 96, "blocks": 1, "batch_size": 128, "learning_rate": 4e-3}
MAX_COMPONENTS = 8
MAX_ROWS = 3000  # that train
MIN_STEPS, STEPS = 300, 30  # of a fit without a budget: so many times the root of the rows that train
MAX_JUDGES = 200  # rows whose copies validate
DRAWS = 16  # of z for each row that is scored


@final
class VAEOutlierDetector(OutlierMixin, Learner):
    """Outlier detector that marks the rows of least log P, under scikit-learn's contract.

    What ranks rows is log P(x) + λ Σ_j log P(x_j): a variational autoencoder's bound on log P(x) of the whole row, and
    the density of each column by itself (`ColumnsAlone`): the autoencoder may learn a group of alike outliers by heart,
    columns by themselves do so less. λ is 0.25.

    P(x|z) is normal in each column that holds numbers, its deviation learned by column and at least a twentieth of the
    column's own, so that log P tells of where rows lie, not of the digits they end in; categories and columns of two
    values have masses. Encoder and decoder have a linear part that starts at principal components. All
    rows train, or 3,000 of them drawn by the seed where there are more; steps are 30 times the root of their number,
    300 at least. With a likelihood of one's own, rows are ranked by log P(x) alone.

    A row is an outlier, −1, where that sum is below `offset_`, the quantile of order `contamination` over the rows of
    the fit; else it is an inlier, 1. Rows are what `VariationalAutoencoder` takes. Of a row with missing cells the
    observed ones count; compare it only with rows that miss the same cells.

    Parameters
    ----------
    n_components
        Dimension of z; the number of columns, at most eight, unless given.
    contamination
        The share of outliers among the rows of the fit, above 0 and at most 0.5. These rows trained the model: of new
        rows of the same kind more are called outliers.
    novelty
        A hint, where you know: `True`, all rows of the fit are inliers, and outliers are looked for among new ones;
        `False`, outliers are among the rows of the fit. Then λ is 0 or 1.5; without a likelihood of your own.
    max_epochs, max_minutes
        The budget, at most one of them, in place of the steps above.
    random_state
        A whole number is the seed of the fit and of every estimate; else a seed is drawn from it.
    verbose
        Whether bars are drawn, in a terminal or a notebook, of what takes more than two seconds.
    prior, posterior, likelihood, objective, network
        The parts by name, as `likely parts` lists them; what is said above, and else the defaults of `likely.fit`,
        unless given.

    Attributes
    ----------
    run_
        The fitted `likely.Run`, in float64: its log P(x) is the first term. Copies of up to 200 of the rows that
        trained chose its weights, and it has no test rows.
    columns_, share_
        The second term and λ; `None` and 0 where `novelty=True`, or with a likelihood of one's own.
    offset_
        What `decision_function` subtracts from the sum, nats.
    decision_scores_
        Minus the sum, of all rows given to the fit, nats: the higher, the more unusual; up to 3,000 of these rows
        trained the model.
    n_iter_, history_
        Steps of the fit, and what was measured on the way (`Run.history`).
    calibration_scores_
        Minus the sum, of the rows of `calibrate`, in rising order; absent before.

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
        novelty: bool | None = None,
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

        A row of weight w counts as w rows (`likely.fit`), in `contamination` too, but not in the number of steps nor of
        the rows that train; one of weight 0 is left out.

        Raises
        ------
        ValueError
            If there are fewer than three rows, or the rows or a parameter cannot be used.

        """
        share = self.contamination
        if not isinstance(share, Real) or not 0 < share <= 0.5:
            raise ConfigError(f"contamination must be above 0 and at most 0.5, got {share!r}")
        if self.novelty is not None and not isinstance(self.novelty, bool | np.bool_):
            raise ConfigError(f"novelty must be True, False or None, got {self.novelty!r}")
        options = self._options()
        self._forget()
        every = self._taken(X)
        rows, weights = weighed(every, sample_weight)
        try:
            self._learn_all(rows, options, weights)
            scores = -self.score_samples(every)
        except BaseException:
            self._forget()
            raise
        counted = scores if weights is None and len(rows) == len(every) else -self.score_samples(rows)
        self._of_scores: tuple[float, float] = _mean_and_deviation(counted, weights)
        self.decision_scores_: np.ndarray = scores
        self.offset_: float = quantile(-counted, float(share), weights)
        return self

    def _forget(self) -> None:
        """Be as before a fit: a fit that fails or is interrupted leaves nothing that would answer."""
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)

    def _learn_all(self, rows: pd.DataFrame | np.ndarray, options: dict[str, Any], weights: np.ndarray | None) -> None:
        """Fit to all rows, or to some of very many; copies of some choose the weights."""
        taken = some_of(rows, MAX_ROWS, options["seed"])
        judges = np.random.default_rng(options["seed"]).permutation(taken)[:MAX_JUDGES]
        both = np.concatenate([taken, judges])
        weights = None if weights is None else weights[both]
        division = Division.of(np.arange(len(taken)), np.arange(len(taken), len(both)))
        rows = rows[both] if isinstance(rows, np.ndarray) else rows.iloc[both].reset_index(drop=True)
        schema = inspect(rows, split=division, progress=bool(self.verbose)).schema
        if schema.cells_alike and isinstance(rows, np.ndarray):  # of two values, or levels: each column has its own
            rows = pd.DataFrame(rows, columns=[f"x{place}" for place in range(rows.shape[1])])
            self._names, schema = rows.columns, inspect(rows, split=division).schema
        chosen = {**PLAN, **PARTS, "likelihood": LIKELIHOOD if fits(LIKELIHOOD, schema) else None}
        if self.max_epochs is None and self.max_minutes is None:
            chosen["steps"] = max(MIN_STEPS, round(STEPS * math.sqrt(len(taken))))
        chosen |= {name: value for name, value in options.items() if value is not None}
        chosen["latent"] = options["latent"] or min(MAX_COMPONENTS, self.n_features_in_)
        self._learn(rows, chosen, weights, division)
        self.share_: float = 0.0 if self.likelihood is not None else _share(self.novelty)
        self.columns_: ColumnsAlone | None = None
        if self.share_:
            trained = self._encoded(rows[: len(taken)])
            if weights is not None:
                trained = trained.weighted(torch.from_numpy(weights[: len(taken)]))
            self.columns_ = ColumnsAlone.fit(self.run_.schema, trained, self.run_.config.seed)

    def score_samples(self, X: Any) -> np.ndarray:
        """log P(x) + λ Σ_j log P(x_j) of each row, `(rows,)`, nats; log P(x) by the importance-weighted bound L_16.

        The higher, the more normal; by a likelihood of one's own it is the bound on log P(x) alone.
        """
        rows = self._encoded(self._rows(X))
        log_px = self._log_px(rows, DRAWS)
        return log_px if self.columns_ is None else log_px + np.nansum(self._alone(rows), 1)

    def _alone(self, rows: EncodedRows) -> np.ndarray:
        """λ log P(x_j), `(rows, cells)`; 0 where rows are ranked by log P(x) alone."""
        if self.columns_ is None:
            return np.zeros((len(rows), 1))
        return self.share_ * self.columns_.log_prob(rows)

    def decision_function(self, X: Any) -> np.ndarray:
        """`score_samples` − `offset_`: negative for outliers."""
        return np.asarray(self.score_samples(X) - self.offset_)

    def predict(self, X: Any) -> np.ndarray:
        """−1 for outliers, 1 for inliers."""
        check_is_fitted(self, "run_")
        return np.where(self.decision_function(X) < 0, -1, 1)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Unified scores, `(rows, 2)`: of an inlier, and of an outlier max(0, erf((s − m)/(d √2))), s the negative sum.

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
        """Keep `score_samples` of inliers that were not among the rows of the fit: `p_values` compares with them."""
        self.calibration_scores_: np.ndarray = np.sort(-self.score_samples(X))
        return self

    def p_values(self, X: Any) -> np.ndarray:
        """(1 + number of the m rows of `calibrate` at least as unusual) / (m + 1), `(rows,)`.

        Of a row of the same distribution as these, P(p <= a) <= a for every a, whatever the model is like (Bates et al.
        2023, Testing for outliers with conformal p-values, equation 2). That is over rows and calibration rows both:
        with few of these the share of one's own rows may be larger. Rows are ranked by what is observed of them; one
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
        """A frame of what each column, and "(code)", adds to −`score_samples` of each row, by (row, column).

        `nats` of a row sum to −`score_samples`: of each column E_{P(z|x)}[−log P(x_j|z)] − λ log P(x_j), NaN where it
        is missing; of the code D[P(z|x)‖P(z)], which is large where each value is usual and their combination is not.
        Expectations are estimated by 16 draws of z. `value` and `expected` are in the data's units; `expected` is what
        P(x|z) has at the mean of Q(z|x): its mean, or the most probable category.
        """
        rows, run = self._rows(X), self.run_
        encoded = self._encoded(rows)
        found = contributions(run.model, encoded, samples=DRAWS, seed=run.config.seed)
        cells = found.cells - self._alone(encoded)
        expected = named(run.reconstruct(rows), self._names)
        names = [column.name for column in run.schema.modelled]
        if run.schema.cells_alike:
            names = [f"x{place}" for place in range(self.n_features_in_)]
        return _by_cell(names, pd.DataFrame(rows), pd.DataFrame(expected), np.column_stack([cells, found.code]))


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


def _share(novelty: bool | None) -> float:
    """λ, by the hint."""
    return SHARE if novelty is None else SHARE_OF_INLIERS if novelty else SHARE_AMONG_OUTLIERS
