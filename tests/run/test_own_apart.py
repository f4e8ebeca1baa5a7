"""Parts of one's own: each run has its own, and takes none for another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import likely
import mine
from likely.assembly import Own

ON = (np.random.default_rng(0).random((80, 6, 5)) < np.linspace(0.1, 0.9, 30).reshape(6, 5)).astype(np.uint8)


def test_a_module_that_is_fitted_twice_is_copied_each_time_and_what_it_shares_stays_shared() -> None:
    module = mine.encoder()
    before = {name: weight.clone() for name, weight in module.state_dict().items()}
    first = likely.fit(ON, encoder=module, steps=3)
    scores = first.score(ON[:9], samples=3)
    likely.fit(ON, encoder=module, steps=3, seed=1, learning_rate=0.1)
    pd.testing.assert_frame_equal(first.score(ON[:9], samples=3), scores, check_exact=True)
    for name, weight in module.state_dict().items():
        assert torch.equal(weight, before[name])
    shared = nn.Linear(4, 4)
    own = Own(encoder=nn.Sequential(shared), decoder=nn.Sequential(shared)).copied()
    weights = [next(own.module(role).parameters()) for role in ("encoder", "decoder")]
    assert weights[0] is weights[1]
    assert weights[0] is not shared.weight


def test_several_members_need_networks_of_their_own_when_they_are_loaded_too(tmp_path: Path) -> None:
    likely.fit(ON, encoder=mine.encoder, members=2, steps=2, out=tmp_path / "run")
    module = mine.encoder()
    with pytest.raises(likely.ConfigError, match="2 members need a model each"):
        likely.load(tmp_path / "run", factories={"encoder": module})
    with pytest.raises(likely.RunError, match="members share weights"):
        likely.load(tmp_path / "run", factories={"encoder": lambda: module})
    with pytest.raises(likely.ConfigError, match="members share weights"):
        likely.fit(ON, encoder=lambda: module, members=2, steps=1)
    assert len(likely.load(tmp_path / "run", factories={"encoder": mine.encoder}).model.members) == 2


def test_a_function_of_another_name_is_refused_and_one_that_raises_is_told(tmp_path: Path) -> None:
    run = likely.fit(ON, encoder=mine.encoder, steps=1, out=tmp_path / "run")
    with pytest.raises(likely.ConfigError, match=r"fitted with encoder mine:encoder, and mine:decoder is given"):
        likely.load(tmp_path / "run", factories={"encoder": mine.decoder})
    with pytest.raises(likely.ConfigError, match=r"run has encoder mine:encoder of its own, .*; load it first"):
        likely.compare([run, tmp_path / "run"], ON)

    def needs(size: int) -> nn.Module:
        return nn.Linear(size, size)

    def fails() -> nn.Module:
        raise KeyError("lost")

    with pytest.raises(likely.ConfigError, match=r"encoder: .*needs, called without arguments, raised TypeError"):
        likely.fit(ON, encoder=needs, steps=1)
    with pytest.raises(likely.ConfigError, match=r"objective: .*fails, called without arguments, raised KeyError"):
        likely.fit(ON, objective=fails, steps=1)
    with pytest.raises(likely.RunError, match="called without arguments, raised KeyError"):
        likely.load(tmp_path / "run", factories={"encoder": fails})
