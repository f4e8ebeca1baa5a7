"""Parts of one's own on the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from likely.cli import main

MODULE = """
from torch import nn

def encoder():
    return nn.Sequential(nn.Flatten(), nn.Linear(30, 4))
"""


def test_a_factory_is_named_before_the_command_and_looked_for_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_networks_of_a_test.py").write_text(MODULE)
    np.save("x.npy", np.random.default_rng(0).integers(0, 2, (60, 6, 5)).astype(np.uint8))
    told = ["--factory", "encoder=my_networks_of_a_test:encoder"]
    assert main([*told, "fit", "x.npy", "-o", "run", "--set", "steps=2"]) == 0
    assert "network my_networks_of_a_test:encoder and mlp" in capsys.readouterr().out
    assert main(["score", "run", "x.npy", "--samples", "2"]) == 2
    assert "encoder my_networks_of_a_test:encoder of its own" in capsys.readouterr().err
    assert main([*told, "score", "run", "x.npy", "--samples", "2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 61
    assert main([*told, "fit", "--continue", "run", "--set", "steps=1"]) == 0
    assert "continued from step 2" in capsys.readouterr().out
    assert main([*told, "fit", "x.npy", "--init", "run", "-o", "other", "--set", "steps=1"]) == 0
    assert "network my_networks_of_a_test:encoder and mlp" in capsys.readouterr().out
    assert main(["--factory", "encoder=no_such:thing", "score", "run", "x.npy"]) == 2
    assert "no MODULE:CALLABLE that can be imported" in capsys.readouterr().err
