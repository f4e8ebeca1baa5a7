"""Zip and tar files of a folder: unpacked to a temporary place, with what could do harm refused."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import shutil
import stat
import tarfile
import tempfile
import weakref
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np

from likely.data.source import Rows, RowStore, Source
from likely.data.sources.format import Format, Holds, Options
from likely.data.sources.npz import holds_arrays
from likely.errors import DataError, InputError
from likely.files import Counted

__all__ = ["TAR", "ZIP", "Unpacked", "UnpackedRows", "is_tar", "unpacked"]

TARS = (".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
COMPRESSED: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
DRIVE = re.compile("[A-Za-z]:")
MIN_LIMIT = 2**30  # bytes that any archive may unpack to, where the disk has them
MAX_RATIO = 100  # of unpacked to packed bytes beyond that: no data compress so well, and bombs do
HEADERS = 2  # times what may be unpacked may be read: headers and what is left out
CHUNK_BYTES = 2**20  # that are written at once
INSTEAD = "unpack it yourself, and give the folder"


def is_tar(path: Path) -> bool:
    """Whether a file is a tar archive, by its name or, where it is not compressed, by its content."""
    if path.name.lower().endswith(TARS):
        return True
    with path.open("rb") as file:
        head = file.read(263)
    return head[257:262] == b"ustar"


class Unpacked:
    """A temporary folder, gone with this object."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="likely-"))
        self.remove = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)


def unpacked(path: Path) -> Unpacked:
    """A temporary folder with the files of an archive, gone with the object; `TMPDIR` says where it is made.

    Hidden files and `__MACOSX` are left out. Nothing is written elsewhere: an archive with a path that leads out of it,
    or with a link, is refused, and so is one of more than half of the free space, or of more than 1 GiB and a hundred
    times its size.

    Raises
    ------
    DataError
        If the archive is damaged, encrypted or refused.

    """
    made = Unpacked()
    folder = made.folder
    most = min(shutil.disk_usage(folder).free // 2, max(MIN_LIMIT, MAX_RATIO * path.stat().st_size))
    try:
        _unpack(path, folder, most)
    except BaseException as error:  # a damaged file makes zipfile and tarfile raise almost anything
        made.remove()
        if isinstance(error, InputError) or not isinstance(error, Exception):
            raise
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise DataError(f"{path} cannot be unpacked ({reason}); mend it, or {INSTEAD}") from error
    return made


class UnpackedRows(RowStore):
    """Rows of files that an archive was unpacked to, which are there as long as this is.

    Parameters
    ----------
    store, folder
        The rows, and the temporary folder with their files.

    """

    def __init__(self, store: RowStore, folder: Unpacked) -> None:
        self._store, self._folder = store, folder

    def __len__(self) -> int:
        return len(self._store)

    @property
    def event(self) -> tuple[int, ...]:
        """The shape of one row."""
        return self._store.event

    def read(self, index: np.ndarray | None = None) -> Rows:
        """The rows with these numbers."""
        return self._store.read(index)

    def chunks(self, size: int, first: int = 0) -> Iterator[Rows]:
        """All rows from one on, in their order, at most so many at a time."""
        return self._store.chunks(size, first)


def _unpack(path: Path, folder: Path, most: int) -> None:
    left = most
    for name, file in _tar(path, most) if is_tar(path) else _zip(path):
        place = _place(path, name)
        if place is None:
            continue
        target = folder.joinpath(*place.parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            raise DataError(f"{path} holds {name!r} twice; {INSTEAD}")
        with target.open("xb") as out:
            while part := file.read(CHUNK_BYTES):
                left -= len(part)
                if left < 0:
                    raise DataError(_too_much(path, most))
                out.write(part)


def _zip(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.is_dir():
                continue
            if stat.S_ISLNK(member.external_attr >> 16):
                raise _link(path, member.filename)
            with archive.open(member) as file:
                yield member.filename, file


def _tar(path: Path, most: int) -> Iterator[tuple[str, IO[bytes]]]:
    """Name and content of each member; all that is unpacked is counted, headers and what is left out too."""
    with path.open("rb") as file:
        head = file.read(6)
    opened = next((way for mark, way in COMPRESSED.items() if head.startswith(mark)), open)
    with opened(path, "rb") as stream:
        counted: Any = Counted(stream, HEADERS * most, _too_much(path, most))
        with tarfile.open(fileobj=counted, mode="r|") as archive:
            for member in archive:
                if member.isdir():
                    continue
                content = archive.extractfile(member) if member.isreg() else None
                if content is None:
                    raise _link(path, member.name)
                yield member.name, content


def _too_much(path: Path, most: int) -> str:
    return f"{path} unpacks to more than {most / 2**30:.3g} GiB, which is refused; {INSTEAD}"


def _link(path: Path, name: str) -> DataError:
    return DataError(f"{path} holds {name!r}, which is a link or a device, not a file; {INSTEAD}")


def _place(path: Path, name: str) -> PurePosixPath | None:
    """Where a member goes below the folder; `None` for one that is hidden."""
    place = PurePosixPath(name.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts or DRIVE.match(name) or "\0" in name:
        raise DataError(f"{path} holds {name!r}, a path that leads out of it; do not use this file")
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in place.parts)
    return None if hidden or not place.parts else place


def _read(path: Path, options: Options) -> Source:
    """What an archive holds, opened as the folder that it was made of."""
    if options.open_folder is None:
        raise DataError(f"{path} is an archive within another; {INSTEAD}")
    made = unpacked(path)
    try:
        source = options.open_folder(made.folder)
    except BaseException as error:
        made.remove()
        if not isinstance(error, DataError):
            raise
        raise DataError(str(error).replace(str(made.folder), str(path))) from error
    if not source.streamed:
        made.remove()
        return replace(source, path=path)
    return replace(source, path=path, splits={name: UnpackedRows(rows, made) for name, rows in source.splits.items()})


def _is_zip(path: Path, head: bytes) -> bool:
    return head.startswith(b"PK") and not holds_arrays(path)


ZIP = Format("zip", _read, recognises=_is_zip, holds=Holds.FOLDER)
TAR = Format("tar", _read, TARS, lambda path, _: is_tar(path), holds=Holds.FOLDER)
