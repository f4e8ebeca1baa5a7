"""Pictures with the channels in front: recognised, modelled as those with channels last, given back as they came."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import likely
from likely.cli import main
from likely.data.channels import channels_of
from likely.data.pictures import pictures_in_unit_range
from likely.run.run import Run
from quick import quick_reports

FEW = {"steps": 10, "latent": 2, "width": 16, "blocks": 1}


def blobs() -> np.ndarray:
    """`(40, 8, 6, 3)` from 0 to 1, some cells missing."""
    rng = np.random.default_rng(0)
    x = np.round(rng.random((40, 8, 6, 3)), 2).astype(np.float32)
    x[rng.random(x.shape) < 0.05] = np.nan
    return x


def front(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


@pytest.fixture(scope="module")
def runs() -> tuple[Run, Run]:
    x = blobs()
    return likely.fit(x, network="conv", **FEW), likely.fit(torch.from_numpy(front(x)), network="conv", **FEW)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((3, 9, 7), "first"),
        ((1, 28, 28), "first"),
        ((4, 8, 8), "first"),
        ((9, 7, 3), "last"),
        ((28, 28, 1), "last"),
        ((2, 2, 3), "last"),
        ((64, 64, 12), "last"),
        ((4, 8, 3), "last"),
        ((3, 5, 4), None),
        ((1, 9, 3), None),
        ((8, 8, 8), None),
        ((9, 7, 12), None),
        ((12, 64, 64), None),
        ((9, 7), None),
        ((4, 8, 8, 3), None),
    ],
)
def test_sizes_say_which_axis_holds_channels(shape: tuple[int, ...], axis: str | None) -> None:
    assert channels_of(shape, "array") == axis


def test_both_layouts_give_one_model(runs: tuple[Run, Run]) -> None:
    last, first = runs
    assert first.schema.event_shape == last.schema.event_shape == (8, 6, 3)
    assert (first.schema.channels, last.schema.channels) == ("first", "last")
    assert any(
        "rows of shape (3, 8, 6) were inferred as pictures 8 x 6 with 3 channels in front" in n for n in first.notices
    )
    convolutions = [m for m in first.model.encoder.modules() if isinstance(m, torch.nn.Conv2d)]
    assert convolutions[0].in_channels in (3, 6)
    x = blobs()
    np.testing.assert_array_equal(last.score(x).to_numpy(), first.score(torch.from_numpy(front(x))).to_numpy())


def test_results_have_the_axes_of_what_was_given(runs: tuple[Run, Run]) -> None:
    last, first = runs
    x = blobs()
    given = torch.from_numpy(front(x))
    for verb in (
        lambda run, _: run.sample(5, seed=1),
        lambda run, _: run.sample(5, seed=1, mean=True),
        lambda run, _: run.sample(5, seed=1, with_missing=True),
        lambda run, data: run.reconstruct(data),
        lambda run, data: run.impute(data),
        lambda run, data: run.impute(data, deviation=True)[1],
        lambda run, data: run.impute(data, draws=1)[0],
        lambda run, _: run.decode(np.zeros((2, 2))),
    ):
        expected, made = verb(last, x), verb(first, given)
        np.testing.assert_allclose(np.asarray(made), front(expected), rtol=1e-6)
    filled = first.impute(given)
    seen = ~given.isnan()
    assert isinstance(filled, torch.Tensor)
    assert torch.equal(filled[seen], given[seen])
    assert not filled.isnan().any()


def test_contributions_go_by_the_axes_of_what_was_given(runs: tuple[Run, Run]) -> None:
    last, first = runs
    x = blobs()[:4]
    names = [f"x{i}" for i in range(x[0].size)]
    expected, made = last.anomalies(x, samples=5), first.anomalies(torch.from_numpy(front(x)), samples=5)
    cells = expected[names].to_numpy().reshape(-1, 8, 6, 3)
    np.testing.assert_array_equal(made[names].to_numpy(), front(cells).reshape(4, -1))


def test_the_report_has_pictures(runs: tuple[Run, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick_reports(monkeypatch)
    _, first = runs
    page = first.report(tmp_path / "r.html").read_text()
    assert page.count('class="pictures"') >= 3
    assert pictures_in_unit_range(first.schema, np.asarray(first.sample(2))).shape == (2, 8, 6, 3)


def test_the_other_axes_are_refused_with_the_cure(runs: tuple[Run, Run]) -> None:
    last, first = runs
    x = blobs()
    with pytest.raises(likely.DataError, match=r"got \(8, 6, 3\): its channels are last; np\.moveaxis\(x, -1, 1\)"):
        first.score(x)
    with pytest.raises(likely.DataError, match=r"got \(3, 8, 6\): its channels are first; np\.moveaxis\(x, 1, -1\)"):
        last.score(front(x))


def test_one_row_alone_and_an_axis_of_one_are_told_how_to_become_rows(runs: tuple[Run, Run]) -> None:
    last, x = runs[0], blobs()
    with pytest.raises(likely.DataError, match=r"this is one row alone; x\[None\] makes it rows"):
        last.encode(x[0])
    with pytest.raises(likely.DataError, match=r"got \(1, 8, 6, 3\): x\.reshape\(-1, 8, 6, 3\) gives it its axes"):
        last.score(x[:, None])


@pytest.mark.parametrize("shape", [(3, 5, 4), (8, 8, 8), (9, 7, 12)])
def test_convolutions_ask_where_the_sizes_do_not_say(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).integers(0, 256, (20, *shape), dtype=np.uint8)
    with pytest.raises(likely.ConfigError, match=r"say --channels first or --channels last"):
        likely.fit(x, network="conv", **FEW)
    run = likely.fit(x, network="conv", channels="first", **FEW)
    assert run.schema.event_shape == (*shape[1:], shape[0])
    assert run.sample(2).shape == (2, *shape)
    assert likely.fit(x, **FEW).schema.event_shape == shape


def test_channels_are_of_arrays_of_pictures(tmp_path: Path) -> None:
    with pytest.raises(likely.ConfigError, match="of three axes"):
        likely.fit(np.zeros((20, 4, 4)), channels="first")
    for i in range(8):
        Image.fromarray(np.full((4, 4, 3), 9 * i, np.uint8)).save(tmp_path / f"{i}.png")
    with pytest.raises(likely.ConfigError, match="read from files"):
        likely.fit(tmp_path, channels="first")


def test_four_channels_are_drawn_on_white(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (20, 4, 8, 6), dtype=np.uint8)
    np.save(tmp_path / "x.npy", x)
    few = [word for key, value in FEW.items() for word in ("--set", f"{key}={value}")]
    assert main(["fit", str(tmp_path / "x.npy"), "-o", str(tmp_path / "run"), *few]) == 0
    run = likely.load(tmp_path / "run")
    assert run.schema.channels == "first"
    clear = np.zeros((1, 4, 8, 6), np.uint8)
    clear[0, 3, 0] = 255
    drawn = pictures_in_unit_range(run.schema, clear)
    assert drawn.shape == (1, 8, 6, 3)
    np.testing.assert_array_equal(drawn[0, 0], np.zeros((6, 3)))
    np.testing.assert_array_equal(drawn[0, 1:], np.ones((7, 6, 3)))
    assert main(["sample", str(tmp_path / "run"), "-n", "3", "-o", str(tmp_path / "drawn")]) == 0
    assert np.asarray(Image.open(tmp_path / "drawn" / "00000.png")).shape == (8, 6, 3)


def test_the_command_line_says_the_axis(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 256, (20, 8, 8, 8), dtype=np.uint8))
    assert main(["inspect", str(tmp_path / "x.npy"), "--channels", "first", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"]["channels"] == "first"
