"""Keywords of a fit and the dataclasses that they become."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch

import likely
from likely.config import Config, ModelConfig, TrainingConfig
from likely.data import Binarize, Channels
from likely.errors import ConfigError
from likely.run.options import ConfigKeywords, DataKeywords, DataOptions, FitKeywords


def test_the_keywords_are_those_of_the_dataclasses() -> None:
    words, stored = get_type_hints(DataKeywords), get_type_hints(DataOptions)
    for name, values in (("binarize", Binarize), ("channels", Channels)):
        assert stored.pop(name) == values | None
        assert set(get_args(get_args(words.pop(name))[0])) == set(values)
    assert words == stored
    named = {item.name for group in (ModelConfig, TrainingConfig) for item in fields(group)} | {"seed", "device"}
    assert set(get_type_hints(ConfigKeywords)) == named - {"objective"}
    hints = {**get_type_hints(ModelConfig), **get_type_hints(TrainingConfig), **get_type_hints(Config)}
    for name, hint in get_type_hints(ConfigKeywords).items():
        assert hint in (hints[name], hints[name] | None), name
    assert get_type_hints(FitKeywords) == get_type_hints(DataKeywords) | get_type_hints(ConfigKeywords)


def test_a_misspelt_keyword_is_told_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'latent'"):
        likely.fit(np.zeros((20, 2)), latnt=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="colum"):
        likely.inspect(np.zeros((20, 2)), colum={})  # type: ignore[call-arg]


def test_parts_given_for_names_are_told_where_they_go() -> None:
    cures = {"network": "encoder= and decoder=", "prior": "model=likely", "likelihood": "model=likely"}
    for name, cure in cures.items():
        with pytest.raises(ConfigError, match=rf"{name} takes a name .*; one of your own goes in as {cure}"):
            likely.fit(np.zeros((20, 2)), **{name: torch.nn.Linear(2, 2)})  # type: ignore[arg-type]
