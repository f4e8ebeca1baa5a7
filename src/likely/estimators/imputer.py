"""Missing cells filled, as a transformer."""

from __future__ import annotations

import warnings
from typing import Any, Self, final

import numpy as np
import pandas as pd
from sklearn.base import OneToOneFeatureMixin, TransformerMixin

from likely.errors import UnsuitedError
from likely.estimators.learner import Learner
from likely.estimators.table import weighed

__all__ = ["VAEImputer"]


WEIGHTED, CLOSED = "iwae:5", "normals"
PARTS = ("prior", "posterior", "likelihood", "objective", "network")


@final
class VAEImputer(OneToOneFeatureMixin, TransformerMixin, Learner):
    r"""Fills missing cells by P(x_missing|x_observed), under scikit-learn's contract.

    Numbers get their conditional mean, rounded as the column is recorded, categories the most probable one
    (`Run.impute`). Rows are what `VariationalAutoencoder` takes; observed cells stay as they are.

    The default model is `likely.models.Normals`: z has a coordinate for each number, on the axis that its column's
    values warp, and for each category; P(z) = Σ_k π_k N(z; m_k, S_k) with full covariances is learnt by EM from the
    cells that are there. Q(z|x_observed) is then a closed form, whichever cells are missing, so that nothing is drawn
    for means: Σ_k w_k(x_observed) E[x_j|k, x_observed] of each of ten such mixtures, and the mean over the ten, each
    counted alike: that is not the conditional mean of their mixture, which would weigh them by the row. It is not for
    more than 128 numbers and categories together, nor for arrays of levels or of two values: these, which a warning
    says, and a fit of which a part is told, have a variational autoencoder.

    Parameters
    ----------
    n_components
        Dimension of z of a variational autoencoder.
    sample_posterior
        Draw the missing cells of a row together from P(x_missing|x_observed) instead: fits that differ in
        `random_state`, or `Run.impute(draws=m)` of one fit, give multiple imputations.
    beyond_range
        Draws of a frame may lie outside the range of the rows of the fit (`Run.impute`).
    max_epochs, max_minutes
        The budget, at most one of them; without one training ends when validation stalls. An epoch of the default model
        is a step of EM of each of its members.
    random_state
        A whole number is the seed of the fit and of every estimate; else a seed is drawn from it.
    verbose
        Whether bars are drawn, in a terminal or a notebook, of what takes more than two seconds.
    prior, posterior, likelihood, objective, network
        The parts by name of a variational autoencoder, as `likely parts` lists them; unless given, the objective is
        `iwae:5`, under which means are nearer to what was deleted than under the ELBO, and the others are the defaults
        of `likely.fit`.

    Attributes
    ----------
    run_
        The fitted `likely.Run`, in float64. A tenth of the rows chose its weights, and it has no test rows.

    Examples
    --------
    >>> import numpy as np
    >>> from likely.estimators import VAEImputer
    >>> x = np.random.default_rng(0).normal(size=(150, 1)) @ [[2.0, 1.0]]
    >>> x[::3, 1] = np.nan
    >>> filled = VAEImputer(random_state=0).fit_transform(x)
    >>> bool(np.isnan(filled).any()), filled.shape
    (False, (150, 2))

    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        sample_posterior: bool = False,
        beyond_range: bool = False,
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
        self.sample_posterior = sample_posterior
        self.beyond_range = beyond_range

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:  # noqa: ARG002
        """Learn P(X) from rows with any share of missing cells; y is not used.

        A row of weight w counts as w rows (`likely.fit`); one of weight 0 is left out.

        Raises
        ------
        ValueError
            If there are fewer than three rows, or the rows or a parameter cannot be used.

        """
        options = self._options()
        rows, weights = weighed(self._taken(X), sample_weight)
        if all(options[name] is None for name in ("latent", *PARTS)):
            try:
                self._learn(rows, options | {"model": CLOSED, "objective": "elbo"}, weights)
            except UnsuitedError as error:
                reason = str(error).partition(" is ")[2].partition(";")[0]
                message = f"a variational autoencoder is trained, which takes longer: a mixture of normals is {reason}"
                warnings.warn(message, stacklevel=2)
            else:
                return self
        self._learn(rows, options | {"objective": options["objective"] or WEIGHTED}, weights)
        return self

    def transform(self, X: Any) -> pd.DataFrame | np.ndarray:
        """The rows with their missing cells filled, as they came."""
        rows, seed = self._rows(X), self.run_.config.seed
        draws = 1 if self.sample_posterior else None
        imputed = self.run_.impute(rows, draws=draws, beyond_range=self.beyond_range, seed=seed)
        filled: pd.DataFrame | np.ndarray = imputed if draws is None else imputed[0]
        return filled
