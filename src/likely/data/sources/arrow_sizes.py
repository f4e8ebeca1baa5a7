"""What the messages of an arrow file say of their size, before anything of them is unpacked.

Source: https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc,
`format/Message.fbs` and `format/File.fbs`. A flatbuffer's table begins with the distance to the places of its fields.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pyarrow as pa
from pyarrow import ipc

__all__ = ["unpacked_sizes"]

MAGIC = b"ARROW1"
DICTIONARY, BATCH = 2, 3  # kinds of message headers
BLOCK, BUFFER = struct.Struct("<qi4xq"), struct.Struct("<qq")


def unpacked_sizes(held: pa.Buffer) -> list[int]:
    """The bytes that each record batch and dictionary of an IPC file or stream takes, by what they say of themselves.

    Raises
    ------
    ValueError, struct.error, IndexError, ArrowException
        If it is damaged.

    """
    return [_size(message) for message in _messages(held)]


def _messages(held: pa.Buffer) -> Iterator[ipc.Message]:
    if held.slice(0, len(MAGIC)).to_pybytes() != MAGIC:
        yield from ipc.MessageReader.open_stream(held)
        return
    length = struct.unpack("<i", held.slice(held.size - 10, 4).to_pybytes())[0]
    if not 0 < length <= held.size:
        raise ValueError(f"a footer of {length} bytes")
    footer = _Table.root(held.slice(held.size - 10 - length, length).to_pybytes())
    for place, _, _ in (*footer.structs(2, BLOCK), *footer.structs(3, BLOCK)):
        yield ipc.read_message(pa.BufferReader(held.slice(place)))


def _size(message: ipc.Message) -> int:
    """Bytes of the message's buffers; a compressed one begins with its length as it was, -1 for as it is."""
    root = _Table.root(message.metadata.to_pybytes())
    kind, table = root.number(1, "B"), root.table(2)
    if table is not None and kind == DICTIONARY:
        table = table.table(1)
    if table is None or kind not in (DICTIONARY, BATCH):
        return 0
    total, packed = 0, table.table(3) is not None
    for place, length in table.structs(2, BUFFER):
        uncompressed = length
        if packed and length >= 8:
            uncompressed = struct.unpack("<q", message.body.slice(place, 8).to_pybytes())[0]
        total += length if uncompressed < 0 else uncompressed
    return total


class _Table:
    """A table of a flatbuffer."""

    def __init__(self, held: bytes, place: int) -> None:
        self.held, self.place = held, place
        self.fields = place - self._read("<i", place)

    @classmethod
    def root(cls, held: bytes) -> _Table:
        """The table that the buffer is of."""
        return cls(held, struct.unpack_from("<I", held)[0])

    def number(self, field: int, kind: str) -> int:
        """A scalar, 0 where there is none."""
        place = self._field(field)
        return self._read(kind, place) if place else 0

    def table(self, field: int) -> _Table | None:
        """A table in this one."""
        place = self._field(field)
        return _Table(self.held, place + self._read("<I", place)) if place else None

    def structs(self, field: int, one: struct.Struct) -> list[tuple[int, ...]]:
        """A list of structs."""
        place = self._field(field)
        if not place:
            return []
        start = place + self._read("<I", place)
        count = self._read("<I", start)
        if count * one.size > len(self.held):
            raise ValueError(f"a list of {count}")
        return [one.unpack_from(self.held, start + 4 + i * one.size) for i in range(count)]

    def _field(self, field: int) -> int:
        """Where a field stands, 0 where there is none."""
        entry = 4 + 2 * field
        if self._read("<H", self.fields) <= entry:
            return 0
        offset = self._read("<H", self.fields + entry)
        return self.place + offset if offset else 0

    def _read(self, kind: str, place: int) -> int:
        if place < 0:
            raise ValueError("a place before the start")
        return int(struct.unpack_from(kind, self.held, place)[0])
