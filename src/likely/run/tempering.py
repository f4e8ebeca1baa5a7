"""Codes that keep nearer to the middle of P(z), or farther from it."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from torch import Tensor

from likely.distributions import LatentDistribution
from likely.errors import ConfigError

__all__ = ["TEMPERATURE", "demand_temperature", "statement", "tell_temperature", "tempered"]

TEMPERATURE = "temperature"


def demand_temperature(p: LatentDistribution, temperature: float, events: bool) -> None:
    """Refuse a temperature that means nothing.

    Raises
    ------
    ConfigError
        If it is no number from 0 on; z is a unit vector or a code; or events are asked of modelled columns.

    """
    if not 0 <= temperature < math.inf:
        raise ConfigError(f"temperature must be a number from 0 on, got {temperature}")
    if temperature == 1:
        return
    if not p.convex:
        raise ConfigError(
            f"temperature {temperature:g} scales how far z lies from the middle of P(z), and here z is a unit vector, "
            "a code or one of a list of points, and is not scaled: leave it out"
        )
    if events:
        raise ConfigError(
            "conditions on modelled columns are those of P(x), and a temperature draws from another distribution: "
            "leave one out"
        )


def tempered(p: LatentDistribution, n: int, temperature: float) -> Tensor:
    """Codes `(n, latent)`: of P(z) at temperature 1, else of noise whose spread is multiplied by it.

    What chooses a component of a mixture or a member of an ensemble is left as it is.
    """
    if temperature == 1:
        return p.sample(torch.Size((n,)))
    noise = torch.randn(n, p.noise_size, dtype=p.like.dtype, device=p.like.device)
    return p.from_noise(torch.where(torch.tensor(p.noise_moves, device=noise.device), temperature * noise, noise))


def statement(temperature: float) -> dict[str, Any]:
    """What rows at a temperature are: `temperature` and its `meaning`; empty where they are draws of P(x)."""
    if temperature == 1:
        return {}
    meaning = (
        f"temperature {temperature:g}: these rows are no draws of P(x), but of P(x|z) at z from another distribution"
    )
    return {TEMPERATURE: temperature, "meaning": meaning}


def tell_temperature(result: Any, temperature: float) -> None:
    """Say that rows are no draws of P(x): in a warning, and a frame in its attributes."""
    facts = statement(temperature)
    if not facts:
        return
    if hasattr(result, "attrs"):
        result.attrs[TEMPERATURE] = facts
    warnings.warn(facts["meaning"], stacklevel=4)
