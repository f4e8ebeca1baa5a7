"""`likely anomalies`: the rows that rank highest, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from likely.cli import main
from refusals import Capture, pictures, refused, table


def run(*words: object) -> int:
    return main([str(word) for word in words])


def test_the_first_rows_are_printed_with_reasons(stored: Path, tmp_path: Path, capsys: Capture) -> None:
    rows = table()
    rows.loc[5, "a"] = 40.0
    rows.to_csv(tmp_path / "rows.csv", index=False)
    assert run("anomalies", stored / "run", tmp_path / "rows.csv", "-n", 3) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[1].split()[0] == "5"
    assert "a=40.0 +" in out[1]
    assert out[4].startswith("37 more rows")


def test_all_rows_are_written_as_they_are_ranked(stored: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "ranked.csv"
    words = ["anomalies", stored / "run", stored / "t.csv", "--samples", 20, "--false-alarms", 0.25]
    assert run(*words, "-o", out, "--json", "-n", 2) == 0
    document = json.loads(capsys.readouterr().out)
    ranked = pd.read_csv(out)
    assert document["rows"] == len(ranked) == 40
    assert [row["row"] for row in document["anomalies"]] == ranked["row"].head(2).tolist()
    assert ranked.columns[:6].tolist() == ["row", "rank", "score", "ess", "p_value", "anomaly"]
    assert ranked["score"].is_monotonic_decreasing
    assert sorted(ranked["row"]) == list(range(40))
    assert "exists" in refused(capsys, *words, "-o", out)


def test_arrays_have_numbers_for_rows(stored: Path, capsys: Capture) -> None:
    assert run("anomalies", stored / "pics", stored / "p.npy", "-n", 2, "--samples", 10) == 0
    out = capsys.readouterr().out.splitlines()
    assert int(out[1].split()[0]) < len(pictures(40))


@pytest.mark.parametrize(("rate", "said"), [("0.001", "needs at least 999 rows"), ("2", "between 0 and 1")])
def test_a_rate_that_cannot_be_kept_is_refused(stored: Path, capsys: Capture, rate: str, said: str) -> None:
    assert said in refused(capsys, "anomalies", stored / "run", stored / "t.csv", "--false-alarms", rate)
