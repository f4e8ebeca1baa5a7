"""Monitors: objects that training calls while it runs."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from likely.training.state import Outcome

__all__ = ["CSV", "Monitor", "Progress", "TensorBoard"]

TICK = 25  # steps between two calls of a progress bar


class Monitor:
    """Called after every step, every validation and the end; does nothing itself.

    A monitor may raise `KeyboardInterrupt` to end training: the best weights so far are kept.
    """

    def on_step(self, step: int, total: int) -> None:
        """After each step: how many are done, and how many there will be at most."""

    def on_validation(self, record: Mapping[str, float]) -> None:
        """After each validation: its line of the history, in nats; of an ensemble with the member's number."""

    def on_end(self, outcome: Outcome) -> None:
        """Once training has ended, however it did; of an ensemble after each member."""


class Progress(Monitor):
    """Calls `tick(steps done, steps at most, latest validation ELBO)` every 25 steps."""

    def __init__(self, tick: Callable[[int, int, float | None], None]) -> None:
        self.tick, self.latest = tick, None

    latest: float | None

    def on_step(self, step: int, total: int) -> None:
        if step % TICK == 0:
            self.tick(step, total, self.latest)

    def on_validation(self, record: Mapping[str, float]) -> None:
        self.latest = record["val_elbo"]


class CSV(Monitor):
    """Appends a line to a csv file after each validation, so that it can be followed while training runs.

    A fit that is resumed writes the lines since its last checkpoint once more.

    What is counted once steps are left out (`left_out`, `returns`) is in the run's history alone.

    Parameters
    ----------
    path
        The file; lines are appended to one that exists.

    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def on_validation(self, record: Mapping[str, float]) -> None:
        new = not self.path.exists()
        with self.path.open("a", newline="") as file:
            always = [name for name in record if name not in ("left_out", "returns")]
            lines = csv.DictWriter(file, always, extrasaction="ignore")
            if new:
                lines.writeheader()
            lines.writerow(record)


class TensorBoard(Monitor):
    """Writes each line of the history as scalars for TensorBoard; needs `pip install likely[tensorboard]`.

    Parameters
    ----------
    folder
        Of the event files.

    Raises
    ------
    ImportError
        If TensorBoard is not installed.

    """

    def __init__(self, folder: str | Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ImportError('TensorBoard is not installed: pip install "likely[tensorboard]"') from error
        self.writer: Any = SummaryWriter(str(folder))

    def on_validation(self, record: Mapping[str, float]) -> None:
        for name, value in record.items():
            if name != "step":
                self.writer.add_scalar(name, value, int(record["step"]))

    def on_end(self, outcome: Outcome) -> None:
        self.writer.add_scalar("best_val_elbo", outcome.best, outcome.selected_step)
        self.writer.flush()
