"""What the transformer and density says is what its run says, in the form of the fit."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from homes import homes
from likely.errors import ConfigError, DataError
from likely.estimators import VAEOutlierDetector, VariationalAutoencoder
from likely.estimators.table import division_of, seed_of

W = np.array([[2.0, 1.0, 0.5], [0.0, 0.5, -1.0], [0.0, 0.0, 0.3]])


def gaussian(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 3)) @ W


def quick(**parts: Any) -> VariationalAutoencoder:
    return VariationalAutoencoder(**({"max_epochs": 5, "random_state": 0} | parts))


@pytest.fixture(scope="module")
def of_array() -> VariationalAutoencoder:
    return quick().fit(gaussian(100))


@pytest.fixture(scope="module")
def of_frame() -> VariationalAutoencoder:
    return quick(n_components=2).fit(homes())


def test_densities_are_those_of_the_gaussian_the_rows_came_from() -> None:
    model, rows, S = VariationalAutoencoder(random_state=0).fit(gaussian(500)), gaussian(500, seed=1), W.T @ W
    exact = -0.5 * (np.einsum("ni,ij,nj->n", rows, np.linalg.inv(S), rows) + np.linalg.slogdet(2 * np.pi * S)[1])
    found = model.score_samples(rows)
    assert abs(found.mean() - exact.mean()) < 0.3  # independent marginals lose 2.2
    assert np.corrcoef(found, exact)[0, 1] > 0.85
    assert model.score(rows) == found.mean()


def test_verbs_are_those_of_the_run(of_array: VariationalAutoencoder) -> None:
    rows, run = gaussian(20, seed=1), of_array.run_
    np.testing.assert_array_equal(of_array.transform(rows), run.encode(rows))
    np.testing.assert_array_equal(of_array.score_samples(rows), run.score(rows)["log_px"])
    np.testing.assert_allclose(of_array.inverse_transform(of_array.transform(rows)), run.reconstruct(rows), rtol=1e-12)
    np.testing.assert_array_equal(of_array.sample(4, random_state=3), run.sample(4, seed=3))


def test_a_whole_number_is_the_seed_and_others_are_drawn_from() -> None:
    assert quick(random_state=7).fit(gaussian(30)).run_.config.seed == 7
    drawn = [seed_of(np.random.RandomState(7)) for _ in range(2)]
    assert drawn[0] == drawn[1] != 7
    assert seed_of(None) != seed_of(None)


def test_inference_is_in_float64(of_array: VariationalAutoencoder) -> None:
    rows = gaussian(20, seed=1)
    codes = of_array.transform(rows)
    assert codes.dtype == of_array.transform(rows.astype(np.float32)).dtype == np.float64
    assert (codes != codes.astype(np.float32)).any()
    one_by_one = np.concatenate([of_array.score_samples(rows[i : i + 1]) for i in range(20)])
    np.testing.assert_allclose(of_array.score_samples(rows), one_by_one, rtol=1e-12)


def test_a_mixed_frame_comes_back_as_it_is(of_frame: VariationalAutoencoder) -> None:
    frame = homes()
    codes = of_frame.transform(frame)
    assert (codes.shape, codes.dtype) == ((120, 2), np.float64)
    for made in (of_frame.inverse_transform(codes), of_frame.sample(30, random_state=0)):
        assert made.columns.tolist() == frame.columns.tolist()
        assert made["number"].isna().all()  # row numbers say nothing of a row: they are left out
        kept = frame.columns[1:]
        assert made[kept].dtypes.to_dict() == frame[kept].dtypes.to_dict()
        assert not made[kept].isna().any(axis=None)
    assert np.isfinite(of_frame.score_samples(frame)).all()


def test_columns_may_be_named_by_numbers() -> None:
    frame = pd.DataFrame(gaussian(40))
    model = quick().fit(frame)
    assert (
        model.sample(2).columns.tolist()
        == model.inverse_transform(model.transform(frame)).columns.tolist()
        == [0, 1, 2]
    )


def test_frames_and_arrays_mean_the_same_columns() -> None:
    rows = gaussian(60)
    frame = pd.DataFrame(rows, columns=["a", "b", "c"])
    of_frame, of_array = quick().fit(frame), quick().fit(rows)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        np.testing.assert_array_equal(of_frame.transform(rows), of_frame.transform(frame))
    with pytest.warns(UserWarning, match="was fitted without feature names"):
        np.testing.assert_array_equal(of_array.transform(frame), of_array.transform(rows))
    with pytest.raises(ValueError, match="feature names should match"):
        of_frame.transform(frame[["b", "a", "c"]])


@pytest.mark.parametrize(
    "rows",
    [
        np.column_stack([gaussian(30), np.ones(30)]),
        np.ones((30, 2)),
        gaussian(30)[:, :1],
        gaussian(3),
        gaussian(30) * 1e30,
        gaussian(30) * 1e-300,
        gaussian(30).astype(np.float16),
        gaussian(30).astype(np.longdouble),
        gaussian(30) > 0,
        np.where(np.random.default_rng(0).random((30, 3)) < 0.4, np.nan, gaussian(30)),
        np.column_stack([gaussian(30), np.full(30, np.nan)]),
    ],
    ids=["constant", "constants", "one", "three rows", "huge", "tiny", "half", "long", "truths", "holes", "unknown"],
)
def test_rows_of_every_kind_are_taken(rows: np.ndarray) -> None:
    model = quick(max_epochs=2).fit(rows)
    assert np.isfinite(model.score_samples(rows)).all()
    assert model.inverse_transform(model.transform(rows)).shape == model.sample(len(rows)).shape == rows.shape


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (gaussian(2), "2 sample"),
        (pd.DataFrame(gaussian(2)), "2 sample"),
        (gaussian(30) * 1e300, "too large"),
        (gaussian(30) + np.inf, "infinity"),
        (np.full((30, 2), np.nan), "no column is left"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(rows: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        quick().fit(rows)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"n_components": 0}, "n_components must be a whole number of at least 1, or None; got 0"),
        ({"max_epochs": 1.5}, "max_epochs must be a whole number"),
        ({"max_minutes": 0.0, "max_epochs": None}, "max_minutes must be a positive number"),
        ({"max_minutes": 1.0}, "give one budget, not max_epochs and max_minutes"),
        ({"prior": "vmap"}, "did you mean 'vamp'"),
    ],
)
def test_bad_parameters_are_told_at_the_fit(parts: dict[str, Any], says: str) -> None:
    model = quick(**parts)
    with pytest.raises(ConfigError, match=says):
        model.fit(gaussian(30))


def test_codes_of_another_shape_are_refused(of_array: VariationalAutoencoder) -> None:
    for codes in (np.zeros((2, 5)), np.zeros(3), np.full((1, 3), np.nan)):
        with pytest.raises(DataError, match="expected codes z"):
            of_array.inverse_transform(codes)


def test_the_parts_are_those_of_fit() -> None:
    parts = {"prior": "vamp:5", "posterior": "full", "likelihood": "student", "objective": "iwae:5:dreg"}
    config = quick(**parts, n_components=np.int64(2)).fit(gaussian(40)).run_.config
    told = {name: getattr(config.model, name) for name in ("prior", "posterior", "likelihood")}
    assert told | {"objective": config.training.objective} == parts
    assert config.model.latent == 2


def test_minutes_are_a_budget() -> None:
    assert quick(max_epochs=None, max_minutes=0.002).fit(gaussian(40)).run_.facts["seconds"] < 2


def test_a_pickle_says_the_same_and_holds_no_rows(of_frame: VariationalAutoencoder) -> None:
    stored = pickle.dumps(of_frame)
    price = homes()["price"].iloc[0]
    assert np.float64(price).tobytes() not in stored
    assert of_frame.run_.home.source is not None
    again = pickle.loads(stored)  # noqa: S301
    np.testing.assert_array_equal(again.score_samples(homes()), of_frame.score_samples(homes()))


def test_there_are_no_test_rows_to_evaluate(of_array: VariationalAutoencoder) -> None:
    with pytest.raises(DataError, match="kept no test rows back"):
        of_array.run_.evaluate()
    assert of_array.run_.evaluate(gaussian(50, seed=1), samples=20, anneal=0)["elbo"].nats < 0


def test_it_is_a_step_of_a_pipeline_and_of_a_search() -> None:
    steps = make_pipeline(StandardScaler(), quick(n_components=1))
    search = GridSearchCV(steps, {"variationalautoencoder__n_components": [1, 2]}, cv=2).fit(gaussian(60))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_estimator_
    rows = gaussian(10)
    assert best.inverse_transform(best.transform(rows)).shape == rows.shape
    assert clone(best).get_params()["variationalautoencoder__max_epochs"] == 5


def test_columns_of_a_frame_are_told_apart_and_outputs_are_named() -> None:
    frame, model = homes().dropna(), quick(n_components=2)
    beside = ColumnTransformer([("codes", model, ["price", "town", "state"]), ("as it is", "passthrough", ["rooms"])])
    made = beside.set_output(transform="pandas").fit_transform(frame)
    assert made.columns.tolist() == [
        "codes__variationalautoencoder0",
        "codes__variationalautoencoder1",
        "as it is__rooms",
    ]
    assert made.index.equals(frame.index)


@pytest.mark.parametrize(("rows", "held"), [(3, 1), (8, 2), (20, 5), (50, 5), (200, 20), (100_000, 5000)])
def test_how_many_rows_choose_the_weights(rows: int, held: int) -> None:
    division = division_of(np.zeros((rows, 2)), seed=0)
    assert (len(division.train), len(division.validation), len(division.test)) == (rows - held, held, 0)
    assert sorted([*division.train, *division.validation]) == list(range(rows))


def test_rows_with_the_only_hole_of_a_column_train() -> None:
    rows = gaussian(30)
    rows[3, 0] = rows[7, 1] = rows[7, 2] = rows[8, 2] = np.nan
    for seed in range(20):
        division = division_of(rows, seed)
        assert np.isnan(rows[division.train]).any(0).all()
        assert len(division.validation) == 5


@pytest.mark.parametrize("form", [np.asarray, pd.DataFrame])
def test_a_row_counts_as_its_weight(form: Any) -> None:
    draw = np.random.default_rng(0)
    x = np.concatenate([draw.normal(-3, 0.5, (100, 2)), draw.normal(3, 0.5, (100, 2))])
    weights = np.repeat([9.0, 1.0], 100)
    drawn = VariationalAutoencoder(max_epochs=30, random_state=0).fit(form(x), sample_weight=weights)
    low = np.asarray(drawn.sample(400, random_state=0))[:, 0] < 0
    assert 0.8 < low.mean() < 0.95
    detector = VAEOutlierDetector(max_epochs=3, random_state=0).fit(form(x), sample_weight=weights)
    marked = detector.predict(form(x)) < 0
    assert weights[marked].sum() / weights.sum() == pytest.approx(0.1, abs=0.01)
    with pytest.raises(ValueError, match="2 rows have a weight above 0"):
        VariationalAutoencoder().fit(form(x), sample_weight=[1.0, 1.0] + [0.0] * 198)


def test_sizes_and_what_was_measured_on_the_way() -> None:
    x = np.random.default_rng(0).normal(size=(200, 3))
    model = VariationalAutoencoder(
        2,
        max_epochs=4,
        random_state=0,
        width=np.int64(32),
        batch_size=np.int32(60),
        learning_rate=np.float64(1e-3),
        device=torch.device("cpu"),
    ).fit(x)
    config = model.run_.config
    assert (config.model.width, config.training.batch_size, config.training.learning_rate) == (32, 60, 1e-3)
    assert model.n_iter_ == 12
    assert model.history_["step"].max() == 12
    assert model.get_feature_names_out().tolist() == ["variationalautoencoder0", "variationalautoencoder1"]
    with pytest.raises(ConfigError, match="width"):
        VariationalAutoencoder(width=0).fit(x)
