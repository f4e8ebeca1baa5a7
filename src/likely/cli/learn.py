"""The derivation as a page, in the browser."""

from __future__ import annotations

import locale
import os
import re
import sys
import webbrowser
from pathlib import Path

from likely.cli import show
from likely.errors import visible
from likely.files import refuse_existing, refuse_unwritable, write

__all__ = ["open_page"]

PAGES = Path(__file__).parent / "pages"


def open_page(language: str | None, output: Path | None, *, overwrite: bool, json: bool) -> None:
    """Open the page in a browser, and print where it is.

    Parameters
    ----------
    language
        `en` or `zh`; by the locale unless given.
    output
        Where a copy is written, which then is what is opened.
    overwrite
        Replace an existing copy.
    json
        Print one document in place of the path.

    Raises
    ------
    OutputError
        If the copy cannot be written.

    """
    language = language or _of_locale()
    page = PAGES / f"derivation.{language}.html"
    if output is not None:
        page = output / page.name if output.is_dir() else output
        refuse_existing(page, overwrite=overwrite)
        refuse_unwritable(page)
        text = (PAGES / f"derivation.{language}.html").read_text(encoding="utf-8")
        write(page, re.sub(r'<p class="others">.*?</p>', "", text), parents=True)
    opened = _has_display() and webbrowser.open(page.resolve().as_uri())
    if json:
        show.document({"page": str(page), "language": language, "opened": opened})
    else:
        print(visible(str(page)))


def _of_locale() -> str:
    """Chinese where the user's messages are, else English."""
    told = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), None)
    return "zh" if (told or locale.getlocale()[0] or "").lower().startswith(("zh", "chinese")) else "en"


def _has_display() -> bool:
    return sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
