"""One- and two-dimensional latents of a trained model: log P(x) and the gap by quadrature."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import likely
from likely.evaluation import LogPxEstimate, estimate_log_px


@pytest.mark.parametrize(("latent", "points"), [(1, 2001), (2, 201)])
def test_evidence_and_gap_by_quadrature_agree_with_evaluate(latent: int, points: int) -> None:
    images = load_digits().images[:500]
    run = likely.fit(images, latent=latent, width=64, steps=300)
    model, rows = run.model.double(), run.encoded(run.rows_of(images[:15])[0])
    axis = torch.linspace(-6, 6, points, dtype=torch.float64)
    z = torch.cartesian_prod(*[axis] * latent).view(-1, latent)
    with torch.no_grad():
        log_joint = torch.cat(
            [model.log_joint(likely.Batch(rows.stored().values), part[:, None]) for part in z.split(1000)]
        )
        log_px = (torch.logsumexp(log_joint, 0) + latent * np.log(12 / (points - 1))).numpy()
        q = model.posterior(likely.Batch(rows.stored().values))
        log_q = torch.stack([q.log_prob(part) for part in z[:, None].split(1)]).squeeze(1) if latent == 1 else None
    found = likely.evaluation.evidence(model, rows, samples=4000)
    assert np.all(np.abs(found.terms["iwae"] - log_px) < 5 * found.se_mc["iwae"] + 2e-3)
    assert np.all(found.terms["elbo"] < log_px + 5 * found.se_mc["elbo"])
    fewer = likely.evaluation.evidence(model, rows, samples=500)
    split = estimate_log_px(model, rows, fewer, max_rows=15)
    assert isinstance(split, LogPxEstimate)
    assert split.gap_split is not None
    assert np.all(np.abs(split.log_px - log_px) < 5 * split.se_mc + 2e-3)
    gap = log_px - fewer.terms["elbo"]
    assert np.all(np.abs(split.gap_split.total - gap) < 6 * split.gap_split.total_se_mc + 5e-3)
    gap, error = log_px - found.terms["elbo"], np.hypot(split.gap_split.amortisation_se_mc, found.se_mc["elbo"])
    assert np.all(split.gap_split.amortisation < gap + 6 * error + 1e-3)
    if log_q is not None:
        density = log_q.exp()
        direct = (density * (log_q - (log_joint - torch.from_numpy(log_px)))).sum(0).numpy() * 12 / (points - 1)
        assert np.all(np.abs(found.terms["gap"] - direct) < 6 * found.se_mc["gap"] + 5e-3)
