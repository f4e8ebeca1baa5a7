"""Signals wait for the end of a step in training, and for nothing outside it."""

from __future__ import annotations

import signal
import threading

import pytest
import torch

import likely
from likely.run.stopping import Stop, Stopped, signals_handled
from likely.training import TrainingState
from small import table
from stopped import Signal


def test_outside_training_a_signal_ends_the_process_at_once() -> None:
    with signals_handled() as stop:
        assert signal.getsignal(signal.SIGTERM) == stop.take
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        for number, code in ((signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            with pytest.raises(Stopped) as told:
                signal.raise_signal(number)
            assert told.value.code == code
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_in_training_a_third_interrupt_and_a_second_other_signal_do_not_wait() -> None:
    with signals_handled() as stop:
        stop.training = True
        signal.raise_signal(signal.SIGINT)
        assert (stop.end_early, stop.exit_signal) == (True, None)
        signal.raise_signal(signal.SIGINT)
        assert stop.exit_signal == signal.SIGINT
        with pytest.raises(Stopped) as told:
            signal.raise_signal(signal.SIGINT)
        assert told.value.code == 130
    with signals_handled() as stop:
        stop.training = True
        signal.raise_signal(signal.SIGTERM)
        assert stop.signal_came
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGTERM)


def test_handlers_of_others_and_signals_that_are_ignored_stay() -> None:
    def mine(number: int, frame: object) -> None:
        del number, frame

    before = signal.signal(signal.SIGINT, mine), signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_handled():
            assert signal.getsignal(signal.SIGINT) == mine
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGHUP, before[1])


def test_another_thread_heeds_none() -> None:
    stops = list[Stop]()

    def run() -> None:
        with signals_handled() as stop:
            stops.append(stop)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert len(stops) == 1
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_without_a_directory_an_interrupt_waits_for_the_step_too(monkeypatch: pytest.MonkeyPatch) -> None:
    last = 5  # a step whose weights are the best so far, so that they are kept
    told = {"steps": 40, "latent": 2, "width": 8}
    until = likely.fit(table(), monitors=[Signal(last, signal.SIGINT)], **told)
    keep, calls = TrainingState.keep_as_best, list[int]()

    def interrupted(state: TrainingState, weights: list[torch.Tensor]) -> None:
        calls.append(state.step)
        if calls.count(last) == 1 and state.step == last:
            signal.raise_signal(signal.SIGINT)
        keep(state, weights)

    monkeypatch.setattr(TrainingState, "keep_as_best", interrupted)
    run = likely.fit(table(), **told)
    assert last in calls
    assert run.record.interrupted
    assert run.steps == until.steps == last
    assert run.best == until.best
    for name, weight in until.model.state_dict().items():
        torch.testing.assert_close(run.model.state_dict()[name], weight, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize(("number", "times", "error"), [("SIGINT", 2, KeyboardInterrupt), ("SIGTERM", 1, Stopped)])
def test_without_a_directory_what_stops_a_fit_stops_it(number: str, times: int, error: type[BaseException]) -> None:
    with pytest.raises(error, match=r"interrupted|143"):
        likely.fit(table(), steps=40, latent=2, width=8, monitors=[Signal(3, getattr(signal, number), times)])
