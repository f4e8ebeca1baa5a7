"""Tables of labels beside pictures: one row a picture, named in one of the columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from likely.data.sources.text import read_text
from likely.errors import DataError

__all__ = ["TABLES", "labels_beside"]

TABLES = (".csv", ".tsv")
MIN_NAMED = 0.5  # share of the rows of a table that name pictures, or of pictures that it names

Naming = Callable[[Path, Path], str]


def labels_beside(
    tables: Sequence[Path], pictures: Sequence[Path], notices: list[str]
) -> tuple[pd.DataFrame | None, list[Path]]:
    """The labels of pictures that tables give, and the tables that were used.

    A table speaks of the pictures below its folder. The column that names them has no value twice, and holds their
    paths from there, their file names, or either without the ending (numbers with or without zeros in front); at least
    half of the table's rows, or of the pictures, are named so. All other columns are labels.

    Parameters
    ----------
    tables, pictures
        Files.
    notices
        Gets a sentence for each table that is used, or names no pictures.

    Returns
    -------
    pandas.DataFrame | None
        One row a picture, in order, missing where none speaks of it.

    Raises
    ------
    DataError
        If two tables speak of one picture.

    """
    frames: list[pd.DataFrame] = []
    used: list[Path] = []
    for table in tables:
        frame = _named(table, pictures, notices)
        if frame is not None:
            frames.append(frame)
            used.append(table)
    if not frames:
        return None, []
    joined = pd.concat(frames)
    if joined.index.has_duplicates:
        twice = pictures[int(joined.index[joined.index.duplicated()][0])]
        raise DataError(f"{' and '.join(map(str, used))} both give labels of {twice}; take one of them out")
    return joined.reindex(range(len(pictures))), used


def _named(table: Path, pictures: Sequence[Path], notices: list[str]) -> pd.DataFrame | None:
    """The labels of one table, indexed by the place of the picture; `None` where it names none."""
    try:
        read = read_text(table)
    except DataError:
        return None
    frame = read.splits["all"].read().values
    below = [place for place, picture in enumerate(pictures) if picture.is_relative_to(table.parent)]
    if not isinstance(frame, pd.DataFrame) or not below or frame.shape[1] < 2:
        return None
    known = {naming: _known(naming, table.parent, pictures, below) for naming in NAMINGS}
    best: tuple[str, np.ndarray] | None = None
    for name, column in frame.items():
        keys = column.astype(str).str.strip().str.replace("\\", "/").str.removeprefix("./")
        for naming, names in known.items() if keys.is_unique else ():
            places = _places(keys.map(_bare) if naming is _number else keys, names)
            if best is None or (places >= 0).sum() > (best[1] >= 0).sum():
                best = str(name), places
    if best is None or (best[1] >= 0).sum() < max(1, MIN_NAMED * min(len(frame), len(below))):
        notices.append(f"{table.name} names none of the pictures, or one twice, and was left out")
        return None
    name, places = best
    named = places >= 0
    labels = frame.loc[named].drop(columns=name).set_axis(places[named], axis=0)
    notices.extend(notice for notice in read.notices if repr(name) not in notice)
    lacking = len(below) - len(labels)
    notices.append(
        f"{table.name}: {', '.join(map(str, labels.columns))} of the pictures named in {name!r}; "
        "--condition COLUMN learns P(x | column)" + (f"; {lacking} picture(s) are not named" if lacking else "")
    )
    return labels


def _known(naming: Naming, root: Path, pictures: Sequence[Path], below: Sequence[int]) -> dict[str, int]:
    """Name -> the place of the picture; empty where a name stands for two."""
    names = {naming(root, pictures[place]): place for place in below}
    return names if len(names) == len(below) else {}


def _places(keys: pd.Series, names: dict[str, int]) -> np.ndarray:
    """For each row the picture that it names, −1 for none, or where two rows name one."""
    if not keys.is_unique:
        return np.full(len(keys), -1)
    return np.array([names.get(name, -1) for name in keys], dtype=np.int64)


def _path(root: Path, picture: Path) -> str:
    return picture.relative_to(root).as_posix()


def _path_stem(root: Path, picture: Path) -> str:
    return picture.relative_to(root).with_suffix("").as_posix()


def _name(_: Path, picture: Path) -> str:
    return picture.name


def _stem(_: Path, picture: Path) -> str:
    return picture.stem


def _number(_: Path, picture: Path) -> str:
    return _bare(picture.stem)


def _bare(text: str) -> str:
    return text.lstrip("0") or "0" if text.isdigit() else text


NAMINGS: tuple[Naming, ...] = (_path, _name, _path_stem, _stem, _number)
