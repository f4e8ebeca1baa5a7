"""Several processes compute what one does: gradients, a whole training, verbs."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import pandas as pd
import pytest
import torch

import likely
import shared_steps
from launched import environment, free_port

Found = dict[int, dict[str, Any]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What one, two and four processes find."""
    folder = tmp_path_factory.mktemp("shared")
    data, options = shared_steps.shapes()["table"]
    likely.fit(data, out=folder / "run", progress=False, steps=10, latent=3, width=16, seed=2, **options)
    command = [sys.executable, shared_steps.__file__, str(folder), free_port(), free_port()]
    each = [subprocess.Popen(command, env=environment(number, 4, command[-2])) for number in range(4)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of short fits
            alone = shared_steps.everything(folder)
        assert [process.wait(timeout=120) for process in each] == [0] * 4
    finally:
        for process in each:
            process.kill()
            process.wait()
    return {1: alone, **{size: torch.load(folder / f"{size}.pt", weights_only=False) for size in (2, 4)}}


@pytest.mark.parametrize(
    ("size", "name"), [*((2, name) for name in shared_steps.shapes()), (4, "table"), (4, "dynamic")]
)
def test_the_gradient_of_several_processes_is_that_of_one(found: Found, size: int, name: str) -> None:
    one, several = found[1]["gradients"][name], found[size]["gradients"][name]
    assert one.dtype == several.dtype == torch.float64
    assert one.shape == several.shape
    assert float((one - several).norm()) <= 1e-10 * float(one.norm())


def test_a_whole_training_by_two_processes_is_that_of_one(found: Found) -> None:
    one, two = (found[size]["whole"] for size in (1, 2))
    torch.testing.assert_close(two["bounds"], one["bounds"], rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(two["weights"], one["weights"], rtol=1e-6, atol=1e-7, equal_nan=True)


def test_two_processes_go_on_to_the_same_bits(found: Found) -> None:
    whole, resumed = found[2]["whole"], found[2]["resumed"]
    assert torch.equal(resumed["bounds"], whole["bounds"])
    for name, weight in whole["weights"].items():
        torch.testing.assert_close(resumed["weights"][name], weight, rtol=0, atol=0, equal_nan=True, msg=name)


def test_one_process_goes_on_with_what_two_began(found: Found) -> None:
    run = shared_steps.trained(shared_steps.PLAIN, found[2]["whole"]["kept"])
    alone = shared_steps.within("table", run)
    torch.testing.assert_close(alone["bounds"], found[2]["whole"]["bounds"], rtol=1e-8, atol=1e-8)


def test_a_signal_to_one_process_ends_all_after_the_same_step(found: Found) -> None:
    assert found[1]["signalled"] == [(5, True)]
    assert found[2]["signalled"] == [(6, True)] * 2


@pytest.mark.parametrize("verb", ["score", "impute", "anomalies", "encode", "ask"])
def test_verbs_of_two_processes_give_what_one_gives(found: Found, verb: str) -> None:
    two, one = found[2]["verbs"][verb], found[1]["verbs"][verb]
    if verb == "anomalies":  # on some processors the last bit of an effective sample size differs
        pd.testing.assert_series_equal(two.pop("ess"), one.pop("ess"), rtol=1e-6, atol=0.0)
    pd.testing.assert_frame_equal(two, one, check_exact=True)


def test_what_needs_all_rows_of_a_batch_is_refused_by_several_processes_alone(found: Found) -> None:
    coupled, normals, exemplar, small = found[2]["refused"]
    assert "BetaTC compares the rows of a batch with each other" in coupled
    assert "--objective elbo" in coupled
    assert "fitted by EM" in normals
    assert "--prior vamp" in exemplar
    assert "batches of 1 rows cannot be divided among 2 processes" in small
    assert found[1]["refused"] == [""] * 4
