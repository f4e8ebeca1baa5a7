"""A fitted run: directory <-> memory, and the verbs."""

from likely.run.compose import train
from likely.run.fit import fit
from likely.run.inspect import Inspection, inspect
from likely.run.run import Run
from likely.run.store import load

__all__ = ["Inspection", "Run", "fit", "inspect", "load", "train"]
