"""The rows of one part to a file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from likely.cli.output import write_or_print
from likely.cli.show import print_notice
from likely.files import write
from likely.run.split import rows_of_part

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["deliver_part", "numbered", "numbered_by"]


def deliver_part(run: Run, part: str, path: Path | None, *, overwrite: bool, json: bool) -> None:
    """Write the rows of a part as they were read, or print a table; an npz also holds the labels that came beside."""
    rows = rows_of_part(run, part)
    if path is None or path.suffix.lower() != ".npz" or rows.labels is None:
        write_or_print(
            run.schema, rows.values if rows.given is None else rows.given, path, overwrite=overwrite, json=json
        )
        return
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=np.asarray(rows.values), y=rows.labels)
    write(path, buffer.getvalue(), parents=True)
    print_notice(f"wrote {len(rows)} rows to {path}")


def numbered(values: pd.DataFrame, first: int = 0) -> pd.DataFrame:
    """Values of rows with the rows' numbers in their source, from one on, in a first column `row`."""
    frame = values.reset_index(drop=True)
    frame.insert(0, "row", np.arange(first, first + len(values)))
    return frame


def numbered_by(run: Run, data: Any, values: pd.DataFrame) -> pd.DataFrame:
    """The same; without data the rows are the test rows of the run."""
    return numbered(values) if data is not None else numbered(values).assign(row=run.division.test)
