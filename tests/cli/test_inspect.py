"""What `likely inspect` shows: a line and a picture a column, in the terminal, as a page and as JSON."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rich.console

import likely
from likely.cli import main, show
from likely.cli.inspect import ASCII, BLOCKS, inspection, sparkline
from likely.data import Column
from likely.data.summary import Summary, summarise
from likely.run.inspect import MAX_SUMMARISED, Inspection
from refusals import Capture, pictures, refused

ROWS = 400


def table(rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "gain": np.where(rng.random(rows) < 0.9, 0, rng.lognormal(8.5, 1, rows).round()).astype(int),
            "job": rng.choice(["cook", "smith", "[bold]", "farmer", "clerk"], rows, p=[0.1, 0.6, 0.1, 0.1, 0.1]),
            "name": [f"person {i}" for i in range(rows)],
        }
    )


def incomplete() -> Inspection:
    """The schema of a table with missing cells and dates."""
    found = likely.inspect(table())
    frame = table().assign(born=pd.date_range("1970-01-01", periods=ROWS, freq="9D"))
    frame = frame.mask(np.arange(ROWS)[:, None] % 4 == np.arange(4))
    columns = [*found.schema.columns, Column("born", "datetime64[us]", "date", "dates, to the day")]
    columns = [dataclasses.replace(c, missing=int(frame[c.name].isna().sum())) for c in columns]
    summaries = tuple(summarise(column, frame[column.name]) for column in columns)
    schema = dataclasses.replace(found.schema, columns=tuple(columns), rows=ROWS)
    return dataclasses.replace(found, schema=schema, summaries=summaries)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    console = rich.console.Console

    def eighty(**_: object) -> rich.console.Console:
        return console(width=80, highlight=False, no_color=True)

    monkeypatch.setattr(rich.console, "Console", eighty)


def test_a_line_a_column_with_its_picture_and_what_is_left_out(tmp_path: Path, capsys: Capture) -> None:
    table().to_csv(tmp_path / "t.csv", index=False)
    assert main(["inspect", str(tmp_path / "t.csv")]) == 0
    lines = capsys.readouterr().out.splitlines()
    gain, job = (next(line for line in lines if line.startswith(name)) for name in ("gain", "job"))
    assert re.search(r"0 \.\. \d+; 0 in 8\d%", gain)
    assert "█" in gain
    assert "smith, " in job
    assert "[bold]" in job
    assert any(line.startswith("left out of the model: name") for line in lines)
    assert not any("missing" in line for line in lines)


def test_holes_and_dates_are_told(capsys: Capture) -> None:
    inspection(incomplete(), name="t.csv", output=None, json=False)
    out = capsys.readouterr().out
    assert "100 (25%)" in out
    assert "1970-01-01 .. 1979-10-" in out


@pytest.mark.usefixtures("narrow")
def test_eighty_columns_suffice(capsys: Capture) -> None:
    inspection(incomplete(), name="t.csv", output=None, json=False)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    born = next(number for number, line in enumerate(lines) if line.startswith("born"))
    assert "1970-01-01 .." in lines[born]
    assert "dates, to the day" in " ".join(lines[born + 1 : born + 3])
    assert any(block in lines[born] for block in BLOCKS[1:])


def test_json_has_everything(capsys: Capture) -> None:
    inspection(incomplete(), name="t.csv", output=None, json=True)
    document = json.loads(capsys.readouterr().out)
    gain, job, name, born = document["columns"]
    assert (gain["missing"], gain["missing_share"]) == (100, 0.25)
    assert gain["low"] == 0
    assert gain["top"][0]["value"] == 0
    assert sum(gain["histogram"]["counts"]) == 300
    assert (job["categories"], job["kind"], job["top"][0]["value"]) == (5, "categorical", "smith")
    assert name["left_out"]
    assert name["reason"]
    assert born["low"] == "1970-01-01"
    assert document["schema"]["columns"][0]["name"] == "gain"


def test_a_page_stands_alone(tmp_path: Path, capsys: Capture) -> None:
    inspection(incomplete(), name="a<b>.csv", output=tmp_path / "page.html", json=False)
    assert "wrote" in capsys.readouterr().err
    html = (tmp_path / "page.html").read_text()
    assert html.startswith("<!doctype html>")
    assert not re.search(r"https?://|<script|<link", html)
    assert html.count("<article") == 4
    assert html.count("<svg") == 3
    assert html.count('class="missing-share"') == 4
    assert "a&lt;b&gt;.csv" in html
    assert "left out of the model" in html


def test_a_page_is_written_once_and_only_as_html(tmp_path: Path, capsys: Capture) -> None:
    table().to_csv(tmp_path / "t.csv", index=False)
    assert main(["inspect", str(tmp_path / "t.csv"), "-o", str(tmp_path / "p.html")]) == 0
    assert "exists already" in refused(capsys, "inspect", tmp_path / "t.csv", "-o", tmp_path / "p.html")
    assert "ends in .html" in refused(capsys, "inspect", tmp_path / "t.csv", "-o", tmp_path / "p.png")
    assert main(["inspect", str(tmp_path / "t.csv"), "-o", str(tmp_path / "p.html"), "--overwrite"]) == 0


def test_of_very_many_columns_the_first_have_pictures(capsys: Capture) -> None:
    values = np.random.default_rng(0).normal(size=(12, MAX_SUMMARISED + 30))
    found = likely.inspect(pd.DataFrame(values, columns=[f"c{i}" for i in range(MAX_SUMMARISED + 30)]))
    assert len(found.summaries) == MAX_SUMMARISED
    inspection(found, name="wide", output=None, json=False)
    out = capsys.readouterr().out
    assert f"pictures are of the first {MAX_SUMMARISED} of {MAX_SUMMARISED + 30} columns" in out
    assert f"\nc{MAX_SUMMARISED + 29} " in out
    columns = found.to_dict()["columns"]
    assert len(columns) == MAX_SUMMARISED + 30
    assert "top" not in columns[-1]


def test_cells_of_pictures_and_labels_are_drawn_too(capsys: Capture) -> None:
    found = likely.inspect(pictures(40))
    assert found.summaries[0].present == found.used["train"] * 16
    inspection(found, name="pictures", output=None, json=False)
    assert "all cells" in capsys.readouterr().out


def test_sparklines_rise_with_counts_and_show_what_is_rare() -> None:
    flat = Summary("x", 8, 0, 8, edges=tuple(range(9)), counts=(1,) * 8)
    assert len(set(sparkline(flat))) == 1
    rare = Summary("x", 1001, 0, 2, top=(("a", 1000), ("b", 1)))
    assert sparkline(rare) == "█▁"
    spiked = Summary("x", 900, 0, 8, edges=tuple(range(11)), counts=(800, 0, 5, 10, 15, 20, 15, 10, 5, 1))
    drawn = sparkline(spiked)
    assert drawn[:2] == "█ "
    assert BLOCKS.index(drawn[5]) >= 6
    assert set(sparkline(spiked, ASCII)) <= set(ASCII)
    assert sparkline(Summary("x", 96, 0, 96, edges=tuple(range(49)), counts=(2,) * 48)) == sparkline(flat)[0] * 16
    assert len(sparkline(Summary("x", 100, 0, 100, edges=tuple(range(51)), counts=(2,) * 50))) == 13
    assert sparkline(Summary("x", 3, 0, 3)) == ""


def test_a_terminal_that_knows_no_blocks_gets_other_characters(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    class Plain(rich.console.Console):
        @property
        def encoding(self) -> str:
            return "ascii"

    monkeypatch.setattr(rich.console, "Console", Plain)
    assert show.console().options.ascii_only
    inspection(incomplete(), name="t.csv", output=None, json=False)
    assert capsys.readouterr().out.isascii()
