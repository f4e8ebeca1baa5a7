"""A command in several processes: one prints and stores, and what ends one ends all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import likely
from launched import free_port, two
from likely.cli import main
from small import table

SECONDS = 30  # within which all processes end when one is killed
FIT = ("fit", "rows.csv", "-o", "run", "--latent", "2", "--set", "width=8", "--set", "batch_size=40", "--seed", "1")


@pytest.fixture(autouse=True)
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    pd.concat([table()] * 4).to_csv("rows.csv", index=False)


def ended(each: list[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """Exit code, standard output and standard error of each."""
    both = [(process, *process.communicate(timeout=60)) for process in each]
    return [(process.returncode, out, error) for process, out, error in both]


def until(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_one_of_two_is_killed_and_both_go_on_later() -> None:
    with two(*FIT, "--set", "steps=200") as each:
        until(Path("run/checkpoints/0"))
        each[1].send_signal(signal.SIGKILL)
        killed = time.monotonic()
        (code, out, error), _ = ended(each)
        assert time.monotonic() - killed < SECONDS
    assert code == 1
    assert out == ""
    assert error.splitlines()[-1].endswith("run holds a fit that likely fit --resume run finishes")
    assert "another process stopped" in error
    with two("fit", "--resume", "run") as each:
        (code, out, _), (other, quiet, _) = ended(each)
    assert (code, other, quiet) == (0, 0, "")
    assert "200 steps of 40 rows" in out
    assert likely.load("run").record.interrupted is False


def test_a_mistake_is_told_once_and_ends_both() -> None:
    for words in ((*FIT[:3], "run", "--objective", "mmd"), ("score", "nowhere", "rows.csv")):
        with two(*words) as each:
            found = ended(each)
        assert {2} <= {code for code, *_ in found} <= {1, 2}  # 1 where the other one had ended before
        lines = [line for *_, error in found for line in error.splitlines() if line.startswith("likely: ")]
        assert len(lines) == 1, found


def test_torchrun_fits_and_scores_with_two_processes(capfd: pytest.CaptureFixture[str]) -> None:
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={free_port()}")
    for words in ((*FIT, "--set", "steps=6"), ("score", "run", "rows.csv", "-o", "two.csv")):
        subprocess.run([*torchrun, "-m", "likely", *words], check=True, timeout=120)
    out = capfd.readouterr().out
    assert out.count("fitted 128 rows") == 1
    assert main(["score", "run", "rows.csv", "-o", "one.csv"]) == 0
    assert Path("one.csv").read_bytes() == Path("two.csv").read_bytes()
