"""`sample` and `impute --draws` within the range of the training rows, and `--beyond-range`."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from likely.cli import main
from likely.run.checksums import ChecksummedFiles
from refusals import Capture, refused


def narrowed(run: Path, low: float, high: float) -> Path:
    """The run, had its training rows' column `a` had this range."""
    schema = json.loads((run / "schema.json").read_text())
    schema["columns"][0] |= {"low": low, "high": high}
    checksummed = ChecksummedFiles.of(run)
    checksummed.write({"schema.json": json.dumps(schema)}, checksummed.facts)
    return run


def drawn(capsys: Capture, *words: object) -> tuple[pd.DataFrame, str]:
    capsys.readouterr()
    assert main([str(word) for word in words]) == 0
    out, err = capsys.readouterr()
    return pd.read_csv(io.StringIO(out)), err


def test_rows_drawn_again_are_told_and_can_be_kept(run: Path, capsys: Capture) -> None:
    narrowed(run, -0.5, 1.0)
    rows, err = drawn(capsys, "sample", run, "-n", 200)
    assert len(rows) == 200
    assert rows["a"].between(-0.5, 1.0).all()
    share, count = re.search(r"([\d.]+)% of (\d+) rows drawn lay outside", err).groups()
    assert 20 < float(share) < 80
    assert round(int(count) * (1 - float(share) / 100)) >= 200
    beyond, err = drawn(capsys, "sample", run, "-n", 200, "--beyond-range")
    assert "outside" not in err
    outside = (~beyond["a"].between(-0.5, 1.0)).mean()
    assert abs(outside - float(share) / 100) < 4 * np.sqrt(outside * (1 - outside) * (1 / 200 + 1 / int(count)))


def test_a_model_without_mass_in_the_range_ends_with_a_line(run: Path, capsys: Capture) -> None:
    narrowed(run, 90.0, 99.0)
    said = refused(capsys, "sample", run, "-n", 20)
    assert "column 'a' is outside most often (90 to 99)" in said
    assert "--beyond-range" in said
    assert len(drawn(capsys, "sample", run, "-n", 20, "--beyond-range")[0]) == 20
    capsys.readouterr()
    assert main(["sample", str(run), "-n", "3", "--mean"]) == 0


@pytest.mark.filterwarnings("ignore:cells are missing")
def test_imputed_draws_keep_to_the_range_too(run: Path, capsys: Capture, tmp_path: Path) -> None:
    narrowed(run, -0.5, 1.0)
    incomplete = pd.DataFrame({"a": [np.nan, 7.0, np.nan], "n": [1, np.nan, 2], "s": ["x", "y", "x"]})
    incomplete.to_csv(tmp_path / "h.csv", index=False)
    rows, err = drawn(capsys, "impute", run, tmp_path / "h.csv", "--draws", 50)
    assert len(rows) == 150
    filled = rows["a"][rows["a"] != 7.0]
    assert len(filled) == 100
    assert filled.between(-0.5, 1.0).all()
    assert "rows drawn lay outside the range" in err
    beyond = drawn(capsys, "impute", run, tmp_path / "h.csv", "--draws", 50, "--beyond-range")[0]
    assert not beyond["a"][beyond["a"] != 7.0].between(-0.5, 1.0).all()
    narrowed(run, 90.0, 99.0)
    assert "row 0: " in refused(capsys, "impute", run, tmp_path / "h.csv", "--draws", 2)
