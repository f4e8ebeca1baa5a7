"""Sums over points of z against log P(x) in closed form, and what a report shows of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import likely
from likely.data import ResidentRows
from likely.evaluation import Convergence, PointKind, convergence, evidence
from likely.evaluation.integral import MAX_ROWS
from likely.report import render
from likely.report.collect import collect
from linear_gaussian import Oblique


def found(dimension: int, *, full: bool = True) -> Convergence:
    torch.manual_seed(0)
    exact = Oblique(2 * dimension, dimension)
    x = exact.sample(40)
    model, rows = exact.vae(full=full), ResidentRows(x)
    made = convergence(model, rows, evidence(model, rows, samples=10), reference=exact.log_px(x).numpy())
    assert made is not None
    return made


def test_sums_reach_log_px_from_below_and_sooner_in_few_dimensions() -> None:
    few, many = found(1), found(12)
    assert few.rows == MAX_ROWS
    for points in (PointKind.PRIOR, PointKind.QUASI):
        assert few.counts[points].tolist() == (2 ** np.arange(13)).tolist()
        assert abs(few.nats[points][-1]) < 0.02
        assert few.nats[points][0] < -1
        assert many.nats[points][-1] < -0.5
        assert np.all(np.diff(many.nats[points][::4]) > 0)
    assert abs(few.nats[PointKind.QUASI][-1]) < 1e-4
    assert many.dimensions == 12


def test_weights_of_the_exact_posterior_are_right_with_one_draw() -> None:
    made = found(5)
    assert np.abs(made.nats[PointKind.POSTERIOR]).max() < 1e-9


def test_the_reference_is_what_is_known_and_rows_without_it_are_left_out() -> None:
    exact = Oblique(4, 2)
    x = exact.sample(40)
    model, rows = exact.vae(full=True), ResidentRows(x)
    measured = evidence(model, rows, samples=10)
    known = np.full(40, np.nan)
    assert convergence(model, rows, measured, reference=known) is None
    known[7] = exact.log_px(x)[7]
    one = convergence(model, rows, measured, reference=known)
    assert one is not None
    assert one.rows == 1


@pytest.mark.parametrize("model", ["integrated:2:64", "vae", "hierarchy:mlp:2"])
def test_a_report_shows_how_many_points_it_takes(model: str) -> None:
    x = (load_digits().images[:200] > 7).astype(np.uint8)
    run = likely.fit(x, model=model, steps=20, progress=False)
    page = render(collect(run))
    assert "Could the integral be done without Q?" in page
    assert ("weighted draws of Q(z|x)" in page) == (not run.model.summed)
    assert ("nats of the best bound on log P(x)" in page) == (not run.model.summed)
    if run.model.summed:
        assert "log P(x) per row, exactly" in page
        assert "Importance-weighted bound" not in page
