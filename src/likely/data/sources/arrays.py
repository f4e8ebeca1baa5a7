"""Arrays and tensors, and what files of arrays have in common."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from likely.data.kinds import Form
from likely.data.source import Rows, Source
from likely.errors import DataError, InputError

__all__ = ["array_source", "checked", "header_of", "reading", "tensor_source"]


def checked(array: np.ndarray, what: str) -> np.ndarray:
    """An array of real numbers with a row axis, in the machine's own byte order; `(n,)` becomes `(n, 1)`.

    Parameters
    ----------
    array
        As it came; it is not changed.
    what
        What to call it in messages.

    Raises
    ------
    DataError
        If it has no row axis or no cells, or does not hold real numbers.

    """
    if array.dtype.kind == "O":
        raise DataError(
            f"{what} holds Python objects; expected numbers: make them so, array.astype(float), or give a frame of "
            "columns, pd.DataFrame(array)"
        )
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise DataError(f"{what} has dtype {array.dtype}; expected booleans, integers or floats up to 64 bits")
    if array.ndim == 0:
        raise DataError(f"{what} is a single number; expected an array (rows, ...)")
    if 0 in array.shape[1:]:
        raise DataError(f"{what} has shape {array.shape}, so its rows hold nothing; expected at least one cell a row")
    array = _unmasked(array, what)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return array.reshape(-1, 1) if array.ndim == 1 else array


def array_source(array: np.ndarray) -> Source:
    """A copy of an array in memory, as a source: what the caller does to it later changes nothing."""
    return Source(Form.ARRAY, {"all": Rows(checked(array, "the array").copy())})


def tensor_source(tensor: Any) -> Source:
    """A torch tensor, as a source; bfloat16 becomes float32, which holds it exactly."""
    try:
        plain = tensor.detach().cpu()
        array = (plain.float() if str(plain.dtype) == "torch.bfloat16" else plain).numpy()
    except (TypeError, RuntimeError) as error:
        kind = f"{tensor.layout} tensor of {tensor.dtype}"
        raise DataError(f"the {kind} cannot be made an array; expected a tensor of real numbers") from error
    return Source(Form.ARRAY, {"all": Rows(checked(array, "the tensor").copy())})


def header_of(file: Any) -> tuple[tuple[int, ...], int]:
    """The shape that the header of an npy file tells, and the bytes of such an array; the file stands behind it then.

    Raises
    ------
    ValueError
        If it is no such header.

    """
    version = npy.read_magic(file)
    shape, _, dtype = npy.read_array_header_1_0(file) if version == (1, 0) else npy.read_array_header_2_0(file)
    if min(shape, default=0) < 0:
        raise ValueError(f"a shape of {shape}")
    return shape, math.prod(shape) * dtype.itemsize


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Turn what numpy raises at a bad file into a `DataError` about `path`."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # a damaged file makes numpy, zipfile and zlib raise almost anything
        if "Object arrays" in str(error):
            raise DataError(
                f"{path} cannot be read as {kind}: holding objects, a pickle, which is never opened; where "
                "you trust it, save it as numbers: np.save(FILE, np.load(FILE, allow_pickle=True).astype(float))"
            ) from error
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise DataError(
            f"{path} cannot be read as {kind}: truncated, damaged or of another kind ({reason}); make it anew"
        ) from error


def _unmasked(array: np.ndarray, what: str) -> np.ndarray:
    if not isinstance(array, np.ma.MaskedArray):
        return np.asarray(array)
    if array.dtype.kind == "f":
        return array.filled(np.nan)
    if np.ma.is_masked(array):
        raise DataError(f"{what} has masked cells of dtype {array.dtype}; give floats, with NaN where nothing is known")
    return np.asarray(array)
