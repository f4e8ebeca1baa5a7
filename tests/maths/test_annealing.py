from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import likely
from likely import likelihoods
from likely.data import EncodedRows
from likely.evaluation import anneal, bidirectional, enumerated, evidence, simulate, tune

sys.path.insert(0, str(Path(__file__).parent))
from exact import LinearGaussian
from rooms import CELLS, POSTERIORS, PRIORS, encode, space_of, stir

REAL_POSTERIORS = [name for name in POSTERIORS if space_of(name) == "real"]
REAL_PRIORS = [name for name in PRIORS if space_of(name) == "real" and "one dimension" not in name]


@pytest.mark.parametrize("latent", [2, 10, 50])
@pytest.mark.parametrize(("shift", "widen"), [(0.0, 1.0), (0.3, 0.7), (-0.2, 1.3)])
def test_annealing_gives_the_exact_evidence(latent: int, shift: float, widen: float) -> None:
    exact = LinearGaussian(latent + 5, latent)
    x, model = exact.sample(12), exact.vae(shift, widen)
    rows, truth = EncodedRows(x), exact.log_px(x).numpy()
    coarse = tune(model, rows)
    found = anneal(model, rows, coarse.schedule.spread(40 * latent**0.5 // 1 * 10 and int(500 * latent**0.5), 32))
    error = found.log_px - truth
    assert np.abs(error).mean() <= 0.02
    se = np.sqrt((found.se_mc**2).sum()) / len(error)
    assert abs(error.mean()) <= 4 * se + 1e-4
    assert 0.6 < found.acceptance.mean() <= 1


def small(prior: str, posterior: str) -> likely.VAE:
    """A model of five 0/1 cells with three latents, away from its start."""
    torch.manual_seed(5)
    q, p = POSTERIORS[posterior](), PRIORS[prior]()
    likelihood = likelihoods.Bernoulli((CELLS,))
    encoder, decoder = nn.Linear(CELLS, q.parameter_shape.numel()), nn.Linear(p.event_shape[0], CELLS)
    model = likely.VAE(p, likelihood, q, encoder, decoder)
    p.initialise(torch.randint(0, 2, (40, CELLS)).float())
    stir(model)
    return model
