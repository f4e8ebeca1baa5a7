"""Weighted draws from P(z|x) agree with the evidence's estimates."""

import numpy as np
import pandas as pd
import torch

import likely
from likely.data import Rows
from likely.evaluation import evidence
from likely.tasks.draws import posterior_draws


def test_draws_give_the_evidence_whatever_the_blocks() -> None:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"a": draw.normal(size=150), "b": draw.choice(list("xyz"), 150)})
    frame.loc[::3, "a"] = np.nan
    run = likely.fit(frame, steps=50, seed=0)
    rows = run.encoded(Rows(frame.head(70)))
    found = list(posterior_draws(run.model, rows, samples=40, seed=3))
    log_px = torch.cat([part.log_px_estimate[: part.chunk.count] for part in found])
    expected = evidence(run.model, rows, samples=40, seed=3)
    np.testing.assert_allclose(log_px, expected.terms["iwae"], atol=1e-4)
    ess = torch.cat([part.ess[: part.chunk.count] for part in found])
    np.testing.assert_allclose(ess, expected.ess, rtol=1e-3)
    for part in found:
        torch.testing.assert_close(part.weights.sum(0), torch.ones(len(part.batch), dtype=torch.float64))
        again = torch.zeros(40, len(part.batch))
        for block, p_x_z in part.likelihoods(run.model):
            again[block] = part.batch.sum_observed(p_x_z.log_prob(part.batch.values))
        terms = run.model.log_px_z(part.batch, part.z)
        torch.testing.assert_close(again, terms, atol=1e-4, rtol=1e-4)
