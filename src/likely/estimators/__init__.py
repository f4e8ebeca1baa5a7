"""scikit-learn's contract: estimators that fit P(X) and use it."""

from likely.estimators.imputer import VAEImputer
from likely.estimators.outlier_detector import VAEOutlierDetector
from likely.estimators.variational_autoencoder import VariationalAutoencoder

__all__ = ["VAEImputer", "VAEOutlierDetector", "VariationalAutoencoder"]
