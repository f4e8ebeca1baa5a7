"""What the built pages must hold: every public name and command, and no link that leads nowhere."""

import importlib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.util import logging

import command_pages
import likely

LOGGER = logging.getLogger(__name__)
ROOMS = (*likely._ROOMS, "errors")
SPARED = {"genindex.html", "search.html", "py-modindex.html"}


class Links(HTMLParser):
    """The links and the places of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.places: set[str] = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        self.places |= {held[name] or "" for name in ("id", "name") if name in held}
        self.links |= {held[name] or "" for name in ("href", "src") if name in held and tag != "base"}


def missing_names(app: Sphinx) -> list[str]:
    """Public names and options of commands that no page describes."""
    described = set(app.env.domaindata["py"]["objects"]) | set(app.env.domaindata["py"]["modules"])
    names = {f"{home(name)}.{name}" for name in likely.__all__}
    for room in ROOMS:
        names |= {f"likely.{room}.{name}" for name in importlib.import_module(f"likely.{room}").__all__}
    told = app.env.domaindata["std"]["progoptions"]
    options = {
        (f"likely-{name}", parameter.opts[0])
        for name, command in command_pages.program().commands.items()
        for parameter in command.params
        if parameter.param_type_name == "option"
    }
    lacking = {" ".join(option) for option in options - set(told)}
    return sorted({name for name in names if name not in described} | lacking)


def home(name: str) -> str:
    """The module whose page describes this name of `likely`: a room where one has it, else `likely`."""
    room = likely._WHERE.get(name, "likely")
    return room if room.removeprefix("likely.") in ROOMS else "likely"


def broken_links(folder: Path) -> list[str]:
    """Links between the built pages that lead to no file or no place in it."""
    pages = {path.resolve(): Links(path.read_text()) for path in folder.rglob("*.html") if path.name not in SPARED}
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists() or (target in pages and unquote(parts.fragment) not in pages[target].places):
                broken.append(f"{path.relative_to(folder)} -> {link}")
    return sorted(broken)


def check(app: Sphinx, exception: Exception | None) -> None:
    """Fail a build of HTML that lacks a name or has a broken link."""
    if exception is None and app.builder.name == "html":
        faults = [f"no page describes {name}" for name in missing_names(app)]
        faults += [f"a link leads nowhere: {link}" for link in broken_links(Path(app.outdir).resolve())]
        for fault in faults:
            LOGGER.error(fault)
        if faults:
            app.statuscode = 1


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at what was built."""
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
