"""What the estimators share: their parameters, and one fit of P(X)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from likely.data import Division, EncodedRows
from likely.errors import ConfigError
from likely.estimators.table import checked, division_of, seed_of, weighted
from likely.evaluation import evidence
from likely.run.fit import fit
from likely.run.run import Run

__all__ = ["Learner"]

SAMPLES = 100  # of z for each row that is scored


class Learner(BaseEstimator, ABC):
    """Fits a `likely.Run` and uses it in float64.

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

    Attributes
    ----------
    run_
        The fitted run, its weights in float64. A tenth of the rows chose its weights, and it has no test rows.
    n_iter_, history_
        Steps of the fit, and what was measured on the way (`Run.history`).
    n_features_in_, feature_names_in_
        Of the rows of the fit.

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
    ) -> None:
        self.n_components = n_components
        self.max_epochs = max_epochs
        self.max_minutes = max_minutes
        self.random_state = random_state
        self.verbose = verbose
        self.prior = prior
        self.posterior = posterior
        self.likelihood = likelihood
        self.objective = objective
        self.network = network

    @abstractmethod
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn P(X), each row counted by its weight; y is not used."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        """A pickle holds no rows of the fit."""
        state: dict[str, Any] = dict(super().__getstate__())
        if "run_" in state:
            state["run_"] = replace(state["run_"], home=replace(state["run_"].home, source=None))
        return state

    def _taken(self, X: Any) -> pd.DataFrame | np.ndarray:
        """Rows for a fit, and their columns' names."""
        rows = checked(self, X, None, fitting=True)
        self._names = rows.columns if isinstance(rows, pd.DataFrame) else None
        return rows

    def _learn(
        self,
        rows: pd.DataFrame | np.ndarray,
        options: Mapping[str, Any],
        weights: np.ndarray | None = None,
        division: Division | None = None,
    ) -> None:
        split, (rows, weight) = division or division_of(rows, options["seed"]), weighted(rows, weights)
        run = fit(rows, split=split, weight=weight, progress=bool(self.verbose), **options)
        run.model.double()
        self.run_: Run = replace(run, states=())
        self.n_iter_: int = run.steps
        self.history_: pd.DataFrame = run.history

    def _options(self) -> dict[str, Any]:
        """The parameters by the names of `likely.fit`.

        Raises
        ------
        ConfigError
            If a number is out of range, or two budgets are given.

        """
        for name in ("n_components", "max_epochs"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, Integral) or isinstance(value, bool) or value < 1):
                raise ConfigError(f"{name} must be a whole number of at least 1, or None; got {value!r}")
        minutes = self.max_minutes
        if minutes is not None and (not isinstance(minutes, Real) or isinstance(minutes, bool) or not minutes > 0):
            raise ConfigError(f"max_minutes must be a positive number, or None; got {minutes!r}")
        if minutes is not None and self.max_epochs is not None:
            raise ConfigError("give one budget, not max_epochs and max_minutes")
        numbers = {"latent": self.n_components, "epochs": self.max_epochs}
        return {
            **{name: None if value is None else int(value) for name, value in numbers.items()},
            "minutes": None if minutes is None else float(minutes),
            "seed": seed_of(self.random_state),
            **{name: getattr(self, name) for name in ("prior", "posterior", "likelihood", "objective", "network")},
        }

    def _rows(self, X: Any) -> pd.DataFrame | np.ndarray:
        """Rows for a fitted run."""
        check_is_fitted(self, "run_")
        return checked(self, X, self._names)

    def _log_px(self, rows: EncodedRows, samples: int = SAMPLES) -> np.ndarray:
        """The importance-weighted bound on log P(x) by z ~ Q(z|x) alone, which is quick for outliers too: nats."""
        return np.asarray(evidence(self.run_.model, rows, samples=samples, seed=self.run_.config.seed).terms["iwae"])

    def _encoded(self, rows: pd.DataFrame | np.ndarray) -> EncodedRows:
        return self.run_.encoded(self.run_.rows_of(rows)[0])
