"""A fitted run: directory <-> memory, and the verbs."""

from likely.evaluation import Assessment
from likely.run.compare import Comparison, compare
from likely.run.fit import fit
from likely.run.inspect import Inspection, inspect
from likely.run.run import Run
from likely.run.store import load
from likely.run.train import train
from likely.run.traverse import Traverse

__all__ = ["Assessment", "Comparison", "Inspection", "Run", "Traverse", "compare", "fit", "inspect", "load", "train"]
