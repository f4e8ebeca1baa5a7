"""Options by name: those of earlier versions are read, and stored under the names of today."""

from __future__ import annotations

import pytest

from likely.config import Config


@pytest.mark.parametrize("key", ["average", "training.average", "ema_decay", "training.ema_decay"])
def test_an_option_may_be_set_by_its_earlier_name(key: str) -> None:
    assert Config().replace({key: "0.9"}).training.ema_decay == 0.9


def test_a_configuration_that_an_earlier_version_stored_is_read() -> None:
    stored = Config().to_dict()
    stored["training"]["average"] = 0.5
    del stored["training"]["ema_decay"]
    config = Config.from_dict(stored)
    assert config.training.ema_decay == 0.5
    assert "average" not in config.to_dict()["training"]
