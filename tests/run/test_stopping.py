"""Signals wait for the end of a step in training, and for nothing outside it."""

from __future__ import annotations

import signal
import threading

import pytest

from likely.run.stopping import Stop, Stopped, heeded


def test_outside_training_a_signal_ends_the_process_at_once() -> None:
    with heeded() as stop:
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
    with heeded() as stop:
        stop.training = True
        signal.raise_signal(signal.SIGINT)
        assert (stop.ended, stop.number) == (True, None)
        signal.raise_signal(signal.SIGINT)
        assert stop.number == signal.SIGINT
        with pytest.raises(Stopped) as told:
            signal.raise_signal(signal.SIGINT)
        assert told.value.code == 130
    with heeded() as stop:
        stop.training = True
        signal.raise_signal(signal.SIGTERM)
        assert stop.asked
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGTERM)


def test_handlers_of_others_and_signals_that_are_ignored_stay() -> None:
    def mine(number: int, frame: object) -> None:
        del number, frame

    before = signal.signal(signal.SIGINT, mine), signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with heeded():
            assert signal.getsignal(signal.SIGINT) == mine
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGHUP, before[1])


def test_another_thread_heeds_none() -> None:
    stops = list[Stop]()

    def run() -> None:
        with heeded() as stop:
            stops.append(stop)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert len(stops) == 1
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
