"""Parts of one's own on the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from likely.cli import main

MODULE = """
from torch import nn

def encoder():
    return nn.Sequential(nn.Flatten(), nn.Linear(30, 4))

def other():
    return nn.Sequential(nn.Flatten(), nn.Tanh(), nn.Linear(30, 4))

def sized(size):
    return nn.Linear(size, 4)
"""


def test_a_factory_is_named_before_the_command_and_looked_for_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    places = [place for place in sys.path if place]
    monkeypatch.setattr(sys, "path", list(places))
    (tmp_path / "my_networks_of_a_test.py").write_text(MODULE)
    np.save("x.npy", np.random.default_rng(0).integers(0, 2, (60, 6, 5)).astype(np.uint8))
    told = ["--factory", "encoder=my_networks_of_a_test:encoder"]
    assert main([*told, "fit", "x.npy", "-o", "run", "--set", "steps=2"]) == 0
    assert "network my_networks_of_a_test:encoder and mlp" in capsys.readouterr().out
    assert sys.path == places
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
    assert main(["--factory", "encoder=my_networks_of_a_test:other", "compare", "run", "other", "--data", "x.npy"]) == 2
    assert "encoder my_networks_of_a_test:encoder, and my_networks_of_a_test:other is" in capsys.readouterr().err
    Path("wrong_networks_of_a_test.py").write_text("def encoder(:\n")
    Path("raising_networks_of_a_test.py").write_text("1 / 0\n")
    for name in ("wrong_networks_of_a_test:encoder", "raising_networks_of_a_test:encoder"):
        assert main(["--factory", f"encoder={name}", "score", "run", "x.npy"]) == 2
        assert "Error: " in capsys.readouterr().err
    wants = ["--factory", "encoder=my_networks_of_a_test:sized"]
    assert main([*wants, "score", "run", "x.npy"]) == 2
    assert main([*wants, "fit", "x.npy", "-o", "third"]) == 2
    assert "called without arguments, raised TypeError" in capsys.readouterr().err
    config = Path("run/config.json")
    config.write_text(json.dumps(json.loads(config.read_text()) | {"factories": 5}))
    assert main([*told, "score", "run", "x.npy"]) == 2
    assert "config.json is damaged" in capsys.readouterr().err
