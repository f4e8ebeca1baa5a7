"""scikit-learn's own checks, every one of them, of the estimators as they are."""

from __future__ import annotations

from typing import Any

from sklearn.utils.estimator_checks import parametrize_with_checks

from likely.estimators import VAEImputer, VAEOutlierDetector, VariationalAutoencoder


@parametrize_with_checks([VariationalAutoencoder(), VAEOutlierDetector(), VAEImputer()])
def test_scikit_learn_s_checks(estimator: Any, check: Any) -> None:
    check(estimator)
