"""scikit-learn's own checks, all but one; with few epochs, as none of them asks for a good fit."""

from __future__ import annotations

from typing import Any

from sklearn.utils.estimator_checks import parametrize_with_checks

from likely.estimators import VAEImputer, VAEOutlierDetector, VariationalAutoencoder


def but_for(estimator: Any) -> dict[str, str]:
    """Batches of repeated rows are others than those of weighted rows: the two fits agree in expectation alone."""
    why = "training by batches: rows of weight 2 and rows met twice are the same in expectation alone"
    return {} if isinstance(estimator, VAEImputer) else {"check_sample_weight_equivalence_on_dense_data": why}


@parametrize_with_checks(
    [VariationalAutoencoder(max_epochs=3), VAEOutlierDetector(max_epochs=2), VAEImputer(max_epochs=3)],
    expected_failed_checks=but_for,
)
def test_scikit_learn_s_checks(estimator: Any, check: Any) -> None:
    check(estimator)
