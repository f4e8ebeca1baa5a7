"""The time that annealing may take, which is the same in every process."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from likely import world
from likely.errors import ConfigError

__all__ = ["Clock", "Limit"]


@dataclass(frozen=True)
class Limit:
    """A limit of time, and what came of it.

    Attributes
    ----------
    minutes
        The limit: about, as what was begun is ended.
    seconds
        What annealing took.
    cut
        Whether rows or temperatures were left out because of it.

    """

    minutes: float
    seconds: float
    cut: bool


class Clock:
    """Seconds that are left of so many minutes.

    Every process must ask at the same places: what process 0 reads is what all are told.

    Attributes
    ----------
    minutes
        From now on; `None` for as long as it takes.
    cut
        Whether something was left out for want of time.

    Raises
    ------
    ConfigError
        If the minutes are no positive number.

    """

    def __init__(self, minutes: float | None) -> None:
        if minutes is not None and not 0 < minutes < math.inf:
            raise ConfigError(f"minutes must be a positive number, got {minutes}")
        self.minutes, self.cut = minutes, False
        self._started = self._last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since this was last asked, or since the beginning; 0 where there is no limit."""
        if self.minutes is None:
            return 0.0
        now = time.perf_counter()
        taken, self._last = now - self._last, now
        return world.of_first(taken)

    def left(self) -> float:
        """Seconds that are left, below 0 where it took longer; infinite where there is no limit."""
        if self.minutes is None:
            return math.inf
        return self.minutes * 60 - world.of_first(time.perf_counter() - self._started)

    def allows(self, seconds: float) -> bool:
        """Whether so many are left; where they are not, something is `cut`."""
        allowed = seconds <= self.left()
        self.cut |= not allowed
        return allowed

    @property
    def limit(self) -> Limit | None:
        """The limit, and what came of it until now; `None` where there is none."""
        if self.minutes is None:
            return None
        return Limit(self.minutes, self.minutes * 60 - self.left(), self.cut)
