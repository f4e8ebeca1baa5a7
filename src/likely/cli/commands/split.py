"""The rows of one part of the data."""

from __future__ import annotations

from typing import Annotated

import typer

from likely.cli.arguments import Json, Output, Overwrite, Stored
from likely.cli.loading import opened

__all__ = ["split"]


def split(
    run: Stored,
    part: Annotated[str, typer.Option(help="Which rows: train, val or test.")] = "test",
    output: Output = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Write the rows of one part of the data that RUN was fitted on, as they were read."""
    from likely.cli.output import demand_writable_output
    from likely.cli.split import deliver_part

    demand_writable_output(output, overwrite=overwrite)
    deliver_part(opened(run), part, output, overwrite=overwrite, json=json)
