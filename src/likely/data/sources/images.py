"""Folders of pictures: flat, by class, by split."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from likely.data.kinds import Form
from likely.data.source import LABEL, Rows, RowStore, Source
from likely.data.sources.beside import TABLES, labels_beside
from likely.data.sources.colours import WHITE
from likely.data.sources.format import Format, Holds, Options, Writer
from likely.errors import DataError
from likely.files import demand_room

if TYPE_CHECKING:
    from likely.data.sources.picture import Outline, Picture

__all__ = ["PICTURE", "SUFFIXES", "read_folder"]

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
CHANNELS, COPIES = 3, 2  # at most; as they are read, and as the rows that they become


def read_folder(path: Path, options: Options) -> Source | None:
    """Every picture below the folder, in sorted order; `None` where there is none.

    A first folder level named train, val or test is a split; the level below it (or the first) is the label. Folders
    that do nothing but hold all that is below them are no level. A table beside pictures that names them gives more
    labels (`beside.labels_beside`). Mixed grey and colour becomes colour; grey of 16 bits stays in its units;
    transparent pictures are laid on the background; EXIF rotation is applied.

    Parameters
    ----------
    path
        The folder.
    options
        Its `resize` scales every picture, transparent ones are laid on its `background`, white unless given; pictures
        that would fill more than its `memory` stay in their files until they are asked for.

    Raises
    ------
    DataError
        If a picture cannot be read, sizes differ and no `resize` was given, or some have 16 bits and others 8.

    """
    from likely.data.sources.picture import outline_of, read_picture

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
    way: dict[str, Any] = {"resize": options.resize, "background": options.background or WHITE}
    reader: Callable[[Path], Picture] = partial(read_picture, **way)
    placed = [_place(base, file) for file in files]
    parts = {
        split: _Part([i for i, (own, _) in enumerate(placed) if own == split], placed, beside)
        for split in dict.fromkeys(split for split, _ in placed)
    }
    splits = _stored(files, parts, partial(outline_of, **way), reader, options)
    told: list[str] = []
    if splits is None:
        read = _read_all(files, reader, options.progress)
        splits, told = _held(read, parts), _notices(read, placed, options.background)
    return Source(Form.IMAGES, splits, path, (*notices, *labelled, *told))


def _stored(
    files: Sequence[Path],
    parts: Mapping[str, _Part],
    outline: Callable[[Path], Outline],
    reader: Callable[[Path], Picture],
    options: Options,
) -> dict[str, RowStore] | None:
    """Rows that are decoded when they are asked for; `None` where all of them do not fill the memory."""
    from likely.data.sources.picture_rows import PictureRows, alike

    first = outline(files[0])
    if COPIES * len(files) * first.size[0] * first.size[1] * CHANNELS * first.bits // 8 <= options.memory:
        return None
    all_of = alike(files, outline, options.progress)
    return {
        split: PictureRows([files[i] for i in part.chosen], reader, all_of, part.labels, part.beside)
        for split, part in parts.items()
    }


def _held(read: Sequence[Picture], parts: Mapping[str, _Part]) -> dict[str, RowStore]:
    from likely.data.sources.picture_rows import filled

    event = (*read[0].array.shape[:2], *((3,) if any(picture.array.ndim == 3 for picture in read) else ()))
    splits: dict[str, RowStore] = {}
    for split, part in parts.items():
        values = np.empty((len(part.chosen), *event), read[0].array.dtype)
        for place, i in enumerate(part.chosen):
            filled(values, place, read[i])
        splits[split] = Rows(values, part.labels, beside=part.beside)
    return splits


class _Part:
    """The pictures of a split, by their numbers, and their labels.

    The labels of tables stand beside those of folders; a column of theirs named `label` stands for the folders' names.
    """

    def __init__(self, chosen: list[int], placed: Sequence[tuple[str, str]], beside: pd.DataFrame | None) -> None:
        self.chosen = chosen
        names = [placed[i][1] for i in chosen]
        self.labels = np.array(names) if any(names) else None
        self.beside: pd.DataFrame | None = None
        if beside is not None:
            own = beside.iloc[chosen].reset_index(drop=True)
            if LABEL in own:
                self.labels = own[LABEL].to_numpy()
            elif self.labels is not None and len(set(names)) == 1:
                self.labels = None
            own = own.drop(columns=LABEL, errors="ignore")
            self.beside = own if own.shape[1] else None


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
    files: Sequence[Path], reader: Callable[[Path], Picture], progress: Callable[[int, int], None] | None
) -> list[Picture]:
    from likely.data.sources.picture_rows import decoded, demand_alike

    read: list[Picture] = []
    for picture in decoded(files, reader):
        if not read:
            height, width = picture.array.shape[:2]
            needed = COPIES * len(files) * height * width * CHANNELS * picture.array.itemsize
            demand_room(needed, f"{len(files):,} pictures", "scale them down with --resize HxW")
        read.append(picture)
        demand_alike(read[0].path, read[0].outline, picture.path, picture.outline)
        if progress:
            progress(len(read), len(files))
    return read


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
