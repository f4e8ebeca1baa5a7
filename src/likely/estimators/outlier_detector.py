"""Rows that are improbable under P(X)."""

from __future__ import annotations

from numbers import Real
from typing import Any, Self, final

import numpy as np
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted

from likely.errors import ConfigError
from likely.estimators.learner import Learner

__all__ = ["VAEOutlierDetector"]


COARSE, TRIMMED = "kernel:0.25", "trimmed:0.4"


@final
class VAEOutlierDetector(OutlierMixin, Learner):
    """Outliers as the rows of least log P(x), under scikit-learn's contract.

    Numbers are taken for normal given z with a quarter of their column's standard deviation (`kernel:0.25`), not as
    finely as they are recorded: log P(x) then tells of where rows lie, not of the digits they end in. Where the rows of
    the fit may hold outliers themselves, the least probable 40% of each batch do not train (`trimmed:0.4`).

    A row is an outlier, −1, where log P(x) is below `offset_`, the quantile of order `contamination` of log P(x) over
    the rows of the fit; else it is an inlier, 1. Rows are what `VariationalAutoencoder` takes. Of a row with missing
    cells log P(x) is that of the observed ones, and so higher in most cases: compare rows with the same holes.

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
        The budget, at most one of them; without one training ends when validation stalls.
    random_state
        A whole number is the seed of the fit and of every estimate; else a seed is drawn from it.
    prior, posterior, likelihood, objective, network
        The parts by name, as `likely parts` lists them; the likelihood and the objective above, and else the defaults
        of `likely.fit`, unless given.

    Attributes
    ----------
    run_
        The fitted `likely.Run`, in float64. A tenth of the rows chose its weights, and it has no test rows.
    offset_
        What `decision_function` subtracts from log P(x), nats.

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
            prior=prior,
            posterior=posterior,
            likelihood=likelihood,
            objective=objective,
            network=network,
        )
        self.contamination = contamination
        self.novelty = novelty

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Learn P(X), and where its least probable rows begin; y is not used.

        Raises
        ------
        ValueError
            If there are fewer than three rows, or the rows or a parameter cannot be used.

        """
        share = self.contamination
        if not isinstance(share, Real) or not 0 < share <= 0.5:
            raise ConfigError(f"contamination must be above 0 and at most 0.5, got {share!r}")
        self._learn(X)
        self.offset_: float = float(np.quantile(self.score_samples(X), share))
        return self

    def _options(self) -> dict[str, Any]:
        told = super()._options()
        aim = "elbo" if self.novelty else TRIMMED
        return told | {"likelihood": told["likelihood"] or COARSE, "objective": told["objective"] or aim}

    def score_samples(self, X: Any) -> np.ndarray:
        """log P(x) of each row by the importance-weighted bound L_100, `(rows,)`, nats: the higher, the more normal."""
        return self._log_px(X)

    def decision_function(self, X: Any) -> np.ndarray:
        """log P(x) − `offset_`: negative for outliers."""
        return np.asarray(self.score_samples(X) - self.offset_)

    def predict(self, X: Any) -> np.ndarray:
        """−1 for outliers, 1 for inliers."""
        check_is_fitted(self, "run_")
        return np.where(self.decision_function(X) < 0, -1, 1)
