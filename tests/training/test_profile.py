"""Where the time of a training step goes: on copies, all of it, with the operations counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import likely
from likely import world
from likely.config import TrainingConfig
from likely.data import ResidentRows
from likely.errors import ConfigError
from likely.likelihoods import Bernoulli
from likely.models import VAE
from likely.objectives import ELBO
from likely.posteriors import Normal
from likely.priors import StandardNormal
from likely.training.profile import CONVOLUTIONS, PRODUCTS, WORDS, Profile, demand_profilable, profiled

BATCH, CELLS, WIDTH, LATENT = 32, 9, 16, 2
CONFIG = TrainingConfig(batch_size=BATCH, precision="float32")


def vae() -> VAE:
    encoder = nn.Sequential(nn.Linear(CELLS, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 2 * LATENT))
    decoder = nn.Sequential(nn.Linear(LATENT, WIDTH), nn.Tanh(), nn.Linear(WIDTH, CELLS))
    return VAE(StandardNormal(LATENT), Bernoulli((CELLS,)), Normal(LATENT), encoder, decoder)


def everything_drawn(model: VAE) -> list[Tensor]:
    """The weights, and torch's own random numbers."""
    return [*(tensor.clone() for tensor in model.state_dict().values()), torch.get_rng_state()]


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 2)) @ rng.normal(size=(2, 4))


def test_a_profile_is_of_all_of_a_step_and_leaves_the_model_as_it_is() -> None:
    model, rows = vae(), ResidentRows(torch.rand(200, CELLS).round())
    before = everything_drawn(model)
    found = profiled(model, rows, CONFIG, ELBO())
    assert all(torch.equal(was, now) for was, now in zip(before, everything_drawn(model), strict=True))
    assert set(found.shares) == set(WORDS)
    assert sum(found.shares.values()) == pytest.approx(1)
    assert all(share > 0 for part, share in found.shares.items() if part != CONVOLUTIONS)
    assert found.shares[CONVOLUTIONS] == 0
    assert (found.rows, found.threads, found.device, found.precision) == (BATCH, 1, "cpu", "float32")
    encoder, decoder = CELLS * WIDTH + WIDTH * 2 * LATENT, LATENT * WIDTH + WIDTH * CELLS
    forward = encoder + decoder
    backward = 2 * forward - CELLS * WIDTH  # of x there is no gradient
    assert found.operations == 2 * BATCH * (forward + backward)
    assert 0 < found.rate < found.product_rate


def test_most_of_a_step_of_convolutions_is_convolutions() -> None:
    encoder = nn.Sequential(nn.Unflatten(1, (1, 12, 12)), nn.Conv2d(1, 64, 5), nn.Conv2d(64, 64, 5), nn.Flatten())
    encoder.append(nn.Linear(64 * 16, 2 * LATENT))
    model = VAE(StandardNormal(LATENT), Bernoulli((144,)), Normal(LATENT), encoder, nn.Linear(LATENT, 144))
    shares = profiled(model, ResidentRows(torch.rand(64, 144).round()), CONFIG, ELBO()).shares
    assert shares[CONVOLUTIONS] > 0.5 > shares[PRODUCTS] > 0


def test_rates_are_operations_and_rows_over_seconds() -> None:
    found = Profile(0.002, 100, {"rest": 1.0}, 4_000_000, 8e9, "float32", 2, "cpu")
    told = found.to_dict()
    assert told["rows_per_second"] == pytest.approx(50_000)
    assert told["operations_per_second"] == pytest.approx(2e9)
    assert told["share_of_matrix_product"] == pytest.approx(0.25)
    lines = found.text().splitlines()
    assert lines[0] == "a training step of 100 rows takes 2 ms, 50,000 rows a second (float32, 2 threads, cpu):"
    assert lines[1].split() == ["the", "rest:", "Python", "and", "dispatch", "100.0%"]
    assert lines[-1].endswith("0.004 GF, so 2 GF/s, 25% of the 8 GF/s of a large matrix product here")


def test_a_fit_that_is_profiled_has_the_weights_of_one_that_is_not(
    table: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fitted(*, profile: bool) -> likely.Run:
        return likely.fit(table, steps=5, width=16, progress=False, profile=profile, out=tmp_path / str(profile))

    plain = fitted(profile=False)
    assert plain.record.profile is None
    assert "a training step" not in capsys.readouterr().err
    run = fitted(profile=True)
    assert "matrix products" in capsys.readouterr().err
    weights = [(tmp_path / str(profile) / "weights.safetensors").read_bytes() for profile in (False, True)]
    assert weights[0] == weights[1]
    assert run.history["val_elbo"].equals(plain.history["val_elbo"])
    stored = likely.load(tmp_path / "True").record.profile
    assert stored is not None
    assert stored["batch_size"] == run.config.training.batch_size
    assert dict(stored) == dict(run.record.profile or {})


def test_of_several_processes_none_is_profiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "size", lambda: 2)
    with pytest.raises(ConfigError, match="one process"):
        demand_profilable(vae())
