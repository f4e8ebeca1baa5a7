"""Baselines of rows with missing cells."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats
import torch

from likely.data import Column, EncodedRows, ResidentRows, Schema
from likely.evaluation import Baselines, compress, fit_baselines
from likely.evaluation.baselines.cells import NumericCells
from likely.evaluation.baselines.chain import Chain
from likely.evaluation.baselines.moments import moments, moments_of_observed


def real(name: str, values: np.ndarray, step: int | None = None) -> Column:
    kind = "real" if step is None else "grid"
    return Column(name, "float64", kind, "", low=float(values.min()), high=float(values.max()), per_unit=step)


def table(*columns: Column, rows: int = 100) -> Schema:
    return Schema("table", (len(columns),), columns, rows, cells_alike=False)


def gaussian(rng: np.random.Generator, rows: int, dims: int = 3) -> np.ndarray:
    return rng.standard_normal((rows, dims)) @ np.tril(rng.normal(1, 0.5, (dims, dims))).T


def encoded(x: np.ndarray, observed: np.ndarray | None = None, fill: float = 5.0) -> EncodedRows:
    if observed is None:
        return ResidentRows(torch.from_numpy(x))
    return ResidentRows(torch.from_numpy(np.where(observed, x, fill)), observed=torch.from_numpy(observed))


def test_em_finds_the_closed_form_where_one_column_has_all_the_holes(rng: np.random.Generator) -> None:
    # Anderson 1957: the first column's moments from all rows, the regression of the second from the complete ones.
    x = gaussian(rng, 300, 2)
    observed = np.ones((300, 2), bool)
    observed[:, 1] = x[:, 0] + rng.standard_normal(300) > 0
    rows = encoded(x, observed)
    cells = NumericCells.of(table(real("a", x[:, 0]), real("b", x[:, 1])), lambda _: True)
    found = moments_of_observed(cells.read(rows.stored().values, rows.observed), steps=2000, tolerance=1e-12)
    known = x[observed[:, 1]]
    slope = np.cov(known.T, bias=True)[0, 1] / known[:, 0].var()
    mean = np.array([x[:, 0].mean(), known[:, 1].mean() + slope * (x[:, 0].mean() - known[:, 0].mean())])
    left = np.var(known[:, 1] - slope * known[:, 0])
    cross = slope * x[:, 0].var()
    exact = np.array([[x[:, 0].var(), cross], [cross, left + slope * cross]])
    np.testing.assert_allclose(found.mean.numpy(), mean, atol=1e-5)
    np.testing.assert_allclose(found.covariance.numpy(), exact, atol=1e-4)
    assert abs(known[:, 1].mean() - mean[1]) > 0.1


def test_em_of_complete_rows_is_their_moments(rng: np.random.Generator) -> None:
    x = gaussian(rng, 50)
    cells = NumericCells.of(table(*(real(name, x[:, i]) for i, name in enumerate("abc"))), lambda _: True)
    plain = moments([cells.read(torch.from_numpy(x))])
    all_seen = cells.read(torch.from_numpy(x), torch.ones(50, 3, dtype=torch.bool))
    torch.testing.assert_close(moments_of_observed(all_seen).covariance, plain.covariance)
    torch.testing.assert_close(moments_of_observed(cells.read(torch.from_numpy(x))).mean, plain.mean)


def test_a_gaussian_scores_the_marginal_of_what_is_observed(rng: np.random.Generator) -> None:
    x = gaussian(rng, 600)
    observed = rng.random((600, 3)) > 0.4
    schema = table(*(real(name, x[:, i]) for i, name in enumerate("abc")), rows=600)
    baselines = fit_baselines(schema, encoded(x, observed), latent=1)
    assert set(baselines.gaussians) == {"gaussian", "ppca"}
    law = baselines.gaussians["gaussian"]
    mean, factor = law.means[0].numpy(), law.factors[0].numpy()
    covariance = factor @ factor.T
    np.testing.assert_allclose(covariance, np.cov(x.T), atol=0.5)
    found = {base.name: base.nats for base in baselines.score(encoded(x, observed))}
    again = {base.name: base.nats for base in baselines.score(encoded(x, observed, fill=-3.0))}
    for name, nats in found.items():
        np.testing.assert_array_equal(nats, again[name])
    for row in range(50):
        seen = observed[row]
        truth = 0.0
        if seen.any():
            part = scipy.stats.multivariate_normal(mean[seen], covariance[np.ix_(seen, seen)])
            truth = part.logpdf(x[row, seen])
        assert found["gaussian"][row] == pytest.approx(truth, abs=1e-9)
    complete = {base.name: base.nats for base in baselines.score(encoded(x))}
    np.testing.assert_allclose(
        complete["gaussian"], scipy.stats.multivariate_normal(mean, covariance).logpdf(x), atol=1e-9
    )
    assert (found["gaussian"] - found["marginals"]).mean() > 0.1
    again = Baselines.from_arrays(schema, baselines.to_arrays()).score(encoded(x, observed))
    assert {base.name: base.kind for base in again} == dict(baselines.kinds)


def test_laws_of_complete_rows_score_rows_with_missing_cells(rng: np.random.Generator) -> None:
    x = np.concatenate([rng.normal([0, 0], [1, 0.2], (300, 2)), rng.normal([6, 3], [0.3, 1], (200, 2))])
    schema = table(real("a", x[:, 0]), real("b", x[:, 1]), rows=500)
    baselines = fit_baselines(schema, encoded(x), latent=1)
    observed = np.tile([True, False], (500, 1))
    found = {base.name: base for base in baselines.score(encoded(x, observed))}
    law = baselines.gaussians["gaussian_mixture"]
    dense = sum(
        float(weight) * scipy.stats.norm(float(mean[0]), float(factor[0, 0])).pdf(x[:, 0])
        for weight, mean, factor in zip(law.log_weights.exp(), law.means, law.factors, strict=True)
    )
    np.testing.assert_allclose(found["gaussian_mixture"].nats, np.log(dense), atol=1e-9)
    assert found["gaussian"].bits_per_dim == pytest.approx(-found["gaussian"].nats.mean() / math.log(2))
    assert not compress(schema, encoded(x, observed))


def test_masses_of_what_is_observed_sum_to_one(rng: np.random.Generator) -> None:
    x = np.clip(gaussian(rng, 200).round(), -2, 2)
    columns = [Column(n, "int64", "levels", "", 0.0, 1.5, low=-2.0, high=2.0, per_unit=1) for n in "abc"]
    schema = table(*columns, rows=200)
    observed = rng.random((200, 3)) > 0.3
    baselines = fit_baselines(schema, encoded(x, observed, 0.0), latent=1)
    for mask in itertools.product([True, False], repeat=3):
        seen = [np.arange(-2.0, 3.0) if known else np.zeros(1) for known in mask]
        rows = np.stack([part.ravel() for part in np.meshgrid(*seen)], 1)
        for base in baselines.score(encoded(rows, np.tile(mask, (len(rows), 1)), 1.0)):
            assert np.exp(base.nats).sum() == pytest.approx(1, abs=1e-9)


def test_marginals_count_observed_cells_alone(rng: np.random.Generator) -> None:
    codes = rng.integers(0, 3, 400).astype(float)
    x = np.stack([codes, rng.standard_normal(400)], 1)
    observed = np.stack([codes != 2, np.ones(400, bool)], 1)
    category = Column("a", "str", "categorical", "", categories=("p", "q", "r"), reserve=1 / 401)
    schema = table(category, real("b", x[:, 1]), rows=400)
    baselines = fit_baselines(schema, encoded(np.where(observed, x, -1), observed, -1.0), latent=1)
    shares = baselines.frequencies.log_p.exp()[0].numpy()
    known = codes[codes != 2]
    assert shares[2] < 0.01
    np.testing.assert_allclose(shares[:2], np.bincount(known.astype(int)) / len(known), atol=0.01)
    nothing = baselines.score(encoded(x[:4], np.zeros((4, 2), bool), -1.0))
    assert all((base.nats == 0).all() for base in nothing)


def test_many_numeric_cells_with_missing_cells_get_marginals_and_a_reason(rng: np.random.Generator) -> None:
    x = rng.standard_normal((40, 65))
    schema = table(*(real(f"x{i}", x[:, i]) for i in range(65)), rows=40)
    baselines = fit_baselines(schema, encoded(x, rng.random(x.shape) > 0.1), latent=1)
    assert not baselines.gaussians
    assert "some of them missing" in baselines.kinds["marginals"]


def test_a_chain_of_observed_cells_keeps_their_order_and_stretch() -> None:
    schema = table(real("a", np.zeros(2), 10), real("b", np.zeros(2), 10))
    cells = NumericCells.of(schema, lambda _: True)
    covariance = torch.tensor([[[1.0, 0.8], [0.8, 1.0]]], dtype=torch.float64)
    law = Chain.of(cells, torch.ones(1).double(), torch.zeros(1, 2).double(), covariance)
    x = torch.tensor([[0.3, -0.2]], dtype=torch.float64)
    alone = law.log_prob(cells.read(x, torch.tensor([[False, True]])))
    mass = scipy.stats.norm.cdf(-0.15) - scipy.stats.norm.cdf(-0.25)
    assert float(alone) == pytest.approx(math.log(mass), abs=1e-9)
    both = torch.ones(1, 2, dtype=torch.bool)
    torch.testing.assert_close(law.log_prob(cells.read(x, both)), law.log_prob(cells.read(x)))
