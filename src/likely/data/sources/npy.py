"""npy files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd

from likely.data.kinds import Form
from likely.data.source import Rows, Source
from likely.data.sources.arrays import checked, header_of, reading
from likely.data.sources.format import Format, Writer, begins
from likely.files import demand_room

__all__ = ["NPY", "read_npy"]

ENDINGS = (".npy",)


def read_npy(path: Path) -> Source:
    """The array of an npy file, as a source; its first axis is rows."""
    with reading(path, "npy"), path.open("rb") as file:
        shape, needed = header_of(file)
        held = path.stat().st_size - file.tell()
        if needed > held:
            raise ValueError(f"{held} bytes, expected {needed} for shape {shape}")
        demand_room(needed, str(path), "give fewer rows, or a smaller type, such as float32 or uint8")
        file.seek(0)
        array = np.lib.format.read_array(file, allow_pickle=False)
    return Source(Form.ARRAY, {"all": Rows(checked(array, str(path)))}, path)


def _written(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _written_frame(frame: pd.DataFrame, _: str) -> bytes:
    truths = {name: float for name in frame if frame[name].dtype == bool}  # beside numbers a truth is 0 or 1
    return _written(frame.astype(truths).to_numpy())


NPY = Format(
    "npy",
    lambda path, _: read_npy(path),
    ENDINGS,
    begins(b"\x93NUMPY"),
    writer=Writer(ENDINGS, frame=_written_frame, array=_written),
)
