"""Docstrings of the package as reStructuredText: `code` in single backticks, other marks as they stand."""

import re
from typing import Any

from sphinx.application import Sphinx

NAMES = re.compile(r"\s*\w+(, \w+)+$")  # of a field: a space would part a type from a name
CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
FIRST = 400  # before napoleon, whose priority is 500


def prepared(lines: list[str]) -> list[str]:
    """These lines, with what reStructuredText would take for its own marks escaped outside examples and code."""
    made, example = [], False
    for line in lines:
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        if example or line.rstrip().endswith("::"):
            made.append(line)
            continue
        parts = CODE.split(line.replace(", ", ",") if NAMES.match(line) else line)
        made.append("".join(f"``{part}``" if at % 2 else escaped(part) for at, part in enumerate(parts)))
    return made


def escaped(text: str) -> str:
    """Text whose stars, bars and final underscores mean themselves."""
    return re.sub(r"([*|]|_(?=\W|$))", r"\\\1", text)


def prepare(*event: Any) -> None:
    """Change the lines of one docstring in place."""
    lines = event[-1]
    joined = "\n".join(lines)
    joined = re.sub(r"`[^`\n]+\n[^`\n]+`", lambda found: found.group().replace("\n", " "), joined)
    lines[:] = prepared(joined.split("\n"))


def skip(app: Sphinx, what: str, name: str, *event: Any) -> bool | None:
    """Leave out what torch.distributions asks of every class and describes itself."""
    return True if name == "expand" else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Listen to autodoc."""
    app.connect("autodoc-process-docstring", prepare, priority=FIRST)
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
