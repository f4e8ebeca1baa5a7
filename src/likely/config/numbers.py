"""What numbers of options may be."""

from __future__ import annotations

import operator
from typing import Any

from likely.errors import ConfigError

__all__ = ["demand_whole"]

MAX_COUNT = 10**9  # of samples, draws, rows to take: more is a slip of the hand


def demand_whole(name: str, value: Any, least: int = 1, most: int = MAX_COUNT) -> int:
    """The value, which is a whole number from `least` to `most`.

    Raises
    ------
    ConfigError
        If it is not.

    """
    try:
        number = operator.index(value)
    except TypeError as error:
        raise ConfigError(f"{name} must be a whole number, got {str(value)[:60]}") from error
    if number < least:
        raise ConfigError(f"{name} must be at least {least}, got {_short(number)}")
    if number > most:
        raise ConfigError(f"{name} must be at most {most:,}, got {_short(number)}")
    return number


def _short(number: int) -> str:
    return str(number) if abs(number) < 10**18 else f"a number of {number.bit_length()} bits"
