"""How rows count in averages: copies once in the standard error, a row of weight w as w rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from likely.data import EncodedRows, ResidentRows, equal_sets
from likely.evaluation import Counting, Ledger, evidence, ledger
from likely.evaluation.counting import counting
from likely.likelihoods import Bernoulli, Categorical, Columns, Gaussian
from likely.models import VAE
from likely.posteriors import Normal
from likely.priors import StandardNormal
from linear_gaussian import LinearGaussian

FACTS: dict[str, Any] = {"dims": 6, "split": "", "measure": "", "seed": 0, "seconds": 0.0, "versions": {}}


def told(model: VAE, rows: EncodedRows) -> Ledger:
    return ledger(evidence(model, rows, samples=20), **FACTS)


def coin(likelihood: Any) -> VAE:
    """z says nothing of x."""
    decoder = nn.Linear(1, likelihood.parameter_shape.numel())
    nn.init.zeros_(decoder.weight)
    nn.init.zeros_(decoder.bias)
    encoder = nn.Linear(likelihood.event_shape.numel(), 2)
    return VAE(StandardNormal(1), likelihood, Normal(1), encoder, decoder).double()


def test_without_copies_it_is_the_deviation_over_the_root_of_the_rows() -> None:
    exact = LinearGaussian(6, 2)
    x = exact.sample(50)
    found = evidence(exact.vae(0.3), ResidentRows(x), samples=20)
    made = ledger(found, **FACTS)
    for name, values in found.terms.items():
        assert made[name].se == pytest.approx(values.std(ddof=1) / math.sqrt(50), rel=1e-9)


def test_copies_and_whole_weights_leave_every_average_as_it_is() -> None:
    exact = LinearGaussian(6, 2)
    model, x = exact.vae(0.3), exact.sample(40)
    once, thrice = told(model, ResidentRows(x)), told(model, ResidentRows(x.repeat(3, 1)))
    weighted = told(model, ResidentRows(x, weights=torch.full((40,), 3.0, dtype=torch.float64)))
    for name in once.entries:
        for other in (thrice, weighted):
            assert other[name].nats == pytest.approx(once[name].nats, rel=1e-9)
            assert other[name].se == pytest.approx(once[name].se, rel=1e-9)
            assert other[name].se_mc == pytest.approx(once[name].se_mc, rel=1e-9)


def test_a_row_of_weight_w_counts_as_w_rows() -> None:
    exact = LinearGaussian(6, 2)
    model, x = exact.vae(0.3), exact.sample(30)
    seen = torch.rand(x.shape) > 0.2
    w = torch.arange(30) % 4 + 1
    rows = ResidentRows(x, observed=seen, weights=w.double())
    repeated = ResidentRows(x.repeat_interleave(w, 0), observed=seen.repeat_interleave(w, 0))
    weighted, copied = told(model, rows), told(model, repeated)
    assert weighted.cells == pytest.approx(copied.cells)
    assert weighted.kl_groups == pytest.approx(copied.kl_groups)
    for name in weighted.entries:
        for part in ("nats", "se", "se_mc", "bits_per_dim"):
            assert getattr(weighted[name], part) == pytest.approx(getattr(copied[name], part), rel=1e-9), name


def test_the_error_is_that_of_other_rows_with_copies() -> None:
    rng = np.random.default_rng(0)
    means, errors = [], []
    for _ in range(2000):
        copies = rng.integers(1, 6, 60)
        values = np.repeat(rng.normal(size=60), copies)
        made = Counting(np.repeat(np.arange(60), copies))
        means.append(made.mean(values))
        errors.append(made.se(values))
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.05)


def test_rows_that_chance_makes_equal_are_no_copies() -> None:
    x = (torch.rand(400, 2) < 0.5).double()
    found = evidence(coin(Bernoulli((2,))), ResidentRows(x), samples=5)
    assert len(np.unique(found.counting.sets)) == 400
    copies = ResidentRows((torch.rand(20, 40) < 0.5).double().repeat(2, 1))
    assert len(np.unique(evidence(coin(Bernoulli((40,))), copies, samples=5).counting.sets)) == 20


def test_rows_with_a_density_are_never_equal_by_chance() -> None:
    x = torch.cat([(torch.rand(30, 1) < 0.5).double(), torch.randn(30, 1).double() / 1e6], 1).repeat(2, 1)
    likelihood = Columns([(Categorical((1,), 2), [0]), (Gaussian((1,), 1.0), [1])])
    found = evidence(coin(likelihood), ResidentRows(x), samples=5)
    assert len(np.unique(found.counting.sets)) == 30
    unseen = torch.tensor([True, False]).expand(60, 2)
    x[:, 1] = 0
    incomplete = evidence(coin(likelihood), ResidentRows(x, observed=unseen), samples=5)
    assert len(np.unique(incomplete.counting.sets)) == 60


def test_rows_of_different_y_are_not_equal() -> None:
    x = torch.zeros(4, 2, dtype=torch.float64)
    y = torch.tensor([[0.0], [1.0], [0.0], [1.0]], dtype=torch.float64)
    assert len(np.unique(equal_sets(ResidentRows(x)))) == 1
    assert len(np.unique(equal_sets(ResidentRows(x, covariates=y)))) == 2
    seen = torch.tensor([[True, True], [True, True], [True, False], [True, True]])
    assert len(np.unique(equal_sets(ResidentRows(x, observed=seen)))) == 2


def test_chance_makes_each_of_the_other_rows_equal() -> None:
    """Of mass 1/16: among three rows 10 · 2/16 equals are more than the one, among two 10/16 are not."""
    model, row = coin(Bernoulli((4,))), torch.ones(1, 4, dtype=torch.float64)
    for rows, sets in ((torch.cat([row, row, 0 * row]), 3), (torch.cat([row, row]), 1)):
        found = counting(model, ResidentRows(rows), np.full(len(rows), math.log(1 / 16)))
        assert len(np.unique(found.sets)) == sets
