"""Values that are read back are of the types that their fields declare, or are refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

import pytest

from likely.files import built, conform, parsed


class Shade(Enum):
    DARK = "dark"


@dataclass(frozen=True)
class Inner:
    count: int
    share: float = 0.5


GOOD: list[tuple[Any, Any, Any]] = [
    (Any, [1, "a"], [1, "a"]),
    (int, 3, 3),
    (float, 3, 3),
    (bool, True, True),
    (str, "a", "a"),
    (Literal["a", "b"], "b", "b"),
    (Shade, "dark", Shade.DARK),
    (int | None, None, None),
    (int | str, "a", "a"),
    (list[int], [1, 2], [1, 2]),
    (tuple[int, ...], [1, 2, 3], (1, 2, 3)),
    (tuple[int, str], [1, "a"], (1, "a")),
    (Mapping[str, int], {"a": 1}, {"a": 1}),
    (Inner, {"count": 2}, Inner(2)),
]
BAD: list[tuple[Any, Any, str]] = [
    (int, True, "it is True, expected"),
    (int, 1.0, "it is 1.0, expected"),
    (float, "1", "it is '1', expected"),
    (Literal["a", "b"], "c", "it is 'c', expected"),
    (Shade, "light", "it is 'light', expected"),
    (int | None, "a", "it is 'a', expected"),
    (list[int], [1, "a"], "it is 'a', expected"),
    (tuple[int, str], [1], "it has 1 values, expected 2"),
    (Mapping[str, int], {"a": "b"}, "it is 'b', expected"),
    (Inner, {}, "it lacks count"),
    (Inner, {"count": 1, "size": 2}, "it has an unknown field 'size'"),
    (Inner, [1], "it is no object"),
]


@pytest.mark.parametrize(("hint", "value", "wanted"), GOOD)
def test_a_value_of_the_declared_type_is_read_as_that(hint: Any, value: Any, wanted: Any) -> None:
    found = conform(hint, value, "it")
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(("hint", "value", "words"), BAD)
def test_any_other_value_is_refused_by_name(hint: Any, value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        conform(hint, value, "it")


def test_a_range_has_both_of_its_ends() -> None:
    ranges = {"count": (1.0, 3.0)}
    assert [built(Inner, {"count": count}, "it", ranges).count for count in (1, 3)] == [1, 3]
    for count in (0, 4):
        with pytest.raises(ValueError, match=f"it.count is {count}, expected 1 to 3"):
            built(Inner, {"count": count}, "it", ranges)


def test_integers_of_64_bits_and_lists_in_fifty_others_are_read_and_no_more() -> None:
    for number in (-(2**63), 2**64 - 1):
        assert parsed(str(number).encode()) == number
    for number in (-(2**63) - 1, 2**64):
        with pytest.raises(ValueError, match="beyond 64 bits"):
            parsed(str(number).encode())
    for levels in (50, 51):
        assert isinstance(parsed(b"[" * levels + b"]" * levels), list)
    with pytest.raises(ValueError, match="too deep"):
        parsed(b"[" * 52 + b"]" * 52)
