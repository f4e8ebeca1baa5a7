"""scikit-learn's own checks, every one of them."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from likely.estimators import VAEOutlierDetector, VariationalAutoencoder


@parametrize_with_checks([VariationalAutoencoder(), VAEOutlierDetector()])
def test_scikit_learn_s_checks(estimator: Any, check: Any) -> None:
    check(estimator)
