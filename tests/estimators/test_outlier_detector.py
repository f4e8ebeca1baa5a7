"""Outliers are the rows of least log P(x)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from homes import homes
from likely.errors import ConfigError
from likely.estimators import VAEOutlierDetector
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
    run, placed = detector.run_, detector.coordinates_(rows)
    measured = evidence(run.model, run.encoded(run.rows_of(placed)[0]), samples=100)
    np.testing.assert_array_equal(detector.score_samples(rows), measured.terms["iwae"])


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
