"""What only pictures show: ways between two, groups of z kept and drawn again, training pictures beside samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import fakes_for_report as fakes
import likely
from likely.data import decode
from likely.evaluation import posterior_centres, posterior_means
from likely.report import Findings, collect, pictures, render
from likely.report.findings import Nearest
from likely.run.encode import means_at

DIGITS = load_digits().images[:300].astype(np.uint8)
LABELS = load_digits().target[:300]
TINY: dict[str, Any] = {"steps": 3, "width": 8, "progress": False}


@pytest.fixture(scope="module")
def run() -> likely.Run:
    return likely.fit(DIGITS, latent=2, blocks=1, **TINY)


def _gathered(run: likely.Run, **options: Any) -> dict[str, Any]:
    rows = run.encoded(run.rows_of()[0])
    x = np.asarray(decode(run.schema, rows.stored().values))
    codes = posterior_centres(run.model.members[0], rows)
    return dict(pictures.more_of_pictures(run, rows, x, codes, np.asarray(run.sample(6, **options))))


def _scaled(x: np.ndarray) -> np.ndarray:
    return np.asarray(x, np.float64) / 16


@pytest.mark.parametrize("model", ["hierarchy:conv:4x1x2,8x1x2", "hierarchy:mlp:2"])
def test_groups_that_are_kept_stay_and_all_of_them_are_the_reconstruction(model: str) -> None:
    run = likely.fit(DIGITS, model=model, **TINY)
    hierarchy = run.model.members[0]
    assert isinstance(hierarchy, likely.HierarchicalVAE)
    rows = run.encoded(run.rows_of()[0])
    q = hierarchy.posterior(rows.evaluation_batch(torch.arange(4)))
    with torch.no_grad():
        z = q.rsample(generator=torch.Generator().manual_seed(1))
        noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(2))
        mixed = pictures.kept_groups(hierarchy, z, [0, 1, 2], noise)
    top = hierarchy.topdown.sizes[0]
    assert mixed.shape == (4, 3, hierarchy.latent)
    torch.testing.assert_close(mixed[:, 0], hierarchy.prior().from_noise(noise))
    torch.testing.assert_close(mixed[:, 1, :top], z[:, :top])
    assert not torch.isclose(mixed[:, 1, top:], z[:, top:]).any(1).all()
    np.testing.assert_allclose(means_at(run, mixed[:, 2], None), means_at(run, z, None), atol=0.05)
    found = _gathered(run)
    assert found["groups_kept"] == [0, 1, 2]
    assert found["regrouped"].shape == (pictures.LINES, 4, 8, 8)
    page = render(Findings(title="t", form="array", **found))
    for words in ("What each group of z adds", "all 2</figcaption>", "From one picture to another"):
        assert words in page


def test_ways_lead_from_picture_to_picture_as_interpolate_goes(run: likely.Run) -> None:
    found, test = _gathered(run), run.split("test")
    a, b = np.random.default_rng(run.config.seed).permutation(len(test))[:2]
    line = found["interpolated"][0]
    np.testing.assert_array_equal(line[[0, -1]], _scaled(test[[a, b]]))
    np.testing.assert_allclose(line[1:-1], _scaled(run.interpolate(a, b, pictures.STEPS)), atol=1e-5)
    assert "regrouped" not in found


def test_ways_are_between_pictures_of_one_y() -> None:
    run = likely.fit(DIGITS, condition={"label": LABELS}, latent=2, blocks=1, **TINY)
    y = run.encoded(run.rows_of()[0]).covariates
    assert y is not None
    pairs = pictures._pairs(y, np.arange(len(y)))
    assert len(pairs) == pictures.LINES
    assert all(y[a] == y[b] for a, b in pairs)
    assert _gathered(run, given={"label": 3})["interpolated"].shape == (pictures.LINES, pictures.STEPS + 2, 8, 8)
    assert pictures._pairs(torch.arange(30.0)[:, None], np.arange(30)) == []


@pytest.mark.parametrize(
    "parts", [{"latent": 2}, {"posterior": "sphere"}, {"posterior": "categorical:4:3"}, {"model": "integrated:2:64"}]
)
def test_reconstructions_are_those_that_reconstruct_gives(parts: dict[str, Any]) -> None:
    run = likely.fit(DIGITS, blocks=1, **parts, **TINY)
    rows, _ = run.rows_of()
    encoded = run.encoded(rows)
    codes = posterior_means(run.model.members[0], encoded)
    found = collect._examples_of_pictures(run, rows, encoded, codes, np.arange(float(len(rows))))
    np.testing.assert_allclose(found["reconstructions"], _scaled(run.reconstruct(rows.values)), atol=1e-5)


def test_of_codes_there_is_no_way() -> None:
    codes = likely.fit(DIGITS, posterior="categorical:4:3", blocks=1, **TINY)
    assert _gathered(codes)["interpolated"] is None


def test_the_nearest_training_picture_is_that_of_a_search_through_all(
    run: likely.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "CHUNK_CELLS", 50 * 64)
    train, test, samples = run.split("train"), run.split("test"), np.asarray(run.sample(6))
    samples[2] = train[100]
    found = pictures.nearest(run, samples, test)
    assert found is not None
    far = np.sqrt(np.square(_scaled(samples)[:, None] - _scaled(train)[None]).sum((2, 3)))
    np.testing.assert_allclose(found.samples, far.min(1), atol=1e-9)
    assert found.samples[2] == 0
    np.testing.assert_array_equal(found.pairs[:, 1], _scaled(train[far.argmin(1)]))
    np.testing.assert_array_equal(found.pairs[:, 0], _scaled(samples))
    assert (found.searched, found.training, len(found.held_out)) == (len(train), len(train), len(test))
    monkeypatch.setattr(pictures, "SEARCHED_CELLS", 20 * 64)
    part = pictures.nearest(run, samples, test)
    assert part is not None
    assert (part.searched, part.training) == (20, len(train))
    assert (part.samples >= found.samples).all()


def test_there_is_no_nearest_picture_where_the_training_rows_are_gone(tmp_path: Path) -> None:
    np.save(tmp_path / "digits.npy", DIGITS)
    likely.fit(tmp_path / "digits.npy", latent=2, blocks=1, out=tmp_path / "run", **TINY)
    (tmp_path / "digits.npy").unlink()
    assert pictures.nearest(likely.load(tmp_path / "run"), DIGITS[:2], DIGITS[2:4]) is None


@pytest.mark.parametrize(
    ("factor", "said"), [(0.1, "lie nearer to"), (1.0, "They lie as far from"), (5.0, "They lie farther from")]
)
def test_the_page_says_whether_samples_are_nearer_than_held_out_pictures(factor: float, said: str) -> None:
    held_out = np.linspace(1.0, 2.0, 100)
    distances = factor * np.linspace(1.0, 2.0, 20)
    found = Nearest(fakes.digits(40).reshape(20, 2, 8, 8), distances, held_out, 300, 1000)
    page = render(Findings(title="t", form="images", nearest=found))
    assert said in page
    assert f"<b>{1.5 * factor:.2f}</b> for 20 samples and <b>1.50</b> for 100 held-out pictures" in page
    assert "300 of the 1,000 training pictures" in page
