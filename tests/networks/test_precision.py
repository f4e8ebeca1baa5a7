from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from likely import likelihoods, posteriors, priors
from likely.data import EncodedRows, ResidentRows
from likely.errors import ConfigError
from likely.evaluation import evidence
from likely.models import VAE, HierarchicalVAE, Model
from likely.networks import Ladder, ResidualMLP

CELLS, DIM, SAMPLES = 64, 4, 200


def vae(posterior: posteriors.Posterior) -> VAE:
    encoder = ResidualMLP(CELLS, posterior.parameter_shape.numel(), 32)
    return VAE(priors.StandardNormal(DIM), likelihoods.Bernoulli((CELLS,)), posterior, encoder, decoder(DIM))


def decoder(inputs: int) -> ResidualMLP:
    made = ResidualMLP(inputs, CELLS, 48)
    for block in made.blocks:
        torch.nn.init.normal_(block.second.weight, std=0.1)
    return made


def hierarchy() -> HierarchicalVAE:
    ladder = Ladder(ResidualMLP(CELLS, 16, 32), decoder(16), (2, 2), 16)
    return HierarchicalVAE(likelihoods.Bernoulli((CELLS,)), ladder)


def rows() -> EncodedRows:
    return ResidentRows((torch.rand(120, CELLS) < 0.3).to(torch.uint8))


@pytest.mark.parametrize(
    "posterior", [lambda: posteriors.Normal(DIM), lambda: posteriors.Flow(DIM, 2, context=4, hidden=(16,))]
)
def test_in_bfloat16_only_the_decoder_is_rounded(posterior: Callable[[], posteriors.Posterior]) -> None:
    model, x = vae(posterior()), rows()
    exact = evidence(model, x, samples=SAMPLES, prior_sampling=True)
    rough = evidence(model, x, samples=SAMPLES, prior_sampling=True, precision="bfloat16")
    np.testing.assert_array_equal(rough.terms["kl"], exact.terms["kl"])
    for name in ("reconstruction", "elbo", "iwae", "prior_sampling"):
        shift = rough.terms[name] - exact.terms[name]
        assert 1e-5 < np.abs(shift).max() < 0.1
        assert abs(shift.mean()) < 0.01


@pytest.mark.parametrize("make", [hierarchy, lambda: vae(posteriors.Normal(DIM))])
def test_in_bfloat16_a_row_does_not_depend_on_its_neighbours(make: Callable[[], Model]) -> None:
    model, x = make(), rows()
    whole = evidence(model, x, samples=40, precision="bfloat16")
    order = torch.randperm(len(x))
    other = evidence(model, x.take(order), samples=40, precision="bfloat16", max_numbers=64 * 50 * 7)
    for name in ("elbo", "iwae"):
        np.testing.assert_allclose(other.terms[name], whole.terms[name][order.numpy()], rtol=0, atol=0.02)


def test_a_precision_that_is_not_known_is_named() -> None:
    told: Any = "bf16"
    with pytest.raises(ConfigError, match="float32 or bfloat16 here, got 'bf16'"):
        evidence(vae(posteriors.Normal(DIM)), rows(), samples=2, precision=told)
