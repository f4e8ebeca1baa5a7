"""A hierarchy of maps by its name: sizes by default, every verb, masks, conditions, colour, stored and loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import likely
from likely.cli import main
from likely.networks import ConvLadder
from quick import quick_reports
from refusals import Capture, refused

RNG = np.random.default_rng(0)
ROWS = 60
BITS = (RNG.random((ROWS, 9, 7)) < RNG.random((ROWS, 1, 1))).astype(np.uint8)
COLOUR = RNG.integers(0, 256, (ROWS, 8, 8, 3), dtype=np.uint8)
LABELS = np.arange(ROWS) % 3
SMALL: dict[str, Any] = {"width": 8, "steps": 4}
MODEL = "hierarchy:conv:5x1x2,9x1x1"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> likely.Run:
    folder = tmp_path_factory.mktemp("maps")
    np.save(folder / "bits.npy", BITS)
    return likely.fit(folder / "bits.npy", model=MODEL, out=folder / "run", **SMALL)


def test_its_sizes_are_told_in_full_and_by_default_follow_the_picture() -> None:
    short = likely.fit(BITS, model="hierarchy:conv:3x2,9x1x2", steps=1, width=8)
    assert short.config.model.kind == "hierarchy:conv:3x2x8,9x1x2"
    assert short.config.model.latent == short.model.latent == 2 * 8 * 3 * 2 + 2 * 9 * 7
    assert (short.config.model.prior, short.config.model.posterior, short.config.model.network) == (None, None, None)
    default = likely.fit(BITS, model="hierarchy:conv", steps=1, width=8)
    assert default.config.model.kind == "hierarchy:conv:5x2x8,9x3x8"
    assert (default.config.model.blocks, default.config.training.batch_size) == (1, 32)
    assert isinstance(default.model, likely.HierarchicalVAE)
    assert isinstance(default.model.topdown, ConvLadder)


def test_every_verb_takes_it_and_it_comes_back_as_it_was(run: likely.Run, tmp_path: Path) -> None:
    found = run.evaluate(BITS[:8], samples=4, anneal=0)
    assert len(found.kl_groups) == 2
    assert sum(found.kl_groups) == pytest.approx(found["kl"].nats, abs=1e-4)
    assert found["iwae"].nats >= found["elbo"].nats
    assert run.encode(BITS[:3]).shape == (3, run.model.latent)
    assert run.reconstruct(BITS[:3]).shape == (3, 9, 7)
    assert set(np.unique(run.sample(5))) <= {0, 1}
    again = likely.load(str(run.directory))
    first, second = (one.score(BITS[:5], samples=8)["log_px"] for one in (run, again))
    np.testing.assert_array_equal(first, second)
    whole = run.score(BITS[:6], samples=8)["log_px"].to_numpy()
    np.testing.assert_allclose(run.score(BITS[4:6], samples=8)["log_px"], whole[4:], rtol=1e-5)
    pytest.importorskip("onnxruntime")
    run.export(tmp_path / "graphs")  # which checks them
    assert run.traverse(n=2, dimensions=[0, 5]).rows.shape == (2, 2, 9, 7)


def test_it_is_reported_and_listed(
    run: likely.Run, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_reports(monkeypatch)
    assert main(["report", str(run.directory), "-o", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text()
    assert "groups of z" in page
    assert f"of {MODEL}" in page
    capsys.readouterr()
    assert main(["parts", "model"]) == 0
    out = capsys.readouterr().out
    assert "hierarchy[:mlp|conv[:GROUPS|auto]]" in out
    assert "SIDExCOUNT[xCHANNELS]" in out


def test_it_learns_where_training_has_free_bits_by_group_and_a_warm_up() -> None:
    run = likely.fit(
        BITS, model=MODEL, objective="free-bits:0.5:group", warmup=0.5, width=8, steps=60, learning_rate=8e-3
    )
    history = run.history["val_elbo"]
    assert history.iloc[-1] > history.iloc[0] or history.max() > -0.95 * 63 * np.log(2)
    assert run.evaluate(samples=4, anneal=0)["kl"].nats > 0.5


def test_colour_with_missing_cells_and_a_condition() -> None:
    holes = np.where(RNG.random(COLOUR.shape) < 0.1, np.nan, COLOUR.astype(np.float64))
    run = likely.fit(
        holes,
        model="hierarchy:conv:4x1,8x1",
        likelihood="logistic-mixture:2:coupled",
        condition={"label": LABELS},
        **SMALL,
    )
    given = {"label": LABELS[:4]}
    assert np.isfinite(run.score(holes[:4], samples=4, given=given)["log_px"]).all()
    assert run.sample(2, given={"label": 1}).shape == (2, 8, 8, 3)
    filled = run.impute(holes[:4], given=given)
    assert not np.isnan(np.asarray(filled, dtype=np.float64)).any()


def test_bfloat16_is_taken_where_it_is_native_and_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("likely.run.settling.native_bfloat16", lambda: True)
    for width, expected in ((8, "float32"), (24, "bfloat16")):
        run = likely.fit(BITS, model="hierarchy:conv:5x1x1", width=width, steps=1)
        assert run.config.training.precision == expected


def test_what_does_not_fit_is_refused_before_training(tmp_path: Path, capsys: Capture) -> None:
    np.save(tmp_path / "bits.npy", BITS)
    data = [str(tmp_path / "bits.npy"), "-o", str(tmp_path / "run"), "--set", "steps=1", "--model"]
    for told, said in (
        ("hierarchy:conv:4x1", "maps of a picture with side 9 have side 9, 5, 3, 2, 1; got 4"),
        ("hierarchy:conv:5", "its groups are maps, as 7x2x4,14x2x4 (side x count x channels), or auto"),
        ("hierarchy:conv:5by2", "GROUPS|auto must be a whole number from 1 to 20 or like 7x2x4,14x2x4 or auto"),
        ("hierarchy:mlp:5x2", "a hierarchy:mlp has a number of groups; hierarchy:conv has maps"),
        ("hierarchy:conv:9x1,5x1", "coarse to fine"),
    ):
        assert said in refused(capsys, "fit", *data, told)
    for options, said in (
        ({"prior": "vamp"}, "has its own prior; leave prior vamp:500 out"),
        ({"network": "mlp"}, "has its own network; leave network mlp out"),
        ({"latent": 7}, "has z of 83 numbers here, not 7; leave latent out"),
        ({"encoder": torch.nn.Linear(63, 4)}, "a hierarchy:conv has its own encoder; leave yours out"),
    ):
        with pytest.raises(likely.ConfigError, match=said):
            likely.fit(BITS, **{"model": "hierarchy:conv:5x1x1,9x1x1", **options})  # type: ignore[arg-type]
    with pytest.raises(likely.ConfigError, match="is for pictures"):
        likely.fit(RNG.random((30, 4)), model="hierarchy:conv")
    assert likely.fit(BITS, model="hierarchy", latent=4, width=8, steps=1).config.model.kind == "hierarchy:mlp:3"


def bits(count: int, *shape: int) -> np.ndarray:
    return (RNG.random((count, *shape)) < RNG.random((count, *[1] * len(shape)))).astype(np.uint8)


def test_pictures_get_it_where_nothing_else_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from likely.assembly import maps

    monkeypatch.setattr(maps, "MIN_ROWS", 40)
    assert likely.fit(bits(ROWS, 16, 16), steps=1).config.model.kind == "hierarchy:conv:4x2x8,8x3x8"
    colour = RNG.integers(0, 256, (ROWS, 17, 16, 3), dtype=np.uint8)
    coloured = likely.fit(colour, steps=1).config
    assert coloured.model.kind == "hierarchy:conv:3x1x8,5x2x8,9x2x8"
    grey = likely.fit(colour[..., 0], steps=1).config
    assert (grey.training.warmup, coloured.training.warmup) == (0.1, 0.0)
    assert (grey.training.batch_size, coloured.training.batch_size) == (16, 16)
    plain = likely.fit(bits(ROWS, 16, 16), steps=1).config.training
    assert (plain.batch_size, plain.warmup) == (32, 0.0)
    assert coloured.training.max_steps == 2 * plain.max_steps
    others: dict[str, Any] = {"latent": 2, "width": 16, "network": "mlp", "prior": "vamp:5", "objective": "beta:2"}
    for name, value in others.items():
        assert likely.fit(bits(ROWS, 16, 16), steps=1, **{name: value}).config.model.kind == "vae"
    for data in (bits(ROWS, 15, 16), bits(ROWS, 256), bits(30, 16, 16), RNG.normal(size=(ROWS, 16, 16))):
        assert likely.fit(data, steps=1).config.model.kind == "vae"
    with pytest.raises(likely.ConfigError, match="size is of model hierarchy:conv, and this fit has model vae"):
        likely.fit(bits(30, 16, 16), size="tiny", steps=1)
    labelled = likely.fit(bits(ROWS, 16, 16), condition={"label": LABELS}, steps=1)
    assert labelled.config.model.kind == "vae"


def test_an_evaluation_takes_a_part_of_many_rows_unless_it_is_told_the_samples(
    run: likely.Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    from likely.run import extent

    monkeypatch.setattr(extent, "OF_MAPS", extent.Extent(samples=3, rows=10, anneal=0))
    found = run.evaluate(BITS)
    assert (found.rows, found.of, found["iwae"].samples) == (10, ROWS, 3)
    again = run.assess(BITS[::-1])
    np.testing.assert_allclose(np.sort(again.frame()["iwae"]), np.sort(run.assess(BITS).frame()["iwae"]), rtol=1e-5)
    whole = run.evaluate(BITS, samples=2, anneal=0)
    assert (whole.rows, whole.of, whole["iwae"].samples) == (ROWS, ROWS, 2)
    before = torch.get_rng_state()
    assert run.evaluate(BITS[:12]).rows == 10
    assert torch.equal(torch.get_rng_state(), before)
    np.save(run.directory.parent / "bits.npy", BITS)
    assert main(["evaluate", str(run.directory), str(run.directory.parent / "bits.npy")]) == 0
    assert f"10 rows of {ROWS}, chosen by their content" in capsys.readouterr().out.replace("\n", " ")


def test_annealing_of_maps_ends_at_a_stated_time_unless_it_is_to_be_precise(
    run: likely.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from likely.evaluation.annealing import bidirectional
    from likely.run import extent

    for name in ("ROUNDS", "CHAINS"):
        monkeypatch.setattr(bidirectional, name, 4)
    monkeypatch.setattr(extent, "OF_MAPS", extent.Extent(samples=3, rows=60, anneal=0, minutes=1e-9))
    found = run.evaluate(BITS, anneal=55)
    assert (found.annealing["rows"], found.annealing["temperatures"], found.annealing["cut"]) == (50, 8, True)
    assert "Annealed 50 of 60 rows (55 asked for; limited to about 1e-09 minutes and took" in found.how_annealed[0]
    assert extent.asked(run, None, 4, precise=True, calibrate=False)[0].minutes is None
    told, encoded = extent.asked(run, None, 4, precise=False, calibrate=False)[0], run.encoded(run.rows_of(BITS)[0])
    long = replace(told, minutes=None)
    assert extent.minutes_of(run.model, encoded, told) < 0.2 * extent.minutes_of(run.model, encoded, long)


def test_a_long_fit_has_a_lower_rate(run: likely.Run) -> None:
    from likely.assembly.maps import conv_sizes
    from likely.assembly.sizes import default_sizes

    for size, rates in (("tiny", [8e-3, 8e-3, 3e-3]), ("base", [5e-3, 5e-3, 3e-3])):
        found = [conv_sizes(default_sizes(run.schema), size, run.schema, minutes) for minutes in (None, 20, 21)]
        assert [sizes.learning_rate for sizes in found] == rates


def test_a_fit_without_a_budget_is_one_of_half_an_hour_at_most(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from likely.run import learning

    monkeypatch.setattr(learning, "MAX_MINUTES", 0.02)
    short = likely.fit(BITS, model=MODEL, width=8, out=tmp_path / "run")
    assert any("no budget was told" in notice for notice in short.notices)
    assert short.steps == short.config.training.steps < 600
    monkeypatch.setattr(learning, "MAX_MINUTES", 30)
    told = likely.fit(BITS, model=MODEL, width=8, max_steps=5)
    assert (told.steps, told.config.training.steps) == (5, None)


def test_the_size_of_the_networks_is_told_or_that_of_the_minutes() -> None:
    from likely.assembly.maps import size_of
    from likely.config import Config

    assert [size_of(Config().replace({"minutes": minutes})) for minutes in (0.1, 1, 10, 90, 120)] == [
        "tiny",
        "small",
        "base",
        "base",
        "large",
    ]
    assert size_of(Config()) == "base"
    told = likely.fit(BITS, model=MODEL, size="tiny", steps=1).config
    assert (told.model.size, told.model.width, told.training.learning_rate) == ("tiny", 24, 8e-3)
    assert Config.from_dict(told.to_dict()) == told
    assert likely.fit(BITS, config=told).config == told
    with pytest.raises(likely.ConfigError, match="size"):
        likely.fit(BITS, model=MODEL, size="huge", steps=1)
