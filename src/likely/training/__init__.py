"""The loop, its budget, its validation."""

from likely.training.loop import Outcome, train
from likely.training.schedule import Plan

__all__ = ["Outcome", "Plan", "train"]
