"""Outliers are the rows of least log P(x)."""

from __future__ import annotations

import numpy as np
import pytest
from homes import homes
from sklearn.metrics import roc_auc_score

from likely.errors import ConfigError
from likely.estimators import VAEOutlierDetector

W = np.array([[2.0, 1.0], [0.0, 0.5]])


def test_rows_off_the_correlation_are_found() -> None:
    rng = np.random.default_rng(0)
    train, inliers = rng.normal(size=(300, 2)) @ W, rng.normal(size=(200, 2)) @ W
    outliers = rng.normal(size=(200, 2)) * np.sqrt((W**2).sum(0)) * 2
    detector = VAEOutlierDetector(random_state=0).fit(train)
    rows, is_inlier = np.vstack([inliers, outliers]), np.repeat([1, 0], 200)
    exact = -np.einsum("ni,ij,nj->n", rows, np.linalg.inv(W.T @ W), rows)
    found = roc_auc_score(is_inlier, detector.decision_function(rows))
    assert found > roc_auc_score(is_inlier, exact) - 0.02


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_contamination_is_the_share_of_the_rows_of_the_fit(share: float) -> None:
    rows = np.random.default_rng(0).normal(size=(200, 2)) @ W
    detector = VAEOutlierDetector(contamination=share, max_epochs=3, random_state=0)
    labels = detector.fit_predict(rows)
    assert (labels == -1).sum() == round(200 * share)
    assert detector.offset_ == np.quantile(detector.score_samples(rows), share)
    np.testing.assert_array_equal(labels, np.where(detector.decision_function(rows) < 0, -1, 1))
    np.testing.assert_array_equal(detector.score_samples(rows), detector.run_.score(rows)["log_px"])


@pytest.mark.parametrize("share", [0, 0.6, -0.1, "auto"])
def test_a_contamination_that_is_no_share_is_refused(share: object) -> None:
    with pytest.raises(ConfigError, match="contamination must be above 0"):
        VAEOutlierDetector(contamination=share).fit(np.zeros((10, 2)))


def test_a_mixed_frame_with_holes_is_taken() -> None:
    frame = homes()
    detector = VAEOutlierDetector(contamination=0.05, max_epochs=20, random_state=0).fit(frame)
    odd = frame.iloc[[0]].assign(price=9000.0)
    assert detector.predict(odd).tolist() == [-1]
    assert detector.predict(frame).mean() > 0.8
