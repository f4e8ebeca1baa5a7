"""Ways through z."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import likely
from likely.cli import main

PICTURES = np.random.default_rng(0).integers(0, 256, (60, 6, 5), dtype=np.uint8)
FRAME = pd.DataFrame({"a": np.arange(80.0) % 7 + 0.25, "b": np.arange(80) % 5, "town": ["Bath", "York"] * 40})
SMALL: dict[str, Any] = {"steps": 3, "width": 16, "latent": 3}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> likely.Run:
    folder = tmp_path_factory.mktemp("walk")
    np.save(folder / "x.npy", PICTURES)
    return likely.fit(folder / "x.npy", out=folder / "run", **SMALL)


def test_the_way_goes_straight_from_one_code_to_the_other(run: likely.Run) -> None:
    made = run.interpolate(3, 9, 5, data=PICTURES)
    codes = run.encode(PICTURES[[3, 9]])
    np.testing.assert_allclose(made, run.decode(np.linspace(*codes, 5)), rtol=1e-5)
    np.testing.assert_allclose(made[[0, -1]], run.reconstruct(PICTURES[[3, 9]]), rtol=1e-5)
    assert run.interpolate(0, 1).shape == (8, 6, 5)
    with pytest.raises(likely.ConfigError, match="there is no row 6: test are 6 rows, numbered from 0"):
        run.interpolate(0, 6)
    with pytest.raises(likely.ConfigError, match="at least 2"):
        run.interpolate(0, 1, 1)


def test_on_a_sphere_the_way_stays_on_it_and_codes_have_none() -> None:
    from likely.run.traverse import _arc

    ends = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    way = _arc(ends, torch.linspace(0, 1, 3).unsqueeze(1))
    torch.testing.assert_close(way[1], torch.tensor([0.5, 0.5, 0.0]).sqrt())
    sphere = likely.fit(PICTURES, prior="sphere", **SMALL)
    assert sphere.interpolate(0, 1).shape == (8, 6, 5)
    with pytest.raises(likely.ConfigError, match="do not move one by one"):
        sphere.traverse()
    codes = likely.fit(PICTURES, prior="categorical:2:3", steps=1, width=16)
    with pytest.raises(likely.ConfigError, match="nothing lies between two of them"):
        codes.interpolate(0, 1)


def test_one_number_of_z_moves_and_the_others_stay(run: likely.Run) -> None:
    found = run.traverse(n=4, dimensions=[2, 0], span=2.0, row=1, data=PICTURES)
    assert found.dimensions == (2, 0)
    np.testing.assert_allclose(found.z, np.tile(np.linspace(-2, 2, 4), (2, 1)), atol=1e-6)
    code = np.tile(run.encode(PICTURES[[1]]), (4, 1))
    code[:, 2] = np.linspace(-2, 2, 4)
    np.testing.assert_allclose(found.rows[0], run.decode(code), rtol=1e-5)
    every = run.traverse(n=3)
    assert every.rows.shape == (3, 3, 6, 5)
    change = np.asarray(every.rows, float).std(1).mean((1, 2))
    assert (np.diff(change) <= 0).all()
    assert run.traverse(n=3, dimensions=1).dimensions == every.dimensions[:1]
    with pytest.raises(likely.ConfigError, match="z has the dimensions 0 to 2"):
        run.traverse(dimensions=[3])


def test_numbers_that_are_none_are_told_in_one_line(run: likely.Run) -> None:
    words: list[tuple[str, dict[str, Any]]] = [
        ("n must be a whole number, got 2.5", {"n": 2.5}),
        ("span a number above 0; got 8 and inf", {"span": float("inf")}),
        ("span a number above 0; got 8 and far", {"span": "far"}),
        ("dimensions must be a whole number, got 1.5", {"dimensions": 1.5}),
        ("dimensions must be a whole number, got 'z'", {"dimensions": "z"}),
        ("dimensions must be a whole number, got None", {"dimensions": None}),
        (r"span 1e\+300 leads to numbers of z that are infinite", {"span": 1e300}),
        ("row must be a whole number, got 0.5", {"row": 0.5}),
    ]
    for match, options in words:
        with pytest.raises(likely.ConfigError, match=match):
            run.traverse(**options)
    ways: list[dict[str, Any]] = [{"a": 0.5, "b": 1}, {"a": 0, "b": 1.5}, {"a": 0, "b": 1, "n": 2.5}]
    for told in ways:
        with pytest.raises(likely.ConfigError, match="must be a whole number"):
            run.interpolate(**told)
    assert run.traverse(n=3, dimensions=np.int64(2)).rows.shape[0] == 2
    assert main(["traverse", str(run.directory), "--span", "inf", "-o", "z.png"]) == 2


def test_columns_of_x_that_are_called_as_those_of_the_way_are_kept() -> None:
    run = likely.fit(FRAME.rename(columns={"a": "z", "b": "dimension"}), prior="normal", **SMALL)
    rows = run.traverse(n=2, dimensions=[1, 0]).rows
    assert rows.columns.tolist() == ["latent_dimension", "latent_z", "z", "dimension", "town"]
    assert rows["latent_dimension"].tolist() == [1, 1, 0, 0]
    np.testing.assert_allclose(rows["latent_z"], [-2.5, 2.5] * 2, rtol=1e-5)


def test_of_a_hierarchy_the_normal_numbers_move_and_of_an_ensemble_the_first_member() -> None:
    ladder = likely.fit(PICTURES, prior="ladder:2", **(SMALL | {"latent": 4}))
    found = ladder.traverse(n=3, dimensions=[0], span=1.0)
    np.testing.assert_allclose(found.z, [[-1, 0, 1]], atol=1e-6)
    several = likely.fit(PICTURES, members=2, **SMALL)
    assert several.traverse(n=3).rows.shape == (3, 3, 6, 5)


def test_a_table_gives_tables_and_a_condition_is_one() -> None:
    run = likely.fit(FRAME, condition="town", steps=3, width=16, latent=3)
    assert run.interpolate(0, 2, 4, data=FRAME).columns.tolist() == ["a", "b", "town"]
    with pytest.raises(likely.ConfigError, match=r"rows 0 and 1 differ in y \(town\): say which"):
        run.interpolate(0, 1, data=FRAME)
    assert set(run.interpolate(0, 1, data=FRAME, given={"town": "York"})["town"]) == {"York"}
    rows = run.traverse(n=3, dimensions=2, given={"town": "Bath"}).rows
    assert rows.columns.tolist() == ["dimension", "z", "a", "b", "town"]
    assert len(rows) == 6


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def test_the_commands_write_grids_arrays_and_tables(
    run: likely.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = str(run.directory)
    assert main(["interpolate", where, "0", "3", "-n", "5", "-o", str(tmp_path / "way.png")]) == 0
    assert main(["interpolate", where, "0", "3", "-n", "5", "-o", str(tmp_path / "way.npy")]) == 0
    assert np.load(tmp_path / "way.npy").shape == (5, 6, 5)
    scale = 56 // 6
    assert size(tmp_path / "way.png") == (5 * (5 * scale + 1) + 1, 6 * scale + 2)
    assert main(["traverse", where, "-n", "4", "--dimensions", "2,0", "-o", str(tmp_path / "z.png")]) == 0
    assert size(tmp_path / "z.png") == (4 * (5 * scale + 1) + 1, 2 * (6 * scale + 1) + 1)
    assert "dimensions of z, a line each: 2, 0" in capsys.readouterr().err
    assert main(["traverse", where, "-n", "4", "-o", str(tmp_path / "z.npy")]) == 0
    assert np.load(tmp_path / "z.npy").shape == (3, 4, 6, 5)
    assert main(["traverse", where, "--dimensions", "one"]) == 2
    table = likely.fit(FRAME, out=tmp_path / "table", **SMALL)
    FRAME.to_csv(tmp_path / "x.csv", index=False)
    words = ["interpolate", str(table.directory), "0", "3", str(tmp_path / "x.csv"), "-o", str(tmp_path / "way.csv")]
    assert main(words) == 0
    assert len(pd.read_csv(tmp_path / "way.csv")) == 8
