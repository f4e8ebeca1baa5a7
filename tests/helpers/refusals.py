"""What the tests of bad input share."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from likely.cli import main

STEPS = ["--set", "steps=20"]
Capture = pytest.CaptureFixture[str]


def table(rows: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"a": rng.normal(size=rows), "n": rng.integers(0, 5, rows), "s": rng.choice(["x", "y"], rows)})


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def pictures(rows: int = 12) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (rows, 4, 4), dtype=np.uint8)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def refused(capsys: Capture, *words: object) -> str:
    """Run a command that must fail as the user's input does; its one line."""
    capsys.readouterr()
    code = main([str(word) for word in words])
    out, err = capsys.readouterr()
    assert code == 2, err
    assert out == ""
    assert err.startswith("likely: ")
    assert err.count("\n") == 1, err
    assert err.endswith("\n")
    assert "Traceback" not in err
    assert "our fault" not in err
    return err
