"""Results to files, in the form of the data: a table stays a table, pictures stay pictures."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from likely import world
from likely.cli.show import print_notice
from likely.data import Schema
from likely.data.pictures import grid, pictures_in_file_units, pictures_in_unit_range
from likely.data.sources.format import Writer
from likely.data.sources.formats import writer_of, writers
from likely.errors import OutputError, visible
from likely.files import filled_folder, refuse_existing, refuse_unwritable, write

__all__ = [
    "Ranges",
    "codes_frame",
    "demand_writable_output",
    "goes_to_array",
    "json_value",
    "print_condition_probability",
    "print_range_notice",
    "save_frame",
    "with_missing_texts",
    "write_or_print",
]

MAX_IN_GRID = 100  # pictures drawn into one file: ten rows of ten


def demand_writable_output(path: Path | None, *, overwrite: bool) -> None:
    """Check, before anything is computed, that an output can be written.

    Raises
    ------
    OutputError
        If it exists and may not be replaced, or its type is not known.

    """
    if path is None or not world.first():
        return
    refuse_existing(path, overwrite=overwrite)
    refuse_unwritable(path)
    if path.suffix:
        writer_of(path)


def goes_to_array(path: Path | None) -> bool:
    """Whether a file of that name holds an array."""
    return path is not None and bool(path.suffix) and writer_of(path).array is not None


def codes_frame(result: Any, path: Path | None) -> Any:
    """z as a frame with columns z0, z1, ...; unchanged if it is a frame, or goes to a file of an array."""
    if isinstance(result, pd.DataFrame) or goes_to_array(path):
        return result
    return pd.DataFrame(result, columns=[f"z{i}" for i in range(result.shape[1])])


def write_or_print(
    schema: Schema,
    result: Any,
    path: Path | None,
    *,
    overwrite: bool,
    json: bool,
    columns: int | None = None,
    beside: Mapping[str, Any] | None = None,
) -> None:
    """Write a result to a file, or print it if it is a frame and no file is given.

    Of several processes the first one does.

    Pictures go into one grid: of `columns` pictures a line where that is given, else of the first 100. `beside` is
    added to the JSON.

    Raises
    ------
    OutputError
        If the output exists already, or cannot hold the result.

    """
    if not world.first():
        return
    is_text = path is None or (path.suffix and writer_of(path).is_text)
    table = with_missing_texts(schema, result) if is_text else result
    if path is not None:
        if isinstance(result, pd.DataFrame):
            save_frame(table, path, overwrite=overwrite)
        else:
            refuse_existing(path, overwrite=overwrite)
            _write_array(schema, np.asarray(result), path, columns)
            print_notice(f"wrote {len(result)} rows to {path}")
    if json:
        rows = {"rows": len(result), "output": str(path)} if path else {"rows": json_value(result)}
        _print_json({**rows, **(beside or {})})
    elif path is None:
        if not isinstance(result, pd.DataFrame):
            raise OutputError(
                "arrays and pictures are not printed; add -o FILE.npy, -o FILE.png (a grid) or -o FOLDER/"
            )
        _print_table(table)


def _print_table(frame: pd.DataFrame) -> None:
    """Print a table as csv; on a terminal without control characters, which would move the cursor."""
    if sys.stdout.isatty():
        print(visible(frame.to_csv(index=False), kept="\n"), end="")
    else:
        frame.to_csv(sys.stdout, index=False)


def with_missing_texts(schema: Schema, result: Any) -> Any:
    """The result with missing cells as the texts that training rows have for them: ` ?`, `NA`."""
    if not isinstance(result, pd.DataFrame):
        return result
    tokens = {column.name: column.token for column in schema.columns if column.token is not None}
    with_missing = [name for name in result.columns if str(name) in tokens and result[name].isna().any()]
    return result.assign(
        **{name: result[name].astype(object).where(result[name].notna(), tokens[str(name)]) for name in with_missing}
    )


def save_frame(frame: pd.DataFrame, path: Path, *, overwrite: bool) -> None:
    """Write a frame in the format of the file's ending, and print a notice.

    Raises
    ------
    OutputError
        If the output exists already, or cannot hold the result.

    """
    if not world.first():
        return
    refuse_existing(path, overwrite=overwrite)
    names = [str(name) for name in frame.columns]
    write(path, _frame_bytes(frame.set_axis(names, axis=1), path), parents=True)
    print_notice(f"wrote {len(frame)} rows to {path}")


def print_condition_probability(drawn: Any) -> None:
    """Print the probability of the condition that rows were drawn under, and the method by which they were drawn."""
    facts = getattr(drawn, "attrs", {}).get("given")
    if not facts:
        return
    how = "exact, by rejection"
    if facts["effective_draws"] is not None:
        how = f"by weights of {facts['effective_draws']:.0f} effective draws of z"
    print_notice(f"P(condition) = {facts['probability']:.4g} +- {facts['se']:.1g} under the model; {how}")


def print_range_notice(drawn: Any) -> None:
    """Print how many rows lay outside the range of the training rows and were drawn again."""
    ranges = Ranges()
    ranges.add(drawn)
    ranges.say()


class Ranges:
    """How many rows were drawn, and how many of them lay outside the range of the training rows, part by part."""

    def __init__(self) -> None:
        self._rows, self._outside = 0, 0.0

    def add(self, drawn: Any) -> None:
        """Count the rows that were drawn for a part."""
        facts = getattr(drawn, "attrs", {}).get("range")
        if facts:
            self._rows += facts["rows"]
            self._outside += facts["outside"] * facts["rows"]

    def say(self) -> None:
        """Print how many were drawn again."""
        _print_range(self._rows, self._outside / max(1, self._rows))


def _print_range(rows: int, outside: float) -> None:
    if outside:
        share = f"{100 * outside:.3g}% of {rows:,} rows drawn"
        print_notice(
            f"{share} lay outside the range of the training rows and were drawn again; --beyond-range keeps such rows"
        )


def json_value(result: Any) -> Any:
    """A result for JSON: a frame as a list of records, an array as nested lists."""
    if isinstance(result, pd.DataFrame):
        return json.loads(result.to_json(orient="records", double_precision=15))
    return np.asarray(result).tolist()


def _print_json(document: Any) -> None:
    print(json.dumps(document, allow_nan=False, default=str))


def _frame_bytes(frame: pd.DataFrame, path: Path) -> bytes:
    ending = path.suffix.lower()
    writer = writers().get(ending)
    if writer is None or writer.frame is None:
        known = ", ".join(name for name, one in writers().items() if one.frame is not None)
        raise OutputError(f"{path}: a table goes to {known}, not {path.suffix or 'a folder'}")
    return writer.frame(frame, ending)


def _write_array(schema: Schema, array: np.ndarray, path: Path, columns: int | None) -> None:
    ending = path.suffix.lower()
    writer = writers().get(ending, Writer(()))
    if not ending:
        _write_folder(schema, array, path.absolute())
    elif writer.array is not None:
        write(path, writer.array(array), parents=True)
    elif writer.picture is not None:
        shown = array if columns else array[:MAX_IN_GRID]
        write(path, writer.picture(grid(pictures_in_unit_range(schema, shown), columns=columns), ending), parents=True)
    elif writer.frame is not None and array.ndim == 2:
        frame = pd.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])])
        write(path, writer.frame(frame, ending), parents=True)
    else:
        arrays = ", ".join(name for name, one in writers().items() if one.array is not None)
        raise OutputError(
            f"{path}: rows of shape {array.shape[1:]} go to {arrays}, .png (a grid) or a folder of pictures"
        )


def _write_folder(schema: Schema, array: np.ndarray, path: Path) -> None:
    """Write all pictures or none; a folder is replaced only if it holds nothing but pictures that likely wrote."""
    from PIL import Image

    from likely.data.sources.picture import picture_bytes, was_written_by_likely

    if path.is_file():
        raise OutputError(f"{path} is a file, so it is not overwritten; choose another name")
    for entry in path.iterdir() if path.exists() else ():
        if not re.fullmatch(r"\d{5,}\.png", entry.name) or not was_written_by_likely(entry):
            raise OutputError(
                f"{path} holds {entry.name!r}, which is no picture that likely drew, so it is not overwritten; choose "
                "another name"
            )
    with filled_folder(path) as folder:
        for i, picture in enumerate(pictures_in_file_units(schema, array)):
            write(folder / f"{i:05d}.png", picture_bytes(Image.fromarray(picture), ".png"))
