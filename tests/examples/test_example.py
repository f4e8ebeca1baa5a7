"""The example is run as it stands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import likely

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_model.py"


def test_a_model_of_ones_own_in_sixty_lines(tmp_path: Path) -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 60
    path = {**os.environ, "PYTHONPATH": str(Path(likely.__file__).parents[1])}
    words = [sys.executable, "-W", "error", str(EXAMPLE), str(tmp_path)]
    found = subprocess.run(words, check=False, capture_output=True, text=True, env=path)
    assert found.returncode == 0, found.stderr
    assert "step 60: ELBO" in found.stdout
    assert "own_model:encoder and own_model:decoder" in found.stdout
    assert "Cheaper, no bound on log P(x)" in found.stdout
    assert "step 90: ELBO" in found.stdout
    assert (tmp_path / "run" / "report.html").exists()
