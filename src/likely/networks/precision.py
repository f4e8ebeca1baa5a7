"""Which numbers networks are multiplied in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from likely.errors import ConfigError

__all__ = ["Precision", "autocast", "native_bfloat16"]

Precision = Literal["float32", "bfloat16"]


def native_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 natively."""
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, name, bool)()) for name in checks)


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """The context in which networks run: matrix products in bfloat16 where asked for, else as they are.

    Raises
    ------
    ConfigError
        If the precision is neither `float32` nor `bfloat16`.

    """
    if precision == "float32":
        return nullcontext()
    if precision != "bfloat16":
        raise ConfigError(f"precision must be float32 or bfloat16 here, got {precision!r}")
    return torch.autocast(device.type, torch.bfloat16, cache_enabled=False)
