"""The parts that a model is made of."""

from __future__ import annotations

from typing import Annotated

import typer

from likely.cli.arguments import Json

__all__ = ["parts"]


def parts(
    room: Annotated[
        str | None, typer.Argument(help="model, prior, posterior, likelihood, objective or network; all unless given.")
    ] = None,
    json: Json = False,
) -> None:
    """List the parts that a model is made of: how each is written, what it is, and its source."""
    from likely.cli.parts import show_parts

    show_parts(room, json=json)
