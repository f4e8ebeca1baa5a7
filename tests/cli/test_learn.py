"""The page to learn from is found, opened in the reader's language, and copied."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from likely.cli import main

NAMES = ("LC_ALL", "LC_MESSAGES", "LANG", "DISPLAY", "WAYLAND_DISPLAY")


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a browser was asked to open, on Linux without a display."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    asked: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda place: asked.append(place) is None)
    return asked


@pytest.mark.parametrize(
    ("told", "words", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, [], "zh"),
        ({"LANG": "de_DE.UTF-8"}, [], "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_GB.UTF-8"}, [], "en"),
        ({"LANG": "zh_TW.UTF-8"}, ["--language", "en"], "en"),
    ],
)
def test_the_language_is_that_of_the_locale_unless_told(
    told: dict[str, str],
    words: list[str],
    language: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert main(["learn", *words]) == 0
    page = Path(capsys.readouterr().out.strip())
    assert f'<html lang="{language}">' in page.read_text(encoding="utf-8")


def test_without_a_display_nothing_is_opened(opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["learn"]) == 0
    assert opened == []
    monkeypatch.setenv("DISPLAY", ":0")
    assert main(["learn", "--language", "zh"]) == 0
    assert [place.rpartition("/")[2] for place in opened] == ["derivation.zh.html"]
    assert opened[0].startswith("file://")


def test_a_copy_is_written_and_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "new" / "page.html"
    assert main(["learn", "--language", "en", "-o", str(copy), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"page": str(copy), "language": "en", "opened": False}
    first = copy.read_bytes()
    assert b"derivation.zh.html" not in first  # nothing beside it
    assert main(["learn", "-o", str(copy)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["learn", "--language", "zh", "-o", str(copy), "--overwrite"]) == 0
    assert copy.read_bytes() != first
