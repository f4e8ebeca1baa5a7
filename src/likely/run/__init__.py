"""A fitted run: directory <-> memory, and the verbs."""

from likely.run.assessing import Assessment
from likely.run.compose import train
from likely.run.fitting import fit
from likely.run.inspection import Inspection, inspect
from likely.run.run import Run
from likely.run.store import load

__all__ = ["Assessment", "Inspection", "Run", "fit", "inspect", "load", "train"]
