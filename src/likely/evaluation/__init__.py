"""What the model says of rows: the evidence and every term of the identity, with errors."""

from likely.evaluation.evidence import Evidence, evidence, posterior_centres, posterior_means
from likely.evaluation.ledger import Entry, Ledger, given_y, ledger

__all__ = ["Entry", "Evidence", "Ledger", "evidence", "given_y", "ledger", "posterior_centres", "posterior_means"]
