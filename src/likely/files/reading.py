"""Bytes of files, counted while they are read."""

from __future__ import annotations

import errno
import gzip
import io
import os
import stat
from pathlib import Path
from typing import IO, Protocol

from likely.errors import DataError
from likely.files.room import demand_room, gib, most_bytes, no_room

__all__ = ["Counted", "inflated", "is_gzip", "read_regular"]

GZIP = b"\x1f\x8b"
CHUNK_BYTES = 2**20  # that are inflated at once


def read_regular(path: Path, most: int) -> bytes:
    """The bytes of a regular file of at most so many.

    Raises
    ------
    OSError
        If it cannot be read, is no regular file (a folder, a pipe, a device), or is larger.

    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        known = os.fstat(descriptor)
        if not stat.S_ISREG(known.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file, but a folder, a pipe or a device", str(path))
        if known.st_size > most:
            raise OSError(errno.EFBIG, f"it has {known.st_size:,} bytes, expected at most {most:,}", str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(min(most, known.st_size))
    finally:
        os.close(descriptor)


def is_gzip(path: Path) -> bool:
    """Whether a file is packed by gzip."""
    with path.open("rb") as file:
        return file.read(2) == GZIP


def inflated(path: Path, cost: int = 1, cure: str = "give fewer rows, or another format: parquet, npy") -> bytes:
    """The bytes of a file, unpacked where it is a gzip file.

    Parameters
    ----------
    path
        A regular file.
    cost
        Bytes of memory that each of its bytes will take.
    cure
        What to do where it is too large, for the message.

    Raises
    ------
    DataError
        If they would fill more memory than they may.
    OSError, EOFError, zlib.error
        If it cannot be read or unpacked.

    """
    demand_room(cost * path.stat().st_size, str(path), cure)
    with path.open("rb") as file:
        if file.read(2) != GZIP:
            file.seek(0)
            return file.read()
    held, most = io.BytesIO(), most_bytes()
    with gzip.open(path) as unpacked:
        while part := unpacked.read(CHUNK_BYTES):
            held.write(part)
            if cost * held.tell() > most:
                raise DataError(f"{path} unpacks to more than {gib(held.tell())}: {no_room(most)}; {cure}")
    return held.getvalue()


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes, fewer at the end."""


class Counted:
    """What is read of a stream, refused beyond a number of bytes."""

    def __init__(self, stream: Readable | IO[bytes], most: int, message: str) -> None:
        self._stream, self._left, self._message = stream, most, message

    def read(self, size: int) -> bytes:
        """At most so many bytes, fewer at the end.

        Raises
        ------
        DataError
            If these are more than may be read.

        """
        part = self._stream.read(max(0, min(size, self._left + 1)))
        self._left -= len(part)
        if self._left < 0:
            raise DataError(self._message)
        return part
