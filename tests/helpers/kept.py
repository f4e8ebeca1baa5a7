"""States of training: kept at a step, and compared bit for bit."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from likely.training import Monitor, TrainingState

__all__ = ["Keep", "equal"]


class Keep(Monitor):
    """Keeps what a state knows after each of some steps, and ends training after the last of them."""

    def __init__(self, state: TrainingState, *steps: int) -> None:
        self.state, self.steps, self.kept = state, steps, dict[int, dict[str, Any]]()

    def on_step(self, step: int, total: int) -> None:
        del total
        if step in self.steps:
            self.kept[step] = self.state.state_dict()
            if step == max(self.steps):
                raise KeyboardInterrupt


def equal(a: Any, b: Any, path: str = "") -> None:
    """Two nests are equal but for seconds."""
    if isinstance(a, Tensor):
        assert a.equal(b), path
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), path
        for name in a:
            if name != "seconds":
                equal(a[name], b[name], f"{path}/{name}")
    elif isinstance(a, list):
        assert len(a) == len(b), path
        for place, pair in enumerate(zip(a, b, strict=True)):
            equal(*pair, f"{path}/{place}")
    else:
        assert a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b)), path
