"""The trainer, its state, its schedule, its monitors, its validation."""

from likely.training.em import maximise
from likely.training.matching import match_shares
from likely.training.monitors import CSV, Monitor, Progress, TensorBoard
from likely.training.schedule import Schedule
from likely.training.state import Outcome, TrainingState
from likely.training.trainer import Trainer, train

__all__ = [
    "CSV",
    "Monitor",
    "Outcome",
    "Progress",
    "Schedule",
    "TensorBoard",
    "Trainer",
    "TrainingState",
    "match_shares",
    "maximise",
    "train",
]
