"""Files as others might leave them: bits turned, ends cut off, fields changed, numbers of absurd size."""

from __future__ import annotations

import copy
import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

Bytes = Callable[[np.random.Generator, bytes, bytes], bytes]

WORDS = [b"", b"0", b"-1", b"1e400", b"-1e999", b"NaN", b"nan", b"inf", b"1e300", b"9" * 400, b"0x10", b"\x1b[31m",
         b"\0",
         b'"', b"'", b"\\", b"{", b"[", b"}", b",", b";", b"\n", b"\r", b"\t", b"true", b"null", "é".encode(), b"\xff",
         "\u202e".encode(), b"2020-01-31", b"x" * 3000, b"," * 3000, b"18446744073709551616"]  # fmt: skip
NUMBERS = [0, 1, -1, 2, 127, 255, 256, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, -(2**31), -(2**63)]
VALUES: list[Any] = [None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**30, 1e300, -1e300, 1e-320, 0.5, "",
                     "x", "x" * 5000, "\x1b[31m", "\ud800", "\u202e", "../../etc", [], {}, [[]], [1], [None], [1, 2, 3],
                     {"x": 1}, [0] * 1000, float("nan"), float("inf"), float("-inf")]  # fmt: skip


def bits(rng: np.random.Generator, content: bytes, _: bytes) -> bytes:
    made = bytearray(content)
    for place in rng.integers(0, len(made), rng.integers(1, 9)):
        made[place] ^= 1 << int(rng.integers(8))
    return bytes(made)


def start(rng: np.random.Generator, content: bytes, _: bytes) -> bytes:
    """Bits among the first 200 bytes, where headers are."""
    return bits(rng, content[:200], b"") + content[200:]


def noise(rng: np.random.Generator, content: bytes, _: bytes) -> bytes:
    place, size = int(rng.integers(len(content))), int(rng.integers(1, 65))
    held = [bytes(size), b"\xff" * size, rng.bytes(size)][int(rng.integers(3))]
    return content[:place] + held + content[place + size :]


def cut(rng: np.random.Generator, content: bytes, _: bytes) -> bytes:
    return content[: int(rng.integers(len(content)))]


def removed(rng: np.random.Generator, content: bytes, _: bytes) -> bytes:
    first, last = sorted(int(place) for place in rng.integers(0, len(content) + 1, 2))
    return content[:first] + content[last:]


def doubled(rng: np.random.Generator, content: bytes, _: bytes) -> bytes:
    first, last = sorted(int(place) for place in rng.integers(0, len(content) + 1, 2))
    return content[:last] + content[first:]


def swapped(rng: np.random.Generator, content: bytes, _: bytes) -> bytes:
    a, b, c = sorted(int(place) for place in rng.integers(0, len(content) + 1, 3))
    return content[:a] + content[b:c] + content[a:b] + content[c:]


def number(rng: np.random.Generator, content: bytes, _: bytes) -> bytes:
    """A number of 2, 4 or 8 bytes, of either order, in the place of what stood there."""
    kind = [">h", "<h", ">i", "<i", ">q", "<q"][int(rng.integers(6))]
    size = struct.calcsize(kind)
    value = NUMBERS[int(rng.integers(len(NUMBERS)))] & (2 ** (8 * size) - 1)
    place = int(rng.integers(max(1, len(content) - size)))
    place = min(place, 200) if rng.random() < 0.5 else place
    return content[:place] + value.to_bytes(size, "big" if kind[0] == ">" else "little") + content[place + size :]


def spliced(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    place = int(rng.integers(len(content)))
    return content[:place] + other[min(place, len(other)) :]


def appended(rng: np.random.Generator, content: bytes, _: bytes) -> bytes:
    return content + rng.bytes(int(rng.integers(1, 200)))


def other(rng: np.random.Generator, content: bytes, given: bytes) -> bytes:  # noqa: ARG001
    return given


def word(rng: np.random.Generator, content: bytes, _: bytes) -> bytes:
    """A word in the place of a field of text, or between two."""
    marks = [place for place, byte in enumerate(content) if byte in b',;\t\n:" []{}'] or [0]
    first = marks[int(rng.integers(len(marks)))]
    last = next((place for place in marks if place > first), len(content)) if rng.random() < 0.7 else first + 1
    return content[: first + 1] + WORDS[int(rng.integers(len(WORDS)))] + content[last:]


def lines(rng: np.random.Generator, content: bytes, _: bytes) -> bytes:
    held = content.split(b"\n")
    first, second = (int(place) for place in rng.integers(0, len(held), 2))
    held[first], held[second] = held[second], held[first]
    if rng.random() < 0.3:
        del held[first]
    return b"\n".join(held)


BINARY: tuple[Bytes, ...] = (
    bits,
    start,
    noise,
    cut,
    removed,
    doubled,
    swapped,
    number,
    number,
    spliced,
    appended,
    other,
)
TEXT: tuple[Bytes, ...] = (word, word, word, lines, *BINARY)


def document(rng: np.random.Generator, content: bytes, other_content: bytes) -> bytes:
    """JSON with one to three fields changed: of another type, of another size, gone, doubled, renamed, swapped."""
    values = json.loads(content)
    for _ in range(int(rng.integers(1, 4))):
        places = list(_places(values))
        held, key = places[int(rng.integers(len(places)))]
        _change(rng, held, key, places)
    text = json.dumps(values, indent=1)
    if rng.random() < 0.05:
        text = "[" * 100_000 + "]" * 100_000 if rng.random() < 0.5 else text.replace("{", '{"x": ' + "[" * 5000, 1)
    if rng.random() < 0.05:
        text = text.replace("{", "{" + text.strip()[1:].split(",", 1)[0] + ",", 1)
    return word(rng, text.encode(), other_content) if rng.random() < 0.1 else text.encode()


def _places(values: Any) -> Any:
    for key, value in list(values.items()) if isinstance(values, dict) else list(enumerate(values)):
        yield values, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


def _change(rng: np.random.Generator, held: Any, key: Any, places: list[tuple[Any, Any]]) -> None:
    way = int(rng.integers(8))
    try:
        if way <= 3:
            held[key] = copy.deepcopy(VALUES[int(rng.integers(len(VALUES)))])
        elif way == 4:
            del held[key]
        elif way == 5:
            there, name = places[int(rng.integers(len(places)))]
            held[key], there[name] = copy.deepcopy(there[name]), copy.deepcopy(held[key])
        elif way == 6 and isinstance(held[key], (int, float)):
            held[key] = held[key] * [2, -1, 1000, 10**9, 0.5][int(rng.integers(5))]
        elif way == 7 and isinstance(held, dict):
            held[f"{key}_"] = held.pop(key)
        elif isinstance(held[key], list):
            held[key] = held[key] * int(rng.integers(2, 50)) if rng.random() < 0.5 else held[key][:-1]
    except (KeyError, IndexError, TypeError, OverflowError):
        return  # an earlier change took the place away
