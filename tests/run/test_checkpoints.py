"""What checkpoints hand to members, and tell their timer."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from likely.run import checkpoints
from likely.run.checkpoints import MIN_SECONDS_BETWEEN, Checkpoints
from likely.run.stopping import Stop


def state() -> Any:
    return SimpleNamespace(state_dict=dict)


def test_members_get_their_earlier_states_in_order_and_those_after_them_none(tmp_path: Path) -> None:
    held = Checkpoints(tmp_path, Stop(), ({"step": 7}, {"step": 3}))
    assert [held.register(state()) for _ in range(3)] == [{"step": 7}, {"step": 3}, None]


def test_a_checkpoint_puts_off_the_next_by_what_it_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]

    def slowly(*_: Any, **__: Any) -> None:
        clock[0] += 5.0

    monkeypatch.setattr(checkpoints, "write_states", slowly)
    monkeypatch.setattr(checkpoints, "demand_own_lock", lambda _: None)
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    held = Checkpoints(tmp_path, Stop())
    held._write()
    assert held.timer.wait == pytest.approx(5.0 / 0.02)
    assert not held.timer.due()
    clock[0] += 250.0
    assert held.timer.due()
    monkeypatch.setattr(checkpoints, "write_states", lambda *_, **__: None)
    held._write()
    assert held.timer.wait == MIN_SECONDS_BETWEEN
