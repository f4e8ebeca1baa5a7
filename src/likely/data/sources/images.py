"""Folders of pictures: flat, by class, by split."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from likely.data.kinds import Form
from likely.data.source import LABEL, Rows, Source
from likely.data.sources.beside import TABLES, labels_beside
from likely.data.sources.colours import WHITE
from likely.data.sources.format import Format, Holds, Options, Writer
from likely.errors import DataError
from likely.files import demand_room

if TYPE_CHECKING:
    from likely.data.sources.picture import Picture

__all__ = ["PICTURE", "SUFFIXES", "read_folder"]

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
CHANNELS, COPIES = 3, 2  # at most; as they are read, and as the rows that they become
MAX_THREADS = 4  # that read pictures: decoding releases the interpreter


def read_folder(
    path: Path,
    resize: tuple[int, int] | None,
    progress: Callable[[int, int], None] | None,
    background: tuple[int, int, int] | None = None,
) -> Source | None:
    """Every picture below the folder, in sorted order; `None` where there is none.

    A first folder level named train, val or test is a split; the level below it (or the first) is the label. Folders
    that do nothing but hold all that is below them are no level. A table beside pictures that names them gives more
    labels (`beside.labels_beside`). Mixed grey and colour becomes colour; grey of 16 bits stays in its units;
    transparent pictures are laid on the background; EXIF rotation is applied.

    Parameters
    ----------
    path
        The folder.
    resize
        (height, width) to scale every picture to.
    progress
        Called with (files read, files).
    background
        (red, green, blue) to lay transparent pictures on, white unless given.

    Raises
    ------
    DataError
        If a picture cannot be read, sizes differ and no `resize` was given, or some have 16 bits and others 8.

    """
    from likely.data.sources.picture import read_picture

    entries = sorted(_walk(path), key=lambda file: file.relative_to(path).parts)
    files = [file for file in entries if file.suffix.lower() in SUFFIXES]
    if not files:
        return None
    base = _base(path, files)
    _check_places(base, files)
    labelled: list[str] = []
    tables = [entry for entry in entries if entry.suffix.lower() in TABLES]
    beside, used = labels_beside(tables, files, labelled)
    others = len(entries) - len(files) - len(used)
    notices = [f"{others} files that are not pictures were left out"] if others else []
    read = _read_all(files, partial(read_picture, resize=resize, background=background or WHITE), progress)
    colour = any(picture.array.ndim == 3 for picture in read)
    splits: dict[str, Rows] = {}
    placed = [_place(base, picture.path) for picture in read]
    for split in dict.fromkeys(split for split, _ in placed):
        chosen = [i for i, (own, _) in enumerate(placed) if own == split]
        rows = _rows([read[i] for i in chosen], [placed[i][1] for i in chosen], colour)
        splits[split] = rows if beside is None else _with_labels(rows, beside.iloc[chosen])
    return Source(Form.IMAGES, splits, path, (*notices, *labelled, *_notices(read, placed, background)))


def _base(root: Path, files: list[Path]) -> Path:
    """The folder that the levels are counted from: the deepest that holds all pictures.

    Not below the folder of a split; pictures that all lie in one folder have its name as their label.
    """
    shared = Path(os.path.commonpath([file.parent for file in files]))
    common = list(shared.relative_to(root).parts)
    if all(file.parent == shared for file in files):
        common = common[:-1]
    split = next((place for place, name in enumerate(common) if name.lower() in SPLITS), None)
    return root.joinpath(*common[:split])


def _walk(root: Path) -> Iterator[Path]:
    """Files below a folder, without hidden ones; links to folders are followed, each folder once."""

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename} cannot be read ({error.strerror}); change its permissions") from error

    seen: set[str] = set()
    for folder, below, files in os.walk(root, onerror=refuse, followlinks=True):
        real = os.path.realpath(folder)
        kept = (name for name in below if not name.startswith(".") and name != "__MACOSX")
        below[:] = [] if real in seen else sorted(kept)
        if real not in seen:
            shown = (Path(folder, name) for name in files if not name.startswith("."))
            yield from (file for file in shown if file.is_file())  # a pipe would be waited for
        seen.add(real)


def _read_all(
    files: list[Path], reader: Callable[[Path], Picture], progress: Callable[[int, int], None] | None
) -> list[Picture]:
    read: list[Picture] = []
    pool = ThreadPoolExecutor(MAX_THREADS)
    try:
        for picture in pool.map(reader, files):
            if not read:
                height, width = picture.array.shape[:2]
                needed = COPIES * len(files) * height * width * CHANNELS * picture.array.itemsize
                demand_room(needed, f"{len(files):,} pictures", "scale them down with --resize HxW")
            read.append(picture)
            _check_alike(read[0], picture)
            if progress:
                progress(len(read), len(files))
    finally:
        pool.shutdown(cancel_futures=True)
    return read


def _check_alike(first: Picture, other: Picture) -> None:
    bits = [8 * picture.array.itemsize for picture in (first, other)]
    if bits[0] != bits[1]:
        raise DataError(
            f"pictures differ in depth: {first.path} has {bits[0]} bits, {other.path} has {bits[1]}, so that their "
            "numbers do not compare; convert them to one depth"
        )
    (h1, w1), (h2, w2) = first.array.shape[:2], other.array.shape[:2]
    if (h1, w1) != (h2, w2):
        raise DataError(
            f"pictures differ in size: {first.path} is {h1}x{w1}, {other.path} is {h2}x{w2} (height x width); "
            f"scale them with --resize {h1}x{w1}"
        )


def _place(root: Path, file: Path) -> tuple[str, str]:
    """The split that a file belongs to (or `all`) and its label (or an empty string)."""
    folders = file.relative_to(root).parts[:-1]
    split = SPLITS.get(folders[0].lower()) if folders else None
    below = folders[1:] if split else folders
    return split or "all", below[0] if below else ""


def _check_places(root: Path, files: list[Path]) -> None:
    splits = {_place(root, file)[0]: file for file in files}
    if "all" in splits and len(splits) > 1:
        named = ", ".join(sorted(split for split in splits if split != "all"))
        raise DataError(
            f"{root} holds pictures both inside and outside its {named} folders, such as {splits['all']}; "
            "move those into a split, or rename the split folders"
        )


def _rows(read: list[Picture], labels: list[str], colour: bool) -> Rows:
    values = np.empty((len(read), *read[0].array.shape[:2], *((3,) if colour else ())), read[0].array.dtype)
    for i, picture in enumerate(read):
        values[i] = picture.array[:, :, None] if colour and picture.array.ndim == 2 else picture.array
    return Rows(values, np.array(labels) if any(labels) else None)


def _with_labels(rows: Rows, beside: pd.DataFrame) -> Rows:
    """The labels of tables beside those of folders; a column named `label` stands for the folders' names."""
    beside = beside.reset_index(drop=True)
    labels = rows.labels
    if LABEL in beside:
        labels = beside[LABEL].to_numpy()
    elif labels is not None and len(set(labels)) == 1:
        labels = None
    beside = beside.drop(columns=LABEL, errors="ignore")
    return replace(rows, labels=labels, beside=beside if beside.shape[1] else None)


