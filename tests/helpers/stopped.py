"""Fits that are stopped at a step, and what two runs must have in common."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import likely
from likely.run.stopping import Stopped
from likely.training import Monitor

__all__ = ["Signal", "same", "stopped"]


class Signal(Monitor):
    """Sends this process a signal after some step of a fit, so many times at once."""

    def __init__(self, at: int, number: int = signal.SIGTERM, times: int = 1) -> None:
        self.at, self.number, self.times, self.taken = at, number, times, 0

    def on_step(self, step: int, total: int) -> None:
        del step, total
        self.taken += 1
        if self.taken == self.at:
            for _ in range(self.times):
                os.kill(os.getpid(), self.number)


def stopped(data: Any, out: Path, at: int, **options: Any) -> Path:
    """The directory of a fit that SIGTERM stopped after so many steps of all members."""
    with pytest.raises(Stopped) as told:
        likely.fit(data, out=out, monitors=[Signal(at)], **options)
    assert told.value.code == 143
    return out


def same(one: Path, other: Path, y: Any = None, **how: Any) -> None:
    """Two runs are equal to the byte: weights, history but for seconds, what they are of, and what they draw."""
    names = {entry.name for entry in one.iterdir() if entry.is_file()}
    assert names == {entry.name for entry in other.iterdir() if entry.is_file()}
    for name in names - {"history.csv", "run.json"}:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    histories = [pd.read_csv(place / "history.csv").drop(columns="seconds") for place in (one, other)]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    runs = [likely.load(place, **how) for place in (one, other)]
    assert runs[0].notices == runs[1].notices
    records = [run.record.to_dict() for run in runs]
    for record in records:
        record.pop("seconds"), record.pop("id")
    assert records[0] == records[1], records
    drawn = [np.asarray(run.sample(5, seed=1, given=y)) for run in runs]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert [entry.name for entry in (one / "checkpoints").iterdir()] == [
        entry.name for entry in (other / "checkpoints").iterdir()
    ]
