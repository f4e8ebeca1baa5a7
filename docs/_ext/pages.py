"""Pages that are made, links that leave the folder of the pages, and shell cells without their first line."""

import os
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

import command_pages

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
# Files above docs that have a page.
PAGES = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "project/architecture.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "benchmarks/README.md": "project/benchmarks.md",
    "benchmarks/speed.md": "project/speed.md",
    "examples/own_model.py": "own/example.md",
    "docs/own": "own/index.md",
    "docs/decisions": "decisions/README.md",
}
LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=[#)])")
INCLUDE = re.compile(r"^```\{include\} (\S+)\n```$", re.MULTILINE)
NUMBERED = "\n\n```{toctree}\n:hidden:\n:glob:\n\n[0-9]*\n```\n"


def write_commands(app: Sphinx) -> None:
    """Write the pages of the commands, where they changed."""
    place = DOCS / "reference" / "commands"
    place.mkdir(exist_ok=True)
    made = {place / f"{name}.md": text for name, text in command_pages.pages().items()}
    for path in set(place.glob("*.md")) - set(made):
        path.unlink()
    for path, text in made.items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def prepare(app: Sphinx, docname: str, content: list[str]) -> None:
    """The page's text: included files in full, links to files above docs led to their pages."""
    page = DOCS / f"{docname}.md"

    def included(found: re.Match[str]) -> str:
        source = (page.parent / found[1]).resolve()
        app.env.note_dependency(source)
        return LINK.sub(lambda link: led(link[0], source.parent, page.parent), source.read_text())

    text = LINK.sub(lambda link: led(link[0], page.parent, page.parent), content[0])
    content[0] = INCLUDE.sub(included, text) + (NUMBERED if docname == "decisions/README" else "")


def led(link: str, written: Path, shown: Path) -> str:
    """A link of a file in one folder, as it is from another; to a page where the file has one."""
    target = Path(os.path.normpath(written / link))
    if not target.is_relative_to(ROOT):
        return link
    name = target.relative_to(ROOT).as_posix()
    return os.path.relpath(DOCS / PAGES[name] if name in PAGES else target, shown)


def strip_magic(app: Sphinx, doctree: nodes.document) -> None:
    """Show cells of shell commands as such."""
    for block in doctree.findall(nodes.literal_block):
        text = block.astext()
        if text.startswith("%%bash\n"):
            plain = text.removeprefix("%%bash\n")
            block.rawsource, block["language"] = plain, "bash"
            block.children = [nodes.Text(plain)]


def setup(app: Sphinx) -> dict[str, Any]:
    """Listen to the build."""
    app.connect("builder-inited", write_commands)
    app.connect("source-read", prepare)
    app.connect("doctree-read", strip_magic)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
