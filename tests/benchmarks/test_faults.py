"""Fits that are killed and resumed lose nothing: a few of the kills that `benchmarks/faults.py` counts by hundreds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import faults


def test_kills_lose_nothing(tmp_path: Path) -> None:
    results = tmp_path / "found.json"
    words = [sys.executable, str(Path(faults.__file__)), "kills", "--count", "2", "--kinds", "conv,ensemble"]
    told = os.environ | {"OMP_NUM_THREADS": "1"}
    words += ["--seed", "3", "--results", str(results)]
    done = subprocess.run(words, env=told, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    kinds = json.loads(results.read_text())["kinds"]
    assert list(kinds) == ["conv", "ensemble"]
    for kind in kinds.values():
        assert (kind["kills"], kind["within_a_checkpoint"], kind["lost"]) == (2, 1, [])
