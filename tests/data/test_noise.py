from __future__ import annotations

import scipy.stats
import torch

from likely.data.noise import normal, row_keys, uniform


def test_noise_is_standard_normal_and_uniform() -> None:
    keys = row_keys(torch.arange(200.0)[:, None], 0)
    draws = normal(keys, 3, 0, 50, 20)
    assert scipy.stats.kstest(draws.flatten().numpy(), "norm").pvalue > 1e-4
    assert scipy.stats.kstest(uniform(keys, 3, 0, 50, 20).flatten().numpy(), "uniform").pvalue > 1e-4
    flat = draws.reshape(50 * 200, 20)
    correlations = torch.corrcoef(flat.T) - torch.eye(20)
    assert correlations.abs().max() < 5 / 100
    across_rows = torch.corrcoef(draws.permute(1, 0, 2).reshape(200, -1)[:50]) - torch.eye(50)
    assert across_rows.abs().max() < 5.5 / 1000**0.5


def test_chunks_of_samples_join_without_a_seam() -> None:
    keys = row_keys(torch.arange(7.0)[:, None], 1)
    whole = normal(keys, 3, 0, 10, 4)
    assert torch.equal(whole, torch.cat([normal(keys, 3, 0, 3, 4), normal(keys, 3, 3, 7, 4)]))


def test_seed_stream_and_content_all_matter() -> None:
    x = torch.tensor([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0]])
    keys = row_keys(x, 0)
    assert keys[0] == keys[2]
    assert keys[0] != keys[1]
    assert not torch.equal(keys, row_keys(x, 1))
    assert not torch.equal(normal(keys, 3, 0, 2, 2), normal(keys, 4, 0, 2, 2))
    assert torch.equal(row_keys(x.to(torch.uint8), 5), row_keys(x.double(), 5))
