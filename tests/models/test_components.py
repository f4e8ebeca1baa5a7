"""A model whose networks have linear parts starts at probabilistic principal components."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

import likely
from likely.data import Batch
from likely.likelihoods import Bernoulli, Columns, Gaussian
from likely.models import VAE
from likely.networks import Encoder, LinearMLP, Standardise
from likely.posteriors import Normal
from likely.priors import StandardNormal

LATENT, CELLS, SIGMA = 2, 6, 0.3


def rows(count: int = 4000) -> Tensor:
    draw = torch.Generator().manual_seed(0)
    loadings = torch.tensor([[1.0, 0.9, 0.8, 0.0, 0.0, 0.1], [0.0, 0.1, 0.0, 1.0, -0.9, 0.8]])
    x = torch.randn(count, LATENT, generator=draw) @ loadings + SIGMA * torch.randn(count, CELLS, generator=draw)
    return (x * torch.arange(1, CELLS + 1) + 10.0).double()


def started(x: Tensor, observed: Tensor | None = None, latent: int = LATENT) -> VAE:
    torch.manual_seed(0)
    mean, scale = x.mean(0), x.std(0, correction=0)
    marks = [] if observed is None else list(range(CELLS))
    encoder = Encoder(Standardise(mean, scale, CELLS), LinearMLP(CELLS + len(marks), 2 * latent, 8), marks)
    law = Gaussian((CELLS,), "column", mean, scale)
    model = VAE(StandardNormal(latent), law, Normal(latent), encoder, LinearMLP(latent, CELLS, 8)).double()
    for part in (encoder.body, model.decoder):
        torch.nn.init.zeros_(part.bent.last.weight)  # type: ignore[union-attr]
    model.initialise(Batch(x, observed))
    return model


def test_decoder_and_encoder_are_those_of_the_closed_form() -> None:
    x = rows()
    model, y = started(x), (x - x.mean(0)) / x.std(0, correction=0)
    covariance = y.T @ y / len(y)
    loadings = model.decoder.linear.weight
    eigenvalues = torch.linalg.eigvalsh(covariance)
    noise = eigenvalues[:-LATENT].mean()
    explained = loadings @ loadings.T + noise * torch.eye(CELLS)
    torch.testing.assert_close(torch.linalg.eigvalsh(explained)[-LATENT:], eigenvalues[-LATENT:], rtol=1e-6, atol=1e-6)
    assert (explained - covariance).abs().max() < 0.05
    q = model.posterior(Batch(x[:50]))
    exact = torch.linalg.solve(loadings.T @ loadings + noise * torch.eye(LATENT), loadings.T @ y[:50].T).T
    torch.testing.assert_close(q.mean, exact, rtol=0, atol=0.01)
    variance = noise * torch.linalg.inv(loadings.T @ loadings + noise * torch.eye(LATENT)).diagonal()
    torch.testing.assert_close(q.variance[0], variance, rtol=1e-3, atol=0)
    reconstructed = model.likelihood(q.mean).mean.detach()
    assert float((reconstructed - x[:50]).square().mean()) < float(x.var(0).mean()) / 4


@pytest.mark.parametrize("latent", [1, 6, 9])
def test_more_dimensions_than_columns_and_missing_cells_are_taken(latent: int) -> None:
    x = rows(200)
    x[:, 3] = 7.0
    seen = torch.rand(x.shape, generator=torch.Generator().manual_seed(1)) > 0.3
    model = started(torch.where(seen, x, 0.0), seen, latent)
    for weight in model.parameters():
        assert weight.isfinite().all()


def test_cells_that_have_no_place_are_left_at_their_marginals() -> None:
    x = torch.cat([rows(300)[:, :2], (rows(300)[:, :1] > 11).double()], 1)
    law = Columns([(Gaussian((2,), "predicted", x[:, :2].mean(0), x[:, :2].std(0)), [0, 1]), (Bernoulli((1,)), [2])])
    placed = law.located(x)
    assert placed is not None
    assert placed.shape == (300, law.parameter_shape.numel())
    assert placed[:, 2:].abs().max() == 0
    torch.testing.assert_close(law(placed).mean[:, :2], x[:, :2])
    assert Columns([(Bernoulli((1,)), [0])]).located(x[:, 2:]) is None


def test_by_name_a_fit_of_correlated_columns_is_ahead_from_the_start() -> None:
    x = rows(300).numpy()
    linear, plain = (
        likely.fit(x, network=name, likelihood="kernel:0.05:column", latent=2, steps=1, progress=False).score(x).log_px
        for name in ("linear", "mlp")
    )
    assert linear.mean() > plain.mean() + 1
    assert np.isfinite(linear).all()


def test_a_kernel_by_column_is_never_narrower_than_told() -> None:
    law = likely.fit(rows(60).numpy(), likelihood="kernel:0.2:column", steps=1, progress=False).model.p_x_z
    family = law.families[0] if isinstance(law, Columns) else law
    assert isinstance(family, Gaussian)
    assert family.raw is not None
    family.raw.data.fill_(-50.0)
    assert float(family.log_scale(family.raw.detach()).exp().min()) == pytest.approx(0.2, rel=1e-6)
