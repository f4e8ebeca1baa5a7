"""Results to files: in the form that went in."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from likely.cli.show import tell
from likely.data import Schema
from likely.data.pictures import grid, pictures, stored
from likely.data.sources.format import Writer
from likely.data.sources.formats import writer_of, writers
from likely.errors import OutputError, visible
from likely.files import filled_folder, refuse_existing, refuse_unwritable, write

__all__ = ["codes", "deliver", "plain", "ready", "save_frame", "tell_given", "tell_range"]

MAX_IN_GRID = 100  # pictures drawn into one file: ten rows of ten


def ready(path: Path | None, *, overwrite: bool) -> None:
    """Refuse an output that cannot be written, before anything is computed.

    Raises
    ------
    OutputError
        If it exists and may not be replaced, or its type is not known.

    """
    if path is None:
        return
    refuse_existing(path, overwrite=overwrite)
    refuse_unwritable(path)
    if path.suffix:
        writer_of(path)


def codes(result: Any, path: Path | None) -> Any:
    """Codes of arrays as a frame, unless an array file is asked for."""
    if isinstance(result, pd.DataFrame) or (path is not None and path.suffix and writer_of(path).array is not None):
        return result
    return pd.DataFrame(result, columns=[f"z{i}" for i in range(result.shape[1])])


def deliver(
    schema: Schema,
    result: Any,
    path: Path | None,
    *,
    overwrite: bool,
    json: bool,
    columns: int | None = None,
    beside: Mapping[str, Any] | None = None,
) -> None:
    """Write a frame or an array where it was asked for, or print a frame; with columns all pictures, so many a line.

    Notices beside the rows are in the JSON.

    Raises
    ------
    OutputError
        If the output exists already, or cannot hold the result.

    """
    words = path is None or (path.suffix and writer_of(path).words)
    written = _with_tokens(schema, result) if words else result
    if path is not None:
        if isinstance(result, pd.DataFrame):
            save_frame(written, path, overwrite=overwrite)
        else:
            refuse_existing(path, overwrite=overwrite)
            _write_array(schema, np.asarray(result), path, columns)
            tell(f"wrote {len(result)} rows to {path}")
    if json:
        rows = {"rows": len(result), "output": str(path)} if path else {"rows": plain(result)}
        _print_json({**rows, **(beside or {})})
    elif path is None:
        if not isinstance(result, pd.DataFrame):
            raise OutputError(
                "arrays and pictures are not printed; add -o FILE.npy, -o FILE.png (a grid) or -o FOLDER/"
            )
        _print_table(written)


def _print_table(frame: pd.DataFrame) -> None:
    """To a file or a program as it is; on a terminal without what would move the cursor."""
    if sys.stdout.isatty():
        print(visible(frame.to_csv(index=False), kept="\n"), end="")
    else:
        frame.to_csv(sys.stdout, index=False)


def _with_tokens(schema: Schema, result: Any) -> Any:
    """In texts a missing cell is written as the training rows have it: ` ?`, `NA`."""
    if not isinstance(result, pd.DataFrame):
        return result
    tokens = {column.name: column.token for column in schema.columns if column.token is not None}
    holed = [name for name in result.columns if str(name) in tokens and result[name].isna().any()]
    return result.assign(
        **{name: result[name].astype(object).where(result[name].notna(), tokens[str(name)]) for name in holed}
    )


def save_frame(frame: pd.DataFrame, path: Path, *, overwrite: bool) -> None:
    """Write a frame in the form that the file's name asks for, and say so.

    Raises
    ------
    OutputError
        If the output exists already, or cannot hold the result.

    """
    refuse_existing(path, overwrite=overwrite)
    names = [str(name) for name in frame.columns]
    write(path, _frame_bytes(frame.set_axis(names, axis=1), path), parents=True)
    tell(f"wrote {len(frame)} rows to {path}")


def tell_given(drawn: Any) -> None:
    """Say how probable the condition was that rows were drawn under, and how they were found."""
    facts = getattr(drawn, "attrs", {}).get("given")
    if not facts:
        return
    how = "exact, by rejection"
    if facts["effective_draws"] is not None:
        how = f"by weights of {facts['effective_draws']:.0f} effective draws of z"
    tell(f"P(condition) = {facts['probability']:.4g} +- {facts['se']:.1g} under the model; {how}")


def tell_range(drawn: Any) -> None:
    """Say how many rows lay outside the range of the training rows and were drawn again."""
    facts = getattr(drawn, "attrs", {}).get("range")
    if facts and facts["outside"]:
        share = f"{100 * facts['outside']:.3g}% of {facts['rows']:,} rows drawn"
        tell(f"{share} lay outside the range of the training rows and were drawn again; --beyond-range keeps such rows")


def plain(result: Any) -> Any:
    """A frame as a list of records, an array as nested lists."""
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
        write(path, writer.picture(grid(pictures(schema, shown), columns=columns), ending), parents=True)
    elif writer.frame is not None and array.ndim == 2:
        frame = pd.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])])
        write(path, writer.frame(frame, ending), parents=True)
    else:
        arrays = ", ".join(name for name, one in writers().items() if one.array is not None)
        raise OutputError(
            f"{path}: rows of shape {array.shape[1:]} go to {arrays}, .png (a grid) or a folder of pictures"
        )


def _write_folder(schema: Schema, array: np.ndarray, path: Path) -> None:
    """All pictures or none; a folder that holds anything but pictures which likely wrote is not replaced."""
    from PIL import Image

    from likely.data.sources.picture import is_ours, picture_bytes

    if path.is_file():
        raise OutputError(f"{path} is a file, so it is not overwritten; choose another name")
    for entry in path.iterdir() if path.exists() else ():
        if not re.fullmatch(r"\d{5,}\.png", entry.name) or not is_ours(entry):
            raise OutputError(
                f"{path} holds {entry.name!r}, which is no picture that likely drew, so it is not overwritten; choose "
                "another name"
            )
    with filled_folder(path) as half:
        for i, picture in enumerate(stored(schema, array)):
            write(half / f"{i:05d}.png", picture_bytes(Image.fromarray(picture), ".png"))
