"""scikit-learn's own checks, every one of them; of the detector, which fits four models each time, with few epochs."""

from __future__ import annotations

from typing import Any

from sklearn.utils.estimator_checks import parametrize_with_checks

from likely.estimators import VAEImputer, VAEOutlierDetector, VariationalAutoencoder


@parametrize_with_checks([VariationalAutoencoder(), VAEOutlierDetector(max_epochs=5), VAEImputer()])
def test_scikit_learn_s_checks(estimator: Any, check: Any) -> None:
    check(estimator)
