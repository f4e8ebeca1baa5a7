"""Bounds of parameters: smooth, and stored with the weights."""

from __future__ import annotations

import math

import pytest
import torch

from likely.likelihoods import Gaussian, Likelihood, StudentT
from likely.likelihoods.bounds import Bound


def test_a_bound_is_never_left_and_is_about_the_identity_in_its_middle() -> None:
    bound = Bound(-3.0, 1.0)
    far = bound(torch.tensor([-1e9, -1.0, 1e9]))
    torch.testing.assert_close(far, torch.tensor([-3.0, -1.0, 1.0]))
    values = torch.linspace(-2.9, 0.9, 50, dtype=torch.float64)
    torch.testing.assert_close(bound(bound.inverse(values)), values)
    assert bound.inverse(torch.tensor([-9.0, 9.0])).isfinite().all()


def test_it_gives_what_python_numbers_give_to_the_bit() -> None:
    raw, low, high = torch.randn(500, generator=torch.Generator().manual_seed(0)), math.log(1e-3), math.log(10.0)
    middle, half = (low + high) / 2, (high - low) / 2
    assert torch.equal(Bound(low, high)(raw), middle + half * torch.tanh((raw - middle) / half))
    lowest = torch.tensor(low, dtype=torch.float32)
    middles, halves = (lowest + high) / 2, (high - lowest) / 2
    assert torch.equal(Bound(lowest, high)(raw), middles + halves * torch.tanh((raw - middles) / halves))


@pytest.mark.parametrize("family", [Gaussian, StudentT])
def test_a_stored_likelihood_keeps_its_bounds_when_the_code_starts_from_others(
    family: type[Gaussian | StudentT], monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = torch.full((2,) if family is Gaussian else (3,), -30.0)
    stored = family((1,))
    before = stored(parameters).log_prob(torch.zeros(1))
    monkeypatch.setattr(f"likely.likelihoods.{'gaussian' if family is Gaussian else 'real'}.MIN_LOG_SCALE", -1.0)
    later: Likelihood = family((1,))
    assert not torch.equal(later(parameters).log_prob(torch.zeros(1)), before)
    later.load_state_dict(stored.state_dict())
    assert torch.equal(later(parameters).log_prob(torch.zeros(1)), before)
