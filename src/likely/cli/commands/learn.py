"""The page to learn from."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from likely.cli.arguments import Json, Output, Overwrite

__all__ = ["learn"]


class Language(StrEnum):
    """The languages of the page."""

    EN = "en"
    ZH = "zh"


def learn(
    language: Annotated[
        Language | None, typer.Option("--language", help="Of the page; the one of the locale unless given.")
    ] = None,
    output: Output = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Open the derivation of the variational autoencoder in a browser: formulas, code, and numbers from data.

    The page needs no network. Its place is printed; where there is no display, that is all. -o FILE writes a copy, for
    browsers that may not read where the package lies.
    """
    from likely.cli.learn import open_page

    open_page(None if language is None else language.value, output, overwrite=overwrite, json=json)
