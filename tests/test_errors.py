from __future__ import annotations

import pytest

from likely.errors import DataError, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 猫 \u200d", "plain é 猫 \u200d"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\tb\nc\rd\x7f\x9b", r"a\tb\nc\rd\x7f\x9b"),
        ("x\u202egpj\u2066", r"x\u202egpj\u2066"),
        ("\udcff\u2028", r"\udcff\u2028"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_moves_the_cursor_or_turns_letters_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown


def test_line_breaks_stay_where_they_are_wanted() -> None:
    assert visible("a\nb\x07", kept="\n") == "a\nb\\x07"


def test_messages_about_data_are_one_line_of_at_most_300_characters() -> None:
    told = str(DataError("start " + "x" * 5000 + "\n; do this"))
    assert len(told) <= 300
    assert told.startswith("start x")
    assert told.endswith("x ; do this")
