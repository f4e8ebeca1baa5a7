"""The example is run as it stands."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from quick import quick_reports

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_model.py"


def test_a_model_of_ones_own_in_sixty_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 60
    quick_reports(monkeypatch)
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), str(tmp_path)])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    said = capfd.readouterr().out
    assert "step 60: ELBO" in said
    assert "own_model:encoder and own_model:decoder" in said
    assert "Cheaper, no bound on log P(x)" in said
    assert "step 90: ELBO" in said
    assert (tmp_path / "run" / "report.html").exists()
