"""What pages say can be called, leads somewhere, and begins with what the reader gets."""

from __future__ import annotations

import ast
import os
import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest

import command_pages

ROOT = Path(__file__).parents[2]
MADE = ("docs/_build/", "docs/reference/commands/")
FILES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md"))
    if not path.relative_to(ROOT).as_posix().startswith(MADE)
)
GUIDES = [path for path in FILES if path.parent.name in ("tutorials", "howto", "explain") or path.name == "start.md"]
CELL = re.compile(r"^```\{code-cell\} python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s#:]+)(?:#[^)]*)?\)")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def commands(text: str) -> list[list[str]]:
    """Calls of the command line in blocks of code, without what the shell does with them."""
    blocks = re.findall(r"^```(?:\{code-cell\} python\n%%bash|bash|sh)?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    found = re.findall(r"^\s*(?:\$ )?(likely [a-z].*)$", "\n".join(blocks), re.MULTILINE)
    return [list(words(line))[1:] for line in found if "..." not in line]


def words(line: str) -> Iterator[str]:
    """The words of a line up to a pipe, another sign of the shell, or a comment."""
    read = shlex.shlex(line, posix=True, punctuation_chars="|&>;")
    read.whitespace_split = True
    return takewhile(lambda word: word[0] not in "|&>;", read)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_commands_that_are_shown_can_be_called(path: Path) -> None:
    known = command_pages.program().commands
    for name, *words in commands(path.read_text()):
        assert known[name].make_context(name, list(words)) is not None


def test_commands_are_found_in_pages() -> None:
    assert ["fit", "patients.csv", "-o", "patients"] in commands((ROOT / "docs" / "start.md").read_text())
    assert sum(len(commands(path.read_text())) for path in FILES) > 30


@pytest.mark.parametrize("path", FILES, ids=named)
def test_links_lead_to_files(path: Path) -> None:
    for link in LINK.findall(re.sub(r"```.*?```|`[^`\n]+`", "", path.read_text(), flags=re.DOTALL)):
        target = Path(os.path.normpath(path.parent / link))
        made = target.relative_to(ROOT).as_posix().startswith(MADE)
        assert made or target.exists(), f"{named(path)} links to {link}"


@pytest.mark.parametrize("path", GUIDES, ids=named)
def test_a_guide_begins_with_what_its_reader_gets(path: Path) -> None:
    heading, _, first = path.read_text().partition("# ")[2].partition("\n\n")
    assert heading
    starts = ("Each page", "Here you") if path.name == "index.md" else ("After this page you",)
    assert first.startswith(starts)


@pytest.mark.parametrize("path", GUIDES, ids=named)
def test_cells_are_python(path: Path) -> None:
    for cell in CELL.findall(path.read_text()):
        assert cell.startswith("%%bash\n") or ast.parse(cell).body


def test_broken_links_of_built_pages_are_found(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="the pages are built with the extra docs")
    from checks import broken_links

    (tmp_path / "a.html").write_text('<a href="b.html#here">b</a> <a href="b.html#gone">b</a> <img src="c.png">')
    (tmp_path / "b.html").write_text('<p id="here"><a href="https://example.org/gone">elsewhere</a></p>')
    assert broken_links(tmp_path.resolve()) == ["a.html -> b.html#gone", "a.html -> c.png"]


def test_docstrings_keep_their_marks() -> None:
    pytest.importorskip("sphinx", reason="the pages are built with the extra docs")
    from docstrings import prepared

    lines = ["`a|b` of P(x|z), 2 * 3, log_", "", ">>> a * b | c", "`d`", "", "low, high", "    Both * ends."]
    made = ["``a|b`` of P(x\\|z), 2 \\* 3, log\\_", "", ">>> a * b | c", "`d`", "", "low,high", "    Both \\* ends."]
    assert prepared(lines) == made
