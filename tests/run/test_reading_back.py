"""What a run reads later: its own text, and text with what was not in training."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import likely
from likely import Run
from likely.cli import main
from likely.errors import DataError

N = 120
RNG = np.random.default_rng(4)
FRAME = pd.DataFrame(
    {
        "t": pd.date_range("2024-03-29", periods=N, freq="47h", tz="Europe/Berlin"),
        "zip": np.resize(["01234", "02139", "90210"], N),
        "price": [f"{x:,.2f} €".translate(str.maketrans(",.", ".,")) for x in RNG.normal(9000, 3000, N)],
        "day": [f"{1 + i % 12}/{1 + i % 28}/2024" for i in range(N)],
        "x": RNG.normal(size=N).round(2),
    }
)


@pytest.fixture(scope="module")
def run() -> Run:
    return likely.fit(FRAME, steps=3, width=8)


def test_columns_are_read_as_they_are_written(run: Run) -> None:
    assert [column.kind for column in run.schema.columns] == ["date", "categorical", "grid", "date", "grid"]
    way = "decimal ',', thousands '.', '€'"
    assert run.notices[0] == f"texts were read as numbers in price ({way}), as dates in day (%m/%d/%Y)"


def test_a_runs_own_text_goes_back_in_through_every_verb(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    drawn = run.sample(40)
    drawn.to_csv(path, index=False)
    assert drawn["t"].map(lambda stamp: stamp.utcoffset()).nunique() == 2  # across a change of the clocks
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pd.testing.assert_frame_equal(run.score(path), run.score(drawn), check_exact=True)
        np.testing.assert_array_equal(run.encode(path), run.encode(drawn))
        assert run.impute(path)["zip"].tolist() == drawn["zip"].tolist()
        assert run.reconstruct(path)["t"].dtype == FRAME["t"].dtype
        assert len(run.anomalies(path)) == 40
        assert run.evaluate(path, anneal=0, samples=5).to_dict()["rows"] == 40


def test_what_reading_changed_is_told_by_every_verb(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    FRAME.head(9).assign(zip=["?"] + ["02139"] * 8).to_csv(path, index=False)
    for verb in (run.score, run.encode, run.impute, run.reconstruct, run.anomalies):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            verb(path)
        assert "rows.csv: '?' was read as missing in zip" in [str(one.message) for one in caught]


def test_codes_that_were_made_numbers_are_told(run: Run) -> None:
    given = FRAME.head(9).assign(zip=FRAME["zip"].head(9).astype(int))
    with pytest.warns(UserWarning, match=r"column 'zip': the run has strings there, .* 6 of 9 not .* zeros in front"):
        run.score(given)


def test_a_date_is_asked_for_in_the_columns_zone(run: Run) -> None:
    assert (run.sample(5, given=["t>2024-06-01"])["t"] > pd.Timestamp("2024-06-01", tz="Europe/Berlin")).all()
    assert run.sample(5, given=["price>9.000,50 €"])["price"].str.len().min() >= len("9.000,51 €")
    assert (run.sample(5, given=["day<2024-06-01"])["day"].map(lambda text: int(text[:2])) < 6).all()


def test_every_class_of_a_condition_trains() -> None:
    frame = pd.DataFrame({"x": RNG.normal(size=60).round(2), "y": ["solo", *np.resize(["a", "b"], 59)]})
    told = 0
    for seed in range(8):
        found = likely.inspect(frame, condition="y", seed=seed)
        assert found.schema.conditions[0].categories == ("a", "b", "solo")
        told += any("condition 'y': 1 row(s) train that alone have 'solo'" in notice for notice in found.notices)
    assert 0 < told < 8


@pytest.mark.parametrize("given", [False, True])
def test_every_class_of_the_labels_beside_an_array_trains(given: bool, tmp_path: Path) -> None:
    pixels, ages = RNG.integers(0, 256, (60, 4, 4)).astype("uint8"), np.array([93, *np.resize([20, 30], 59)])
    np.savez(tmp_path / "a.npz", x=pixels, age=ages)
    options: Any = {"condition": {"age": ages} if given else "age", "steps": 1, "latent": 2, "width": 8}
    told = 0
    for seed in range(8):
        run = likely.fit(pixels if given else tmp_path / "a.npz", seed=seed, **options)
        assert run.schema.conditions[0].categories == (20, 30, 93)
        assert 0 in run.division.train
        told += any("condition 'age': 1 row(s) train that alone have 93" in notice for notice in run.notices)
    assert 0 < told < 8


def test_a_held_out_row_that_cannot_be_encoded_is_told_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    from likely.run import learning

    frame = pd.DataFrame({"x": np.arange(60.0) % 7 + 0.25, "y": np.arange(60) % 5})
    row = int(likely.fit(frame, steps=1, width=8).division.test[0])
    frame.loc[row, "x"] = -5.25
    monkeypatch.setattr(learning, "Trainer", None)
    with pytest.raises(DataError, match=rf"test rows: column 'x': row {row} holds -5.25"):
        likely.fit(frame, limits={"x": (0, None)}, steps=1)


def test_no_held_out_row_touches_what_the_rows_are_measured_by() -> None:
    frame = pd.DataFrame({"x": np.resize([1.5, 2.5, 4.5], 60), "s": np.resize(["a", "b"], 60)})
    plain = likely.inspect(frame)
    test = likely.fit(frame, steps=1, width=8).division.test
    frame.loc[test, "x"] = 7.123
    frame.loc[test, "s"] = "new"
    assert likely.inspect(frame).schema == plain.schema


def test_options_of_reading_are_the_same_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{1 + i % 9},{100 + i}~{1 + i % 9}/{1 + i % 12}/2024" for i in range(60)]
    path = tmp_path / "t.txt"
    path.write_text("\n".join(["v~d", *rows]))
    words = ["--separator", "~", "--decimal", ",", "--date-format", "d=%d/%m/%Y"]
    assert main(["fit", str(path), "-o", str(tmp_path / "run"), *words, "--set", "steps=2", "--set", "width=8"]) == 0
    schema = likely.load(tmp_path / "run").schema
    assert schema.columns[0].low == 1.1
    assert (schema.columns[1].kind, schema.columns[1].format) == ("date", "%d/%m/%Y")
    told = likely.inspect(path, separator="~", decimal=",", date_format={"d": "%d/%m/%Y"}).schema
    assert [column.kind for column in told.columns] == [column.kind for column in schema.columns]
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run"), "--anneal", "0", "--samples", "5"]) == 0
    assert main(["inspect", str(path), "--separator", "~"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "--decimal" in shown
    assert "--date-format" in shown
