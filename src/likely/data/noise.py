"""Randomness that is a function of the row: noise keyed by (seed, the row's content), never by position or batch."""

from __future__ import annotations

import math
from enum import IntEnum

import torch
from torch import Tensor

__all__ = ["Stream", "normal", "row_keys", "uniform"]

# Constants of SplitMix64 as signed integers: 2^64 over the golden ratio, and two multipliers.
_GOLDEN = -7046029254386353131
_MIX1 = -4658895280553007687
_MIX2 = -7723592293110705685


class Stream(IntEnum):
    """What random numbers of a row are for: two streams are independent. A number that changes changes results."""

    BINARIZE = 1
    VALIDATE = 2
    POSTERIOR = 3
    PRIOR = 4
    ANNEAL_START = 10
    ANNEAL_MOMENTUM = 11
    ANNEAL_MOMENTUM_REVERSE = 12
    ANNEAL_ACCEPT = 13
    ANNEAL_ACCEPT_REVERSE = 14
    ANNEAL_JITTER = 15
    ANNEAL_JITTER_REVERSE = 16
    CALIBRATE_POSTERIOR = 20
    CALIBRATE_CHOICE = 21
    CALIBRATE_WITHIN = 22
    AGGREGATE = 23
    ACTIVITY = 24
    OPTIMISE = 40
    OPTIMISE_SELECT = 41
    CANDIDATE = 50
    PROPOSE_POSTERIOR = 51
    PROPOSE_PRIOR = 52
    PROPOSE_OPTIMISED = 53
    RIVAL = 60


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical right shift of 64-bit integers (torch's is arithmetic)."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(x: Tensor) -> Tensor:
    """SplitMix64's finaliser (Steele, Lea, Flood 2014; constants by Stafford): a bijection of 64-bit integers."""
    x = (x ^ _shift(x, 30)) * _MIX1
    x = (x ^ _shift(x, 27)) * _MIX2
    return x ^ _shift(x, 31)


def row_keys(values: Tensor, seed: int) -> Tensor:
    """One 64-bit key per row, from the seed and the row's values as float64; equal rows have equal keys.

    Parameters
    ----------
    values
        `(rows, *event)`, any dtype.
    seed
        Any integer.

    Returns
    -------
    Tensor
        `(rows,)` int64.

    """
    bits = (values.flatten(1).to(torch.float64) + 0.0).contiguous().view(torch.int64)
    places = torch.arange(1, bits.shape[1] + 1, dtype=torch.int64, device=bits.device) * _GOLDEN
    start = (seed * 2654435761 + 2**63) % 2**64 - 2**63
    return _mix(_mix(bits ^ _mix(places)).sum(1) + _mix(torch.tensor(start, device=bits.device)))


def _bits(keys: Tensor, stream: Stream, first: int, samples: int, size: int) -> Tensor:
    counter = torch.arange(first * size, (first + samples) * size, dtype=torch.int64, device=keys.device)
    spread = _mix((counter + (int(stream) << 48)) * _GOLDEN).view(samples, 1, size)
    return _mix(keys.view(1, -1, 1) + spread)


def uniform(keys: Tensor, stream: Stream, first: int, samples: int, size: int) -> Tensor:
    """Uniform draws on (0, 1): entry `(k, row, i)` depends on the row's key, the stream, `first + k` and `i` alone.

    Returns
    -------
    Tensor
        `(samples, rows, size)` float32.

    """
    bits = _bits(keys, stream, first, samples, size)
    return (_shift(bits, 41).to(torch.float32) + 0.5) * 2.0**-23


def normal(keys: Tensor, stream: Stream, first: int, samples: int, size: int) -> Tensor:
    """Standard normal draws, keyed like `uniform`, by Box and Muller's transform (1958).

    Returns
    -------
    Tensor
        `(samples, rows, size)` float32.

    """
    bits = _bits(keys, stream, first, samples, size)
    radius = (_shift(bits, 32).to(torch.float32) + 0.5) * 2.0**-32
    angle = (bits & 0xFFFFFFFF).to(torch.float32) * (2.0**-32 * 2 * math.pi)
    return torch.sqrt(-2.0 * torch.log(radius)) * torch.cos(angle)
