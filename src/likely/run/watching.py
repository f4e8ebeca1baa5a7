"""Who watches training: the user's monitors, the bar, the checkpoints; and what is said where a batch size fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from likely.config import Config
from likely.data.kinds import Measure
from likely.errors import ConfigError
from likely.run.checkpoints import Checkpoints
from likely.training import Monitor, Progress

__all__ = ["Watching", "batch_size_errors"]


@dataclass(frozen=True)
class Watching:
    """The user's monitors, and who writes down where training is."""

    monitors: Sequence[Monitor]
    checkpoints: Checkpoints | None = None

    def of(self, tick: Callable[..., None], measure: Measure) -> list[Monitor]:
        """All monitors of one member: of the bar, which ticks so; checkpoints come last, when a step is done with."""

        def shown(done: int, total: int, bound: float | None) -> None:
            chance = measure == "mass" and bound is not None and bound > 0  # one sample a row may give that
            tick(done, total, "validation ELBO about 0" if chance else bound)

        return [Progress(shown), *self.monitors, *([] if self.checkpoints is None else [self.checkpoints])]


@contextmanager
def batch_size_errors(config: Config) -> Iterator[None]:
    """Errors of a batch size become messages of one line: too large for memory, or one row to normalise."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        size = config.training.batch_size or 0
        raise ConfigError(
            f"{config.device} has too little memory for batches of {size} rows; take a smaller one, as by --set "
            f"batch_size={max(1, size // 4)}, or --device cpu"
        ) from error
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ConfigError(
            "batch_size=1: a batch normalisation takes mean and deviation over the rows of a batch; make batch_size 2 "
            "or more, or use another normalisation"
        ) from error
