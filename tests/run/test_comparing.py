"""Several runs on the same rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import likely
import mine
from likely.cli import main

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"a": RNG.normal(size=120), "b": RNG.poisson(3, 120), "town": RNG.choice(["Bath", "York"], 120)})
ON = (RNG.random((80, 6, 5)) < np.linspace(0.1, 0.9, 30).reshape(6, 5)).astype(np.uint8)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[likely.Run]:
    folder = tmp_path_factory.mktemp("compare")
    FRAME.to_csv(folder / "x.csv", index=False)
    return [
        likely.fit(folder / "x.csv", out=folder / name, steps=steps, width=16, latent=2)
        for name, steps in (("short", 2), ("long", 120))
    ]


def test_differences_are_row_by_row_and_their_errors_those_of_the_differences(runs: list[likely.Run]) -> None:
    found = likely.compare(runs, FRAME, samples=20)
    assert found.runs == ("short", "long")
    each = [run.score(FRAME, samples=20, seed=place) for place, run in enumerate(runs)]
    more = each[1]["log_px"] - each[0]["log_px"]
    told = found.differences["iwae"][0]
    assert told.nats == pytest.approx(more.mean(), rel=1e-9)
    assert told.se == pytest.approx(more.std() / np.sqrt(len(more)), rel=1e-6)
    errors = np.hypot(each[0]["se_mc"], each[1]["se_mc"])
    assert told.se_mc == pytest.approx(np.sqrt((errors**2).sum()) / len(errors), rel=1e-6)
    for place in range(2):
        terms = {name: found.terms[name][place].nats for name in found.terms}
        assert terms["elbo"] == pytest.approx(terms["reconstruction"] - terms["kl"])
        assert terms["iwae"] == pytest.approx(each[place]["log_px"].mean(), rel=1e-9)
    assert len(found.frame()) == 10


def test_without_rows_the_test_rows_are_taken_where_all_hold_the_same_out(runs: list[likely.Run]) -> None:
    found = likely.compare([run.directory or "" for run in runs], samples=5)
    assert (found.rows, found.split) == (12, ("test", "test"))
    other = likely.fit(FRAME, steps=1, width=16, column={"b": "count"}, seed=5)
    first = likely.fit(FRAME, steps=1, width=16, column={"b": "count"})
    with pytest.raises(likely.DataError, match="the runs hold out different rows"):
        likely.compare([first, other])
    assert likely.compare([first, other], FRAME, samples=5).runs == ("run 1", "run 2")


def test_a_run_differs_from_itself_within_the_error_of_sampling(runs: list[likely.Run]) -> None:
    found = likely.compare([runs[1], runs[1]], FRAME, samples=40).differences["elbo"][0]
    assert found.se_mc > 0
    assert 0 < abs(found.nats) < 5 * found.se_mc


def test_each_run_is_told_what_the_rows_are_to_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "x.npy", ON)
    words = ["compare", *(str(tmp_path / name) for name in ("of", "other")), "--data", str(tmp_path / "x.npy")]
    for name, rows in (("of", ON), ("other", ON[:70])):
        likely.fit(rows, steps=1, width=16, out=tmp_path / name)
    assert main([*words, "--samples", "2"]) == 0
    out = capsys.readouterr().out
    assert "to of the rows are: all rows of the given data, which are those of the fit" in out
    assert "to other the rows are: all rows of the given data\n" in out


def test_pixels_that_are_drawn_are_the_same_for_all_runs() -> None:
    grey = np.random.default_rng(1).integers(0, 256, (80, 6, 5), dtype=np.uint8)
    first, other = (likely.fit(grey, binarize="dynamic", steps=1, width=16, latent=2, seed=seed) for seed in (0, 1))
    other.model.load_state_dict(first.model.state_dict())
    alike = likely.compare([first, other], grey, samples=20).differences["iwae"][0]
    assert abs(alike.nats) < 5 * alike.se_mc
    assert alike.se < 0.1
    once = [likely.fit(grey, binarize="static", steps=1, width=16, seed=seed) for seed in (0, 1)]
    with pytest.raises(likely.ConfigError, match="binarised once, by the seeds 0 and 1: they are of different x"):
        likely.compare(once, grey)


def test_rows_count_the_same_for_all_runs() -> None:
    frame = FRAME.assign(w=np.arange(120) % 5 + 1.0)
    kinds = {"b": "count"}
    weighted = likely.fit(frame, weight="w", column=kinds, steps=2, width=16, latent=2)
    plain = likely.fit(FRAME, column=kinds, steps=2, width=16, latent=2)
    told = [run.score(frame, samples=5, seed=place)["log_px"] for place, run in enumerate((weighted, plain))]
    found = likely.compare([weighted, plain], frame, samples=5)
    assert found.counting == "each row counts once: the runs have different weights of rows"
    assert [one.nats for one in found.terms["iwae"]] == pytest.approx([one.mean() for one in told])
    assert found.differences["iwae"][0].nats == pytest.approx((told[1] - told[0]).mean())
    both = likely.compare([weighted, weighted], frame, samples=5)
    assert both.counting == "rows count by their weights"
    assert both.terms["iwae"][0].nats == pytest.approx(np.average(told[0], weights=frame["w"]))
    assert likely.compare([weighted, plain], samples=5).rows == 12


def test_stored_test_rows_are_the_same_whatever_is_given_beside_them() -> None:
    named = likely.fit(ON, steps=1, width=16)
    told = likely.fit(ON, steps=1, width=16, condition={"label": np.arange(80) % 2})
    assert likely.compare([named, told], samples=5).rows == 8
    other = likely.fit(1 - ON, steps=1, width=16)
    with pytest.raises(likely.DataError, match="the runs hold out different rows"):
        likely.compare([other, told], samples=5)


def test_another_base_measure_is_refused_with_the_column_named(runs: list[likely.Run]) -> None:
    density = likely.fit(FRAME, steps=1, width=16, column={"b": "real"})
    with pytest.raises(likely.ConfigError, match=r"column 'b': short has the mass .*, run 2 has a density"):
        likely.compare([runs[0], density], FRAME)
    coarser = likely.fit(FRAME.assign(b=FRAME["b"] + 0.5), steps=1, width=16, column={"b": "grid"})
    finer = likely.fit(FRAME, steps=1, width=16, column={"b": "grid"})
    with pytest.raises(likely.ConfigError, match=r"column 'b': .* recorded to 1, .* recorded to 0\.1"):
        likely.compare([finer, coarser], FRAME)
    fewer = likely.fit(FRAME.drop(columns="b"), steps=1, width=16)
    with pytest.raises(likely.ConfigError, match="column 'b' is modelled by short and not by run 2"):
        likely.compare([runs[0], fewer], FRAME)
    reals = likely.fit(ON, likelihood="gaussian", column={"x": "real"}, steps=1, width=16)
    binary = likely.fit(ON, steps=1, width=16)
    with pytest.raises(likely.ConfigError, match=r"column 'x': run 1 has a density, run 2 has the mass of 0 or 1"):
        likely.compare([reals, binary], ON)


def test_a_value_that_one_run_knows_and_another_does_not_is_refused() -> None:
    frame = FRAME.assign(town=FRAME["town"].where(np.arange(120) != 7, "Ely"))
    knows, lacks = (likely.fit(rows, steps=1, width=16, column={"b": "count"}) for rows in (frame, FRAME))
    if "Ely" not in knows.schema.columns[2].categories:
        knows = likely.fit(frame, steps=1, width=16, column={"b": "count"}, seed=1)
    with pytest.raises(likely.ConfigError, match="column 'town': row 7 holds a value that run 2 never saw"):
        likely.compare([knows, lacks], frame)
    assert likely.compare([knows, lacks], FRAME, samples=3).rows == 120


def test_a_model_of_ones_own_is_compared_and_so_is_one_that_is_told_y() -> None:
    label = np.arange(80) % 2
    named, own = likely.fit(ON, steps=1, width=16), likely.fit(ON, model=mine.vae, steps=1)
    told = likely.fit(ON, condition={"label": label}, steps=1, width=16)
    found = likely.compare([named, own, told], ON, given={"label": label}, samples=5)
    assert found.given == ((), (), ("label",))
    assert len(found.differences["elbo"]) == 2
    with pytest.raises(likely.ConfigError, match="'size' is a condition of none"):
        likely.compare([named, own], ON, given={"size": 1})
    with pytest.raises(likely.ConfigError, match="give two runs or more"):
        likely.compare([named], ON)


def test_a_whole_model_of_an_array_is_compared_with_the_columns_of_another_run() -> None:
    rows = np.random.default_rng(0).normal(size=(80, 30))
    own = likely.fit(rows, model=mine.normal, steps=2)
    plain = likely.fit(rows, steps=2, width=16, likelihood="gaussian")
    found = likely.compare([own, plain], rows, samples=5)
    assert (own.schema.cells_alike, plain.schema.cells_alike) == (True, False)
    told = [run.score(rows, samples=5, seed=place)["log_px"].mean() for place, run in enumerate((own, plain))]
    assert [one.nats for one in found.terms["iwae"]] == pytest.approx(told, rel=1e-6)
    assert likely.compare([plain, own], samples=5).split == ("test", "test")
    coarse = likely.fit(rows.round(1), steps=1, width=16)
    with pytest.raises(likely.ConfigError, match=r"column 'x0': run 1 has a density, run 2 has the mass of a number"):
        likely.compare([own, coarse], rows)
    fewer = likely.fit(rows[:, :7], steps=1, width=16)
    with pytest.raises(likely.ConfigError, match=r"rows are \(30,\) and \(7,\): they are of different x"):
        likely.compare([own, fewer], rows)


def test_rows_of_the_fit_are_told_where_labels_lay_beside_them(tmp_path: Path) -> None:
    named = likely.fit(ON, steps=1, width=16)
    labels = np.arange(80) % 2
    likely.fit(ON, steps=1, width=16, condition={"label": labels}, out=tmp_path / "run")
    told = likely.load(tmp_path / "run")
    found = likely.compare([named, told], ON, given={"label": labels}, samples=3)
    assert set(found.split) == {"all rows of the given data, which are those of the fit, training rows among them"}
    found = likely.compare([named, told], ON[1:], given={"label": labels[1:]}, samples=3)
    assert set(found.split) == {"all rows of the given data"}


def test_the_command(runs: list[likely.Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(run.directory) for run in runs]
    assert main(["compare", *paths, "--samples", "5", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["rows"] == 12
    assert set(document["terms"]) == {"reconstruction", "kl", "elbo", "iwae", "gap"}
    FRAME.to_csv(tmp_path / "x.csv", index=False)
    assert main(["compare", *paths, "--samples", "5", "--data", str(tmp_path / "x.csv")]) == 0
    out = capsys.readouterr().out
    assert "more than the first" in out
    assert "120 rows (all rows of the given data" in out
    assert main(["compare", paths[0]]) == 2
