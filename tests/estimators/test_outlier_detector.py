"""Outliers are the rows of least log P(x)."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest, multivariate_normal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

import likely
from homes import homes
from likely.data import EncodedRows
from likely.errors import ConfigError
from likely.estimators import VAEOutlierDetector
from likely.estimators.columns_alone import ColumnsAlone
from likely.estimators.table import some_of
from likely.evaluation import evidence

W = np.array([[2.0, 1.0], [0.0, 0.5]])


def encoded_by(run: likely.Run, rows: np.ndarray) -> EncodedRows:
    return run.encoded(run.rows_of(rows)[0])


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
    assert detector.columns_ is not None
    encoded = encoded_by(detector.run_, rows)
    log_px = evidence(detector.run_.model, encoded, samples=16).terms["iwae"]
    by_column = 0.25 * detector.columns_.log_prob(encoded).sum(1)
    np.testing.assert_allclose(detector.score_samples(rows), log_px + by_column)
    np.testing.assert_array_equal(detector.decision_scores_, -detector.score_samples(rows))


def test_scattered_outliers_among_the_rows_of_the_fit_do_not_make_themselves_probable() -> None:
    rng = np.random.default_rng(0)
    rows = np.vstack([rng.normal(size=(300, 4)), 4 * rng.normal(size=(30, 4))])
    scores = VAEOutlierDetector(random_state=0).fit(rows).decision_scores_
    assert roc_auc_score(np.repeat([0, 1], [300, 30]), scores) > 0.95


def test_a_hint_says_how_much_columns_by_themselves_count() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 2)) @ W
    scores = {
        hint: VAEOutlierDetector(novelty=hint, max_epochs=3, random_state=0).fit(rows).score_samples(rows)
        for hint in (None, True, False)
    }
    by_column = (scores[None] - scores[True]) / 0.25
    np.testing.assert_allclose(scores[False] - scores[True], 1.5 * by_column)
    with pytest.raises(ConfigError, match="novelty must be True, False or None"):
        VAEOutlierDetector(novelty="auto").fit(rows)


def test_a_hint_counts_in_the_fit_alone(fitted: VAEOutlierDetector) -> None:
    rows = np.random.default_rng(7).normal(size=(20, 2))
    changed = copy.deepcopy(fitted).set_params(novelty=False)
    np.testing.assert_array_equal(changed.score_samples(rows), fitted.score_samples(rows))


@pytest.mark.parametrize("kind", [np.uint8, float])
def test_a_value_that_only_rows_outside_the_sample_have_is_scored(kind: type) -> None:
    rows = (np.random.default_rng(0).random((3200, 3)) < 0.3).astype(kind)
    rows[0, 1] = 2
    seed = next(seed for seed in range(200) if 0 not in some_of(rows, 3000, seed))
    detector = VAEOutlierDetector(max_epochs=1, random_state=seed).fit(rows)
    assert detector.decision_scores_[0] > np.quantile(detector.decision_scores_, 0.9)


@pytest.mark.parametrize("hint", [None, True, False])
def test_values_beyond_all_reason_have_scores_and_reasons(hint: bool | None) -> None:
    rows = np.random.default_rng(0).normal(size=(100, 2))
    detector = VAEOutlierDetector(novelty=hint, max_epochs=2, random_state=0).fit(rows)
    for x in (1e30, 1e200):
        far = np.array([[x, 0.0]])
        assert np.isfinite(detector.score_samples(far)).all()
        reasons = detector.explain(far)["nats"]
        assert reasons.notna().all()
        assert reasons.sum() == pytest.approx(-detector.score_samples(far)[0])
    tiny = VAEOutlierDetector(max_epochs=1, random_state=0).fit(rows * 1e-165)
    assert np.isfinite(tiny.decision_scores_).all()


def test_whole_numbers_lie_between_others() -> None:
    ages = np.append(np.random.default_rng(0).normal(40, 5, 100).round(), 110)
    detector = VAEOutlierDetector(max_epochs=1, random_state=0).fit(pd.DataFrame({"age": ages, "x": ages[::-1]}))
    assert detector.columns_ is not None
    asked = pd.DataFrame({"age": [39.0, 90.0, 110.0], "x": 40.0})
    middle, gap, far = detector.columns_.log_prob(detector._encoded(asked))[:, 0]
    assert middle > far > gap


def test_all_rows_train_and_3000_of_more() -> None:
    few = VAEOutlierDetector(max_epochs=1, random_state=0).fit(np.random.default_rng(0).normal(size=(250, 2)))
    assert (len(few.run_.division.train), len(few.run_.division.validation)) == (250, 200)
    many = VAEOutlierDetector(max_epochs=1, random_state=0).fit(np.random.default_rng(0).normal(size=(3500, 2)))
    assert len(many.run_.division.train) == 3000
    assert many.decision_scores_.shape == (3500,)


@pytest.mark.parametrize(("rows", "steps"), [(50, 300), (400, 600)])
def test_steps_grow_with_the_root_of_the_rows(rows: int, steps: int) -> None:
    assert VAEOutlierDetector(random_state=0).fit(np.random.default_rng(0).normal(size=(rows, 2))).n_iter_ == steps


def test_rows_stay_that_alone_miss_a_column_or_have_it() -> None:
    rows = np.random.default_rng(0).normal(size=(1000, 3))
    rows[0, 0] = np.nan
    rows[1:, 1] = np.nan
    for seed in range(20):
        assert 0 in some_of(rows, 10, seed)
    assert some_of(rows, 1000, 0).tolist() == list(range(1000))


def test_the_density_of_a_column_is_normalised_and_that_of_its_kernels() -> None:
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.gamma(2, 30, 400), rng.normal(size=400)])
    run = likely.fit(rows, latent=1, width=8, steps=2, progress=False)
    alone = ColumnsAlone.fit(run.schema, encoded_by(run, rows), 0)
    places = np.linspace(-40_000, 40_000, 2_000_001)
    density = np.exp(alone.log_prob(encoded_by(run, np.column_stack([places, places])))[:, 0])
    assert np.trapezoid(density, places) == pytest.approx(1, abs=2e-3)  # what is left lies beyond: a Cauchy density
    x, s = np.array([10.0, 60.0, 150.0, 900.0]), rows[:, 0].std()
    near = np.exp(-0.5 * ((x[:, None] - rows[:, 0]) / (0.2 * s)) ** 2).mean(1) / (0.2 * s * np.sqrt(2 * np.pi))
    wide = 1 / (np.pi * s * (1 + ((x - np.median(rows[:, 0])) / s) ** 2))
    found = alone.log_prob(encoded_by(run, np.column_stack([x, x])))[:, 0]
    np.testing.assert_allclose(found, np.log(0.95 * near + 0.05 * wide), atol=0.01)


def test_a_row_of_weight_counts_as_so_many_in_the_density_of_a_column() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 2))
    weights = np.repeat([1.0, 3.0], 30)
    repeated = np.repeat(rows, weights.astype(int), axis=0)
    found = []
    for some, weight in ((rows, weights), (repeated, None)):
        detector = VAEOutlierDetector(max_epochs=1, random_state=0).fit(some, sample_weight=weight)
        assert detector.columns_ is not None
        found.append(detector.columns_.log_prob(encoded_by(detector.run_, rows)))
    np.testing.assert_allclose(*found, atol=1e-9)


def test_with_a_likelihood_of_ones_own_log_px_is_that_of_the_data() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 2)) @ W
    detector = VAEOutlierDetector(likelihood="gaussian", max_epochs=3, random_state=0).fit(rows)
    assert detector.columns_ is None
    measured = evidence(detector.run_.model, encoded_by(detector.run_, rows), samples=16)
    np.testing.assert_allclose(detector.score_samples(rows), measured.terms["iwae"])


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
def test_tables_without_a_number_for_a_normal_law_have_outliers_too(name: str) -> None:
    detector = VAEOutlierDetector(contamination=0.03, max_epochs=8, random_state=0)
    assert ((detector.fit_predict(TABLES[name]) == -1) == ODD).mean() > 0.98


@pytest.fixture(scope="module")
def fitted() -> VAEOutlierDetector:
    return VAEOutlierDetector(random_state=0).fit(np.random.default_rng(0).normal(size=(300, 2)) @ W)


def test_the_run_is_of_the_data_and_a_pickle_holds_both_terms(fitted: VAEOutlierDetector, tmp_path: Path) -> None:
    rows = np.random.default_rng(1).normal(size=(5, 2)) @ W
    exact = multivariate_normal(np.zeros(2), W.T @ W).logpdf(rows)
    assert np.abs(fitted.run_.score(rows)["log_px"] - exact).mean() < 0.5
    fitted.run_.save(tmp_path / "run")
    assert likely.load(tmp_path / "run").sample(3).shape == (3, 2)
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301
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
    modelled = [name for name in frame.columns if name not in ("empty", "number")]  # number says which row it is
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
