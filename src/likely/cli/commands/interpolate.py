"""The way through z from one row to another."""

from __future__ import annotations

from typing import Annotated

import typer

from likely.cli.arguments import Device, Given, Json, Output, Overwrite, RowsData, Stored

__all__ = ["interpolate"]


def interpolate(
    run: Stored,
    a: Annotated[int, typer.Argument(metavar="A", help="Number of the row to start at, from 0.")],
    b: Annotated[int, typer.Argument(metavar="B", help="Number of the row to end at.")],
    data: RowsData = None,
    n: Annotated[int, typer.Option("-n", help="How many rows, the ends included.")] = 8,
    given: Given = None,
    output: Output = None,
    overwrite: Overwrite = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Walk through z from row A to row B: the means of P(x|z) on the way, a strip of pictures or a table."""
    from likely.cli.loading import opened
    from likely.cli.options import given_values
    from likely.cli.output import demand_writable_output, write_or_print

    demand_writable_output(output, overwrite=overwrite)
    fitted = opened(run, device)
    rows = fitted.interpolate(a, b, n, data=data, given=given_values(given) or None)
    write_or_print(fitted.schema, rows, output, overwrite=overwrite, json=json, columns=n)
