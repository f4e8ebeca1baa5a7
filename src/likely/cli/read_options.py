"""Options that say how a text file is written."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["Dated", "Decimal", "Separator"]

Separator = Annotated[
    str | None, typer.Option(metavar="MARK", help="Between fields of a text file, ; or tab say; found unless given.")
]
Decimal = Annotated[
    str | None, typer.Option(metavar="MARK", help="Before the decimals of numbers in texts: . or , found unless given.")
]
Dated = Annotated[
    list[str] | None,
    typer.Option(
        "--date-format", metavar="COLUMN=FORMAT", help="How a column's dates are written, such as day=%d/%m/%Y."
    ),
]
