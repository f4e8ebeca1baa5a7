"""The imputer: its default model, what it falls back to, rows that it has not seen, draws, and how near it comes."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer

from likely.errors import ConfigError
from likely.estimators import VAEImputer
from likely.models import VAE, Normals


def holed(x: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standardised, with holes, and where they are."""
    x = (x - x.mean(0)) / x.std(0)
    gone = np.random.default_rng(0).random(x.shape) < share
    return x, np.where(gone, np.nan, x), gone


@pytest.mark.parametrize("load", [load_breast_cancer, load_diabetes])
def test_it_is_ahead_of_the_simplest_rivals_by_default(load: object) -> None:
    x, missing, gone = holed(load().data, 0.2)  # type: ignore[operator]
    errors = [
        np.sqrt(np.square(one.fit_transform(missing) - x)[gone].mean())
        for one in (
            VAEImputer(random_state=0),
            IterativeImputer(max_iter=50, tol=0.1, random_state=0),
            KNNImputer(n_neighbors=10),
        )
    ]
    assert errors[0] < min(errors[1:])


def test_rows_that_were_not_in_the_fit_and_a_pickle() -> None:
    x, missing, gone = holed(load_diabetes().data, 0.2)
    imputer = VAEImputer(random_state=0, max_epochs=15).fit(missing[:300])
    made = imputer.transform(missing[300:])
    assert np.square(made - x[300:])[gone[300:]].mean() < 0.7
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(imputer)).transform(missing[300:]), made)  # noqa: S301
    np.testing.assert_allclose(imputer.transform(missing[300:303]), made[:3], atol=1e-9)


def test_categories_of_many_are_filled_by_what_goes_with_them() -> None:
    rng = np.random.default_rng(0)
    which = rng.integers(40, size=1200)
    frame = pd.DataFrame({"town": [f"t{i}" for i in which], "county": [f"c{i}" for i in which]})
    gone = rng.random(1200) < 0.2
    filled = VAEImputer(random_state=0).fit_transform(frame.mask(pd.DataFrame({"town": gone, "county": False})))
    found = pd.DataFrame(np.asarray(filled), columns=["town", "county"])
    assert (found["town"] == frame["town"])[gone].mean() > 0.95


def test_draws_vary_about_the_mean() -> None:
    _, missing, gone = holed(load_diabetes().data[:200], 0.2)
    drawing = VAEImputer(random_state=0, max_epochs=10, sample_posterior=True).fit(missing)
    mean = drawing.run_.impute(missing)
    draws = np.stack(drawing.run_.impute(missing, draws=200, beyond_range=True))
    assert drawing.transform(missing).shape == mean.shape
    spread = draws.std(0)[gone]
    assert np.abs(draws.mean(0) - mean)[gone].mean() < 0.15 * spread.mean()


def test_which_model_it_is() -> None:
    x = np.random.default_rng(0).normal(size=(60, 2))
    assert isinstance(VAEImputer(max_epochs=1).fit(x).run_.model, Normals)
    assert isinstance(VAEImputer(2, max_epochs=1).fit(x).run_.model, VAE)
    assert isinstance(VAEImputer(max_epochs=1, objective="elbo").fit(x).run_.model, VAE)
    many = pd.DataFrame({"a": [f"n{i % 35}" for i in range(350)], "b": np.arange(350.0)})
    assert isinstance(VAEImputer(max_epochs=1, random_state=0).fit(many.astype({"a": "category"})).run_.model, Normals)
    wide = pd.DataFrame({"a": [f"n{i % 130}" for i in range(520)], "b": np.arange(520.0)}).astype({"a": "category"})
    with pytest.warns(
        UserWarning,
        match=r"a mixture of normals is for at most 128 numbers and categories together, and here are 13\d",
    ):
        told = VAEImputer(max_epochs=1, random_state=0).fit(wide)
    assert isinstance(told.run_.model, VAE)
    with pytest.raises(ConfigError):
        VAEImputer(max_epochs=0).fit(x)
