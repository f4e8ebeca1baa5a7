"""What the model says of rows, and what simpler models do: the evidence, every term of the identity, baselines."""

from likely.evaluation.baselines import Baseline, Baselines, fit_baselines
from likely.evaluation.compressors import compress
from likely.evaluation.evidence import Evidence, evidence, posterior_centres, posterior_means
from likely.evaluation.ledger import Entry, Ledger, given_y, ledger

__all__ = [
    "Baseline",
    "Baselines",
    "Entry",
    "Evidence",
    "Ledger",
    "compress",
    "evidence",
    "fit_baselines",
    "given_y",
    "ledger",
    "posterior_centres",
    "posterior_means",
]
