"""P(X) as a transformer and a density."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Self, final

import numpy as np
import pandas as pd
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from likely.estimators.learner import Learner
from likely.estimators.table import named, seed_of, weighed

__all__ = ["VariationalAutoencoder"]


@final
class VariationalAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Learner):
    """P(X) by a variational autoencoder: codes, densities and draws under scikit-learn's contract.

    Rows are an array of numbers, or a frame of numbers, strings, categories and dates; NaN is a missing cell. What a
    verb gives back of rows is in the form, the types and the units of the fit.

    Parameters
    ----------
    n_components
        Dimension of z; by the number of columns unless given.
    max_epochs, max_minutes
        The budget, at most one of them; without one training ends when validation stalls.
    random_state
        A whole number is the seed of the fit and of every estimate; else a seed is drawn from it.
    verbose
        Whether bars are drawn, in a terminal or a notebook, of what takes more than two seconds.
    prior, posterior, likelihood, objective, network
        The parts by name, as `likely parts` lists them; the defaults of `likely.fit` unless given.
    width, batch_size, learning_rate
        Numbers in a layer, rows in a step, and the rate of steps; by the data unless given.
    device
        Where the model is trained and used: `cpu`, `cuda`, `cuda:1`; `auto` is the fastest there is.

    Attributes
    ----------
    run_
        The fitted `likely.Run`, in float64. A tenth of the rows chose its weights, and it has no test rows.
    n_iter_, history_
        Steps of the fit, and what was measured on the way (`Run.history`).

    Examples
    --------
    >>> import numpy as np
    >>> from likely.estimators import VariationalAutoencoder
    >>> x = np.random.default_rng(0).normal(size=(150, 2)) @ [[2.0, 1.0], [0.0, 0.5]]
    >>> model = VariationalAutoencoder(n_components=2, max_epochs=20, random_state=0).fit(x)
    >>> model.transform(x).shape, model.score_samples(x).shape, model.sample(3).shape
    ((150, 2), (150,), (3, 2))

    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        max_epochs: int | None = None,
        max_minutes: float | None = None,
        random_state: Any = None,
        verbose: bool | int = False,
        prior: str | None = None,
        posterior: str | None = None,
        likelihood: str | None = None,
        objective: str | None = None,
        network: str | None = None,
        width: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        device: str | None = None,
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
        self.width = width
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.device = device

    def _options(self) -> dict[str, Any]:
        rate = self.learning_rate
        sizes = {name: _plain(getattr(self, name)) for name in ("width", "batch_size")}
        device = None if self.device is None else str(self.device)
        return super()._options() | sizes | {"learning_rate": None if rate is None else float(rate), "device": device}

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:  # noqa: ARG002
        """Learn P(X); y is not used.

        A row of weight w counts as w rows (`likely.fit`); one of weight 0 is left out.

        Raises
        ------
        ValueError
            If there are fewer than three rows, or the rows or a parameter cannot be used.

        """
        options = self._options()
        rows, weights = weighed(self._taken(X), sample_weight)
        self._learn(rows, options, weights)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Means of Q(z|x): `(rows, n_components)`, float64."""
        rows = self._rows(X)
        return np.asarray(self.run_.encode(rows))

    def inverse_transform(self, X: Any) -> pd.DataFrame | np.ndarray:
        """Means of P(x|z) at codes z, `(rows, n_components)`; of a category the most probable one."""
        check_is_fitted(self, "run_")
        return named(self.run_.decode(np.asarray(X)), self._names)

    def score_samples(self, X: Any) -> np.ndarray:
        """log P(x) of each row, estimated by the importance-weighted bound L_100: `(rows,)`, nats.

        Of a row with missing cells it is that of the observed ones.
        """
        return np.asarray(self.run_.score(self._rows(X), seed=self.run_.config.seed)["log_px"])

    def score(self, X: Any, y: Any = None) -> float:  # noqa: ARG002
        """The mean of `score_samples`, which a search over parameters maximises."""
        return float(self.score_samples(X).mean())

    def sample(
        self, n_samples: int = 1, *, random_state: Any = None, beyond_range: bool = False
    ) -> pd.DataFrame | np.ndarray:
        """Draw rows: z ~ P(z), then x ~ P(x|z); of a frame within the range of its rows (`Run.sample`).

        Raises
        ------
        InputError
            If fewer than 1 in 100 rows drawn lie within the range.

        """
        check_is_fitted(self, "run_")
        drawn = self.run_.sample(n_samples, seed=seed_of(random_state), beyond_range=beyond_range)
        return named(drawn, self._names)

    @property
    def _n_features_out(self) -> int:
        return int(self.run_.model.members[0].latent)


def _plain(number: Any) -> Any:
    """Whole numbers of numpy as Python's own; all else as it is, for `likely.fit` to judge."""
    return int(number) if isinstance(number, Integral) and not isinstance(number, bool) else number
