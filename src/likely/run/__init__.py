"""A fitted run: directory <-> memory, and the verbs."""

from likely.evaluation import Assessment
from likely.run.comparing import Comparison, compare
from likely.run.compose import train
from likely.run.fitting import fit
from likely.run.inspection import Inspection, inspect
from likely.run.run import Run
from likely.run.store import load
from likely.run.walking import Traverse

__all__ = ["Assessment", "Comparison", "Inspection", "Run", "Traverse", "compare", "fit", "inspect", "load", "train"]
