"""A fit that is stopped and resumed ends as one that never stopped, to the byte."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import likely
from likely.errors import ConfigError, DataError, RunError
from likely.run import checkpoints
from likely.run.stopping import Stopped
from small import table
from stopped import Signal, same, stopped

SMALL: dict[str, Any] = {"latent": 2, "width": 8, "steps": 12, "batch_size": 8, "device": "cpu"}
PICTURES = np.random.default_rng(0).integers(0, 2, (40, 4, 4)).astype(np.uint8)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    frame = table()
    numbers = frame.drop(columns="town").mask(np.random.default_rng(0).random((40, 3)) < 0.1)
    numbers.assign(town=frame["town"]).to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


@pytest.mark.parametrize(
    ("options", "at"),
    [
        ({}, 5),
        ({"members": 2}, 5),
        ({"members": 2}, 12),
        ({"members": 2}, 17),
        ({"steps": None, "max_steps": 90, "prior": "vamp:5"}, 22),
        ({"condition": "town"}, 1),
        ({"prior": "exemplar:10"}, 12),
    ],
)
def test_a_path_is_read_again_and_the_end_is_the_same(
    options: dict[str, Any], at: int, csv: Path, tmp_path: Path
) -> None:
    told = SMALL | options
    likely.fit(csv, out=tmp_path / "whole", **told)
    place = stopped(csv, tmp_path / "run", at, **told)
    assert not (place / "weights.safetensors").exists()
    run = likely.fit(resume=place)
    assert run.directory == place
    same(place, tmp_path / "whole", {"town": "Bath"} if "condition" in options else None)


def test_so_is_the_end_where_it_is_stopped_again_and_again(csv: Path, tmp_path: Path) -> None:
    likely.fit(csv, out=tmp_path / "whole", members=2, **SMALL)
    stopped(csv, tmp_path / "run", 4, members=2, **SMALL)
    for _ in range(6):
        with pytest.raises(Stopped):
            likely.fit(resume=tmp_path / "run", monitors=[Signal(3)])
    likely.fit(resume=tmp_path / "run")
    same(tmp_path / "run", tmp_path / "whole")


def test_rows_from_memory_are_given_again(tmp_path: Path) -> None:
    told = SMALL | {"condition": {"label": np.arange(40) % 3}, "weight": np.linspace(1, 2, 40)}
    likely.fit(PICTURES, out=tmp_path / "whole", **told)
    place = stopped(PICTURES, tmp_path / "run", 5, **told)
    beside = {name: told[name] for name in ("condition", "weight")}
    with pytest.raises(DataError, match=r"fit was of data in memory.*likely.fit\(data, resume=RUN\)"):
        likely.fit(resume=place)
    with pytest.raises(DataError, match="these are not the rows that the run was fitted on"):
        likely.fit(1 - PICTURES, resume=place, **beside)
    with pytest.raises(DataError, match="these are others or none; give the same: weight=weights"):
        likely.fit(PICTURES, resume=place, condition=beside["condition"])
    likely.fit(PICTURES, resume=place, **beside)
    same(place, tmp_path / "whole", {"label": 1})


def test_a_path_that_has_changed_is_refused_and_nothing_lost(csv: Path, tmp_path: Path) -> None:
    place = stopped(csv, tmp_path / "run", 5, **SMALL)
    kept = csv.read_text()
    csv.write_text(kept.replace("Bath", "York"))
    with pytest.raises(DataError, match=r"t\.csv: these are not the rows"):
        likely.fit(resume=place)
    csv.unlink()
    with pytest.raises(DataError, match=r"gone from .*t\.csv; give the rows: likely fit DATA --resume RUN"):
        likely.fit(resume=place)
    (tmp_path / "moved.csv").write_text(kept)
    assert likely.fit(tmp_path / "moved.csv", resume=place).steps == 12


def test_without_a_checkpoint_it_starts_anew(csv: Path, tmp_path: Path) -> None:
    likely.fit(csv, out=tmp_path / "whole", **SMALL)
    place = stopped(csv, tmp_path / "run", 5, **SMALL)
    shutil.rmtree(place / "checkpoints")
    likely.fit(resume=place)
    same(place, tmp_path / "whole")


def test_a_damaged_checkpoint_is_told_and_the_one_before_it_taken(
    csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    likely.fit(csv, out=tmp_path / "whole", **SMALL)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "MIN_SECONDS_BETWEEN", 0.0)
        patch.setattr(checkpoints, "MAX_TIME_SHARE", 1e9)
        place = stopped(csv, tmp_path / "run", 7, **SMALL)
    assert sorted(entry.name for entry in (place / "checkpoints").iterdir()) == ["6", "7"]
    state = place / "checkpoints/7/state.safetensors"
    content = bytearray(state.read_bytes())
    content[-1] ^= 1
    state.write_bytes(content)
    with pytest.warns(UserWarning, match="checkpoints/7 is damaged.*a checksum differs.*an earlier state is taken"):
        likely.fit(resume=place)
    same(place, tmp_path / "whole")


def test_checkpoints_that_cannot_be_read_now_are_left_as_they_are(
    csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = stopped(csv, tmp_path / "run", 7, **SMALL)
    steps = sorted(entry.name for entry in (place / "checkpoints").iterdir())
    with monkeypatch.context() as patch:
        patch.setenv("LIKELY_MAX_BYTES", "20000")
        with pytest.raises(RunError, match=r"cannot be read now .*expected at most 20,000"):
            likely.fit(resume=place)
    assert sorted(entry.name for entry in (place / "checkpoints").iterdir()) == steps
    for step in steps:
        (place / "checkpoints" / step / "state.json").write_text("[]")
    with pytest.raises(RunError, match=r"is damaged .*; remove .*checkpoints, and --resume starts the fit anew"):
        likely.fit(resume=place)
    assert sorted(entry.name for entry in (place / "checkpoints").iterdir()) == steps


def test_a_fit_that_was_killed_before_its_first_weights_were_stored_is_not_begun_with_others(
    csv: Path, tmp_path: Path
) -> None:
    base = likely.fit(csv, **SMALL)
    place = stopped(csv, tmp_path / "run", 3, init=base, steps=6, device="cpu", batch_size=8)
    shutil.rmtree(place / "checkpoints")
    (place / "start.safetensors").unlink()
    with pytest.raises(RunError, match="was killed before its first weights were stored"):
        likely.fit(resume=place)


def test_the_steps_that_minutes_became_are_kept(csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from likely.run import learning

    monkeypatch.setattr(learning, "steps_in", lambda *_: 14)
    place = stopped(csv, tmp_path / "run", 5, **SMALL | {"steps": None, "minutes": 1.0})
    assert sorted(entry.name for entry in (place / "checkpoints").iterdir()) == ["0", "5"]
    shutil.rmtree(place / "checkpoints/5")
    monkeypatch.setattr(learning, "steps_in", lambda *_: pytest.fail("timed again"))
    assert likely.fit(resume=place).steps == 14


@pytest.mark.parametrize("members", [1, 2])
def test_an_interrupted_run_can_be_used_and_gone_on_with(members: int, csv: Path, tmp_path: Path) -> None:
    likely.fit(csv, out=tmp_path / "whole", members=members, **SMALL)
    place = tmp_path / "run"
    begun = likely.fit(csv, out=place, members=members, monitors=[Signal(12 * members - 5, signal.SIGINT)], **SMALL)
    assert begun.record.interrupted
    assert begun.steps == (7 if members == 1 else 12)
    assert len(likely.load(place).sample(3)) == 3
    assert likely.load(place).continue_training(steps=2).steps == begun.steps + 2
    likely.load(place).save(tmp_path / "copy")
    for one in (place, tmp_path / "copy"):
        assert not likely.fit(resume=one).record.interrupted
        same(one, tmp_path / "whole")


def test_an_interrupted_run_without_its_beginning_is_not_gone_on_with(csv: Path, tmp_path: Path) -> None:
    def stop(step: int, total: int) -> None:
        del total
        if step == 3:
            raise KeyboardInterrupt

    monitor = likely.training.Monitor()
    monitor.on_step = stop  # type: ignore[method-assign]
    run = likely.fit(csv, monitors=[monitor], **SMALL)
    run.save(tmp_path / "run")
    with pytest.raises(RunError, match="was interrupted and has no checkpoint; start another fit with --init"):
        likely.fit(resume=tmp_path / "run")
    assert likely.load(tmp_path / "run").steps == 3


def test_two_interrupts_stop_after_the_checkpoint(csv: Path, tmp_path: Path) -> None:
    likely.fit(csv, out=tmp_path / "whole", **SMALL)
    with pytest.raises(KeyboardInterrupt, match=r"stopped after step 5; likely fit --resume .*run goes on"):
        likely.fit(csv, out=tmp_path / "run", monitors=[Signal(5, signal.SIGINT, times=2)], **SMALL)
    assert not (tmp_path / "run/weights.safetensors").exists()
    likely.fit(resume=tmp_path / "run")
    same(tmp_path / "run", tmp_path / "whole")


def test_what_stood_there_stays_until_the_resumed_run_replaces_it(csv: Path, tmp_path: Path) -> None:
    likely.fit(csv, out=tmp_path / "whole", **SMALL)
    before = likely.fit(csv, out=tmp_path / "run", **SMALL | {"steps": 2})
    stopped(csv, tmp_path / "run", 5, overwrite=True, **SMALL)
    with pytest.warns(UserWarning, match="likely fit --resume .*run finishes it"):
        assert likely.load(tmp_path / "run").record.id == before.record.id
    likely.fit(resume=tmp_path / "run")
    same(tmp_path / "run", tmp_path / "whole")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["run", "t.csv", "whole"]


def test_a_fit_that_starts_from_weights_has_them_still(csv: Path, tmp_path: Path) -> None:
    first = likely.fit(csv, out=tmp_path / "first", members=2, **SMALL)
    likely.fit(csv, out=tmp_path / "whole", init=first, steps=6)
    place = stopped(csv, tmp_path / "run", 2, init=tmp_path / "first", steps=6)
    shutil.rmtree(tmp_path / "first")
    likely.fit(resume=place)
    assert (place / "weights.safetensors").read_bytes() == (tmp_path / "whole/weights.safetensors").read_bytes()
    assert not (place / "start.safetensors").exists()


class Dropping(torch.nn.Sequential):
    """An encoder with dropout, of two numbers for z of one."""

    def __init__(self) -> None:
        super().__init__(torch.nn.Flatten(), torch.nn.Dropout(0.3), torch.nn.Linear(16, 4))


def test_parts_of_ones_own_are_given_again(tmp_path: Path) -> None:
    likely.fit(PICTURES, out=tmp_path / "whole", encoder=Dropping, **SMALL)
    place = stopped(PICTURES, tmp_path / "run", 5, encoder=Dropping, **SMALL)
    with pytest.raises(ConfigError, match="Dropping of its own"):
        likely.fit(PICTURES, resume=place)
    likely.fit(PICTURES, resume=place, encoder=Dropping)
    same(place, tmp_path / "whole", factories={"encoder": Dropping})


@pytest.mark.parametrize(
    "options",
    [
        {"latent": 3},
        {"config": likely.Config()},
        {"split": "time:real"},
        {"prior": "normal"},
        {"column": {"real": "real"}},
    ],
)
def test_what_the_fit_has_already_is_refused(options: dict[str, Any], csv: Path, tmp_path: Path) -> None:
    place = stopped(csv, tmp_path / "run", 2, **SMALL)
    with pytest.raises(ConfigError, match=f"{next(iter(options))} is set by the fit that is resumed; leave it out"):
        likely.fit(resume=place, **options)
    with pytest.raises(ConfigError, match="leave out, overwrite and init away"):
        likely.fit(resume=place, out=tmp_path / "other")


def test_what_is_no_fit_or_a_finished_one_is_told(csv: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run directory at"):
        likely.fit(resume=tmp_path / "none")
    with pytest.raises(ConfigError, match="fit needs data, or resume=RUN"):
        likely.fit()
    run = likely.fit(csv, out=tmp_path / "run", **SMALL)
    with pytest.warns(UserWarning, match="is finished already"):
        assert likely.fit(resume=tmp_path / "run").record.id == run.record.id


def test_another_number_of_threads_is_told(csv: Path, tmp_path: Path) -> None:
    place = stopped(csv, tmp_path / "run", 5, **SMALL)
    torch.set_num_threads(2)
    with pytest.warns(UserWarning, match=r"another number or version of: 2 thread\(s\); what follows may differ"):
        likely.fit(resume=place)
    torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (likely.errors.OutputError("no space"), "no space"),
        (OSError(5, "Input/output error"), ".*Input/output error"),
        (MemoryError(), "too little memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), "too little memory"),
        (
            RuntimeError("alloc_cpu.cpp:124 DefaultCPUAllocator: can't allocate"),
            "too little memory",
        ),
    ],
)
def test_a_checkpoint_that_cannot_be_written_ends_no_training(
    error: Exception, reason: str, csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(checkpoints, "write_states", refused)
    monkeypatch.setattr(checkpoints, "MIN_SECONDS_BETWEEN", 0.0)
    with pytest.warns(UserWarning, match=rf"no checkpoint could be written \({reason}\); training goes on"):
        run = likely.fit(csv, out=tmp_path / "run", **SMALL)
    assert run.steps == 12


def test_a_mistake_in_a_checkpoint_is_not_taken_for_too_little_memory(
    csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*_: Any, **__: Any) -> None:
        raise RuntimeError("of another kind")

    monkeypatch.setattr(checkpoints, "write_states", mistaken)
    monkeypatch.setattr(checkpoints, "MIN_SECONDS_BETWEEN", 0.0)
    with pytest.raises(RuntimeError, match="of another kind"):
        likely.fit(csv, out=tmp_path / "run", **SMALL)


def test_a_signal_that_comes_without_a_checkpoint_promises_nothing(
    csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise likely.errors.OutputError("no space")

    monkeypatch.setattr(checkpoints, "write_states", refused)
    with (
        pytest.warns(UserWarning, match=r"no checkpoint could be written \(no space\)$"),
        pytest.raises(Stopped) as ended,
    ):
        likely.fit(csv, out=tmp_path / "run", monitors=[Signal(3)], **SMALL)
    assert ended.value.text == "interrupted"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, Stopped), (signal.SIGINT, KeyboardInterrupt)])
def test_a_signal_outside_training_says_how_it_goes_on(
    number: int, error: type[BaseException], csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = stopped(csv, tmp_path / "run", 5, **SMALL)
    monkeypatch.setattr("likely.run.settling.learn", lambda *_: signal.raise_signal(number))
    with pytest.raises(error) as told:
        likely.fit(resume=place)
    assert getattr(told.value, "text", str(told.value)).endswith(f"likely fit --resume {place} finishes")
    with pytest.raises(error) as told:
        likely.fit(csv, out=tmp_path / "new", **SMALL)
    assert "--resume" not in getattr(told.value, "text", str(told.value))


def test_slow_checkpoints_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(checkpoints.time, "perf_counter", lambda: now[0])
    timer = checkpoints.CheckpointTimer()
    now[0] = 59.0
    assert not timer.due()
    now[0] = 60.0
    assert timer.due()
    timer.written_in(3.0)
    now[0] = 209.0
    assert not timer.due()
    now[0] = 210.0
    assert timer.due()
    timer.written_in(0.1)
    now[0] = 270.0
    assert timer.due()
