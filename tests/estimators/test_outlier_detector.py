"""Outliers are the rows of least log P(x)."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

import likely
from homes import homes
from likely.errors import ConfigError, DataError
from likely.estimators import VAEOutlierDetector
from likely.estimators.coordinates import Coordinates
from likely.estimators.learner import Learner
from likely.estimators.table import likelier
from likely.evaluation import evidence

W = np.array([[2.0, 1.0], [0.0, 0.5]])


def test_rows_off_the_correlation_are_found() -> None:
    rng = np.random.default_rng(0)
    train, inliers = rng.normal(size=(500, 2)) @ W, rng.normal(size=(200, 2)) @ W
    outliers = rng.normal(size=(200, 2)) * np.sqrt((W**2).sum(0)) * 2
    detector = VAEOutlierDetector(max_epochs=30, random_state=0).fit(train)
    rows, is_inlier = np.vstack([inliers, outliers]), np.repeat([1, 0], 200)
    exact = -np.einsum("ni,ij,nj->n", rows, np.linalg.inv(W.T @ W), rows)
    found = roc_auc_score(is_inlier, detector.decision_function(rows))
    assert found > roc_auc_score(is_inlier, exact) - 0.02


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_contamination_is_the_share_of_the_rows_of_the_fit(share: float) -> None:
    rows = np.random.default_rng(0).normal(size=(200, 2)) @ W
    detector = VAEOutlierDetector(contamination=share, max_epochs=1, random_state=0)
    labels = detector.fit_predict(rows)
    assert (labels == -1).sum() == round(200 * share)
    assert detector.offset_ == np.quantile(detector.score_samples(rows), share)
    np.testing.assert_array_equal(labels, np.where(detector.decision_function(rows) < 0, -1, 1))
    assert detector.coordinates_ is not None
    run = detector._unguarded
    measured = evidence(run.model, run.encoded(run.rows_of(detector.coordinates_(rows))[0]), samples=100)
    np.testing.assert_array_equal(detector.score_samples(rows), measured.terms["iwae"])
    np.testing.assert_array_equal(detector.decision_scores_, -detector.score_samples(rows))


def test_outliers_among_the_rows_of_the_fit_do_not_make_themselves_probable() -> None:
    rng = np.random.default_rng(0)
    rows = np.vstack([rng.normal(size=(300, 4)), [5.0, -5.0, 5.0, -5.0] + 0.1 * rng.normal(size=(30, 4))])
    is_outlier = np.repeat([0, 1], [300, 30])

    def found(**parts: object) -> float:
        return roc_auc_score(
            is_outlier, -VAEOutlierDetector(max_epochs=25, random_state=0, **parts).fit(rows).score_samples(rows)
        )

    assert found() > 0.99
    assert found(objective="elbo") < 0.9


def test_a_second_model_leaves_out_the_fifth_that_the_first_finds_least_probable() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 2)) @ W
    detector = VAEOutlierDetector(max_epochs=3, random_state=0).fit(rows)
    assert detector.run_.config.training.objective == "trimmed:0.2"
    assert len(detector.run_.division.train) + len(detector.run_.division.validation) == 160


@pytest.mark.parametrize(("rows", "models"), [(499, 4), (500, 2)])
def test_few_rows_are_judged_by_three_first_models(rows: int, models: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fits, minutes = list[tuple[str, int]](), list[float]()
    learn = Learner._learn

    def noted(self: Learner, some: np.ndarray, options: dict[str, object], *rest: Any) -> None:
        fits.append((str(options["objective"]), int(str(options["seed"]))))
        minutes.append(float(str(options["minutes"])))
        learn(self, some, {**options, "minutes": None, "epochs": 1}, *rest)

    monkeypatch.setattr(Learner, "_learn", noted)
    x = np.random.default_rng(0).normal(size=(rows, 2))
    VAEOutlierDetector(max_minutes=1, random_state=7).fit(x)
    assert [aim for aim, _ in fits] == ["trimmed:0.4"] * (models - 1) + ["trimmed:0.2"]
    assert len({seed for _, seed in fits}) == models - 1
    assert fits[0][1] == fits[-1][1] == 7
    assert sum(minutes) == pytest.approx(1)


def test_rows_stay_that_alone_miss_a_column_or_have_it() -> None:
    rows = np.random.default_rng(0).normal(size=(10, 3))
    rows[0, 0] = rows[1, 0] = np.nan
    rows[2:, 1] = np.nan
    log_px = np.arange(10.0)
    assert np.flatnonzero(~likelier(rows, log_px, 0.2)).tolist() == [0]
    assert likelier(rows[:3], log_px[:3], 0.2).all()
    assert np.flatnonzero(~likelier(np.ones((10, 1)), log_px, 0.2)).tolist() == [0, 1]


def test_where_all_are_inliers_every_row_trains_with_jittered_copies() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 2)) @ W
    detector = VAEOutlierDetector(novelty=True, max_epochs=3, random_state=0).fit(rows)
    assert detector.run_.config.training.objective == "elbo:closed"
    assert detector.run_.schema.rows == 900


def test_with_a_likelihood_of_ones_own_log_px_is_that_of_the_data() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 2)) @ W
    detector = VAEOutlierDetector(novelty=True, likelihood="gaussian", max_epochs=3, random_state=0).fit(rows)
    assert detector.coordinates_ is None
    assert detector.run_.schema.rows == 180
    np.testing.assert_array_equal(detector.score_samples(rows), detector.run_.score(rows)["log_px"])


@pytest.mark.parametrize("share", [0, 0.6, -0.1, "auto"])
def test_a_contamination_that_is_no_share_is_refused(share: object) -> None:
    with pytest.raises(ConfigError, match="contamination must be above 0"):
        VAEOutlierDetector(contamination=share).fit(np.zeros((10, 2)))


def test_a_mixed_frame_with_missing_cells_is_taken() -> None:
    frame = homes()
    detector = VAEOutlierDetector(contamination=0.05, max_epochs=10, random_state=0).fit(frame)
    odd = frame.iloc[[0]].assign(price=9000.0)
    assert detector.predict(odd).tolist() == [-1]
    assert detector.predict(frame).mean() > 0.8


RNG = np.random.default_rng(31)
ODD = np.arange(200) < 6
TABLES = {
    "categories": pd.DataFrame({"c": np.where(ODD, "rare", "usual"), "d": RNG.choice(["x", "y"], 200)}),
    "truths": pd.DataFrame({"b": ODD, "e": RNG.random(200) < 0.5}),
    "mostly zeros": pd.DataFrame({f"c{i}": np.where(ODD, RNG.gamma(2, 100, 200).round(2), 0) for i in range(3)}),
    "rare counts": pd.DataFrame({f"w{i}": np.where(ODD, 1 + RNG.poisson(1.0, 200), 0) for i in range(3)}),
    "constant but for a few": np.where(ODD[:, None], 5.0, np.zeros((200, 3))),
}
TABLES["sparse"] = TABLES["rare counts"].astype(pd.SparseDtype("int64", 0))


@pytest.mark.parametrize("name", list(TABLES))
def test_tables_without_a_number_for_the_coarse_law_have_outliers_too(name: str) -> None:
    detector = VAEOutlierDetector(contamination=0.03, max_epochs=8, random_state=0)
    assert ((detector.fit_predict(TABLES[name]) == -1) == ODD).mean() > 0.98


@pytest.fixture(scope="module")
def fitted() -> VAEOutlierDetector:
    return VAEOutlierDetector(max_epochs=20, random_state=0).fit(np.random.default_rng(0).normal(size=(300, 2)) @ W)


def test_the_run_is_no_way_round_the_coordinates(fitted: VAEOutlierDetector, tmp_path: Path) -> None:
    for verb in (fitted.run_.score, fitted.run_.impute, fitted.run_.anomalies):
        with pytest.raises(DataError, match="give rows to the detector's own score_samples"):
            verb(np.zeros((3, 2)))
    with pytest.raises(DataError, match="store the detector itself"):
        fitted.run_.save(tmp_path / "run")
    assert fitted.run_.sample(3).shape == (3, 2)
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301
    rows = np.random.default_rng(1).normal(size=(5, 2))
    np.testing.assert_array_equal(again.score_samples(rows), fitted.score_samples(rows))


def test_an_explanation_sums_to_the_score_and_is_in_the_data_s_units(fitted: VAEOutlierDetector) -> None:
    rows = np.array([[0.5, 0.2], [0.0, 4.0], [np.nan, 0.3]])
    with pytest.warns(UserWarning, match="missing"):
        found, scores = fitted.explain(rows), fitted.score_samples(rows)
    assert found.index.names == ["row", "column"]
    assert found.loc[1].index.tolist() == ["x0", "x1", "(code)"]
    np.testing.assert_allclose(found["nats"].groupby("row").sum(), -scores, rtol=1e-9)
    assert found["value"].loc[1, "x1"] == 4
    assert found["nats"].loc[1].idxmax() == "x1"
    assert np.isnan(found["nats"].loc[2, "x0"])
    usual = np.random.default_rng(2).normal(size=(100, 2)) @ W
    expected = fitted.explain(usual)["expected"].unstack()[["x0", "x1"]].to_numpy()
    assert np.abs(expected - usual).mean() < 0.5 * np.abs(usual).mean()


def test_an_explanation_of_a_frame_has_its_names_labels_and_values() -> None:
    frame = homes().set_index(pd.Index([f"home {i}" for i in range(len(homes()))]))
    frame.insert(1, "empty", np.nan)
    detector = VAEOutlierDetector(max_epochs=5, random_state=0).fit(frame)
    found = detector.explain(frame.iloc[:2])
    modelled = [name for name in frame.columns if name != "empty"]
    assert found.loc["home 1"].index.tolist() == [*modelled, "(code)"]
    for name in modelled:
        given, expected = frame[name].iloc[1], found["expected"].loc["home 1", name]
        assert found["value"].loc["home 1", name] == given or pd.isna(given)
        if pd.api.types.is_numeric_dtype(frame[name]):
            assert frame[name].min() <= float(expected) <= frame[name].max()
        elif isinstance(given, str):
            assert expected in set(frame[name])


@pytest.mark.parametrize("columns", [None, [5, 7], ["a", "(x)"]])
def test_an_explanation_of_any_names(columns: list[Any] | None) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=columns)
    found = VAEOutlierDetector(max_epochs=2, random_state=0).fit(frame).explain(frame[:1])
    assert found.loc[0].index.tolist() == [*(str(name) for name in frame.columns), "(code)"]
    np.testing.assert_array_equal(found["value"].to_numpy(float)[:2], frame.iloc[0])


def test_an_explanation_of_an_array_of_two_values() -> None:
    rows = np.random.default_rng(0).random((60, 3)) > 0.3
    found = VAEOutlierDetector(max_epochs=2, random_state=0).fit(rows).explain(rows[:2])
    assert found.loc[1].index.tolist() == ["x0", "x1", "x2", "(code)"]


def test_a_fit_that_fails_leaves_nothing_that_answers(fitted: VAEOutlierDetector) -> None:
    rows = np.random.default_rng(5).normal(size=(60, 2))
    detector = clone(fitted).fit(rows).calibrate(rows)
    with pytest.raises(ConfigError):
        detector.set_params(prior="nonsense").fit(rows)
    for verb in (detector.score_samples, detector.p_values, detector.predict):
        with pytest.raises((NotFittedError, ConfigError)):
            verb(rows)


def test_scores_of_the_fit_are_of_all_rows_given_and_their_mean_by_weight() -> None:
    rows = np.random.default_rng(6).normal(size=(80, 2))
    weights = np.repeat([0.0, 1.0, 5.0], [10, 50, 20])
    detector = VAEOutlierDetector(max_epochs=2, random_state=0).fit(rows, sample_weight=weights)
    np.testing.assert_array_equal(detector.decision_scores_, -detector.score_samples(rows))
    mean = np.average(detector.decision_scores_, weights=weights)
    above = detector.predict_proba(rows)[:, 1] > 0
    np.testing.assert_array_equal(above, detector.decision_scores_ > mean)


def test_what_is_of_coordinates_is_no_start_of_another_fit(fitted: VAEOutlierDetector) -> None:
    for run in (fitted.run_, copy.deepcopy(fitted.run_)):
        with pytest.raises(DataError, match="of the detector's coordinates"):
            likely.fit(np.zeros((20, 2)), init=run, progress=False)
        with pytest.raises(DataError, match="of the detector's coordinates"):
            run.evaluate()


def test_p_values_are_uniform_over_inliers_and_small_over_outliers(fitted: VAEOutlierDetector) -> None:
    rng = np.random.default_rng(3)
    detector = clone(fitted).fit(rng.normal(size=(300, 2)) @ W)
    with pytest.raises(ConfigError, match="call calibrate"):
        detector.p_values(np.zeros((1, 2)))
    inliers = rng.normal(size=(2000, 2)) @ W
    p = detector.calibrate(inliers[:1000]).p_values(inliers[1000:])
    assert kstest(p, "uniform").pvalue > 1e-3
    assert detector.p_values([[6.0, -6.0]]).tolist() == [1 / 1001]
    assert detector.calibrate(inliers[:9]).p_values(inliers[:9]).max() == 1
    assert not hasattr(detector.fit(inliers[:50]), "calibration_scores_")


def test_unified_scores_are_within_0_and_1_and_in_the_order_of_log_p(fitted: VAEOutlierDetector) -> None:
    rows = 2 * np.random.default_rng(4).normal(size=(200, 2))
    proba = fitted.predict_proba(rows)
    np.testing.assert_allclose(proba.sum(1), 1)
    assert ((proba >= 0) & (proba <= 1)).all()
    order = np.argsort(fitted.score_samples(rows))
    assert (np.diff(proba[order, 1]) <= 0).all()


def test_rows_come_back_from_their_coordinates() -> None:
    rng = np.random.default_rng(0)
    rows = np.column_stack([np.exp(rng.normal(size=400)), rng.integers(0, 5, size=400)])
    place = Coordinates.of(rows)
    np.testing.assert_allclose(place.inverse(place(rows)), rows, atol=1e-8)
    between = np.column_stack([np.linspace(0.1, 5, 40), np.linspace(0, 4, 40)])
    np.testing.assert_allclose(place.inverse(place(between)), between, atol=1e-6)
    far = np.array([[90.0, 11.0], [-40.0, -6.0]])
    np.testing.assert_allclose(place.inverse(place(far)), far, rtol=1e-6)