def _notices(read: list[Picture], placed: list[tuple[str, str]], background: tuple[int, int, int] | None) -> list[str]:
    grey = sum(picture.array.ndim == 2 for picture in read)
    laid = "white" if background is None else "{},{},{}".format(*background)
    unlabelled = sum(not label for _, label in placed)
    counts = {
        "grey picture(s) among colour ones were made colour": grey if grey < len(read) else 0,
        f"transparent picture(s) were laid on {laid}; --background R,G,B (or a name) takes another colour": sum(
            picture.transparent for picture in read
        ),
        "picture(s) of more than 8 bits were scaled to 8": sum(picture.scaled for picture in read),
        "animated or paged picture(s) gave their first frame only": sum(picture.animated for picture in read),
        "picture(s) lie in no class folder and have an empty label": unlabelled if unlabelled < len(read) else 0,
    }
    notices = [f"{count} {what}" for what, count in counts.items() if count]
    if grey < len(read) and all(picture.grey for picture in read):
        notices.append(
            "every picture is grey, stored in three equal channels, which are modelled as three; convert the files to "
            "grey (mode L) to model one"
        )
    return notices


def _is_picture(path: Path, _: bytes) -> bool:
    from likely.data.sources.picture import is_picture

    return is_picture(path)


def _bytes(image: Any, ending: str) -> bytes:
    from likely.data.sources.picture import picture_bytes

    return picture_bytes(image, ending)


def _refuse(path: Path, _: Options) -> Source:
    raise DataError(f"{path} is one picture, that is one row; give a folder of pictures")


PICTURE = Format(
    "picture",
    _refuse,
    SUFFIXES,
    _is_picture,
    holds=Holds.ONE_ROW,
    writer=Writer((".png", ".jpg", ".jpeg", ".webp", ".bmp"), picture=_bytes),
)
