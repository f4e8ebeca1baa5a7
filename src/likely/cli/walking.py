"""Ways through z, in the terminal: grids of pictures, and tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from likely.cli.arguments import Device, Json, Output, Overwrite, Stored, Told

__all__ = ["interpolate", "traverse"]

Rows = Annotated[str | None, typer.Argument(help="Where the rows are; the stored test rows unless given.")]
Steps = Annotated[int, typer.Option("-n", help="How many rows, the ends included.")]


def interpolate(
    run: Stored,
    a: Annotated[int, typer.Argument(metavar="A", help="Number of the row to start at, from 0.")],
    b: Annotated[int, typer.Argument(metavar="B", help="Number of the row to end at.")],
    data: Rows = None,
    n: Steps = 8,
    given: Told = None,
    output: Output = None,
    overwrite: Overwrite = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Walk through z from row A to row B: the means of P(x|z) on the way, a strip of pictures or a table."""
    from likely.cli.loading import opened
    from likely.cli.options import told
    from likely.cli.output import deliver, ready

    ready(output, overwrite=overwrite)
    fitted = opened(run, device)
    made = fitted.interpolate(a, b, n, data=data, given=told(given) or None)
    deliver(fitted.schema, made, output, overwrite=overwrite, json=json, columns=n)


def traverse(
    run: Stored,
    data: Rows = None,
    n: Annotated[int, typer.Option("-n", help="Steps along each dimension of z.")] = 8,
    dimensions: Annotated[
        str, typer.Option("--dimensions", help="How many, those that change x most; or which: 0,3,5.")
    ] = "10",
    span: Annotated[float, typer.Option("--span", help="How far, in standard deviations of P(z).")] = 2.5,
    row: Annotated[
        int | None, typer.Option("--row", help="Start at the code of this row; at the mean of P(z) unless given.")
    ] = None,
    given: Told = None,
    output: Output = None,
    overwrite: Overwrite = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Move one number of z after the other: what each does to x, a grid of pictures with a line each or a table."""
    from likely.cli.loading import opened
    from likely.cli.options import told
    from likely.cli.output import deliver, ready

    ready(output, overwrite=overwrite)
    fitted = opened(run, device)
    which = _dimensions(dimensions)
    found = fitted.traverse(n=n, dimensions=which, span=span, row=row, data=data, given=told(given) or None)
    print(f"dimensions of z, a line each: {', '.join(map(str, found.dimensions))}", file=sys.stderr)
    deliver(fitted.schema, _lines(found.rows, output), output, overwrite=overwrite, json=json, columns=n)


def _dimensions(text: str) -> int | list[int]:
    from likely.errors import ConfigError

    try:
        numbers = [int(word) for word in text.split(",") if word]
    except ValueError:
        numbers = []
    if not numbers:
        raise ConfigError(f"--dimensions takes a number of them, or which: 0,3,5; got {text!r}")
    return numbers if "," in text else numbers[0]


def _lines(rows: Any, output: Path | None) -> Any:
    """Of arrays that become pictures the lines one after the other."""
    arrays = (".npy", ".npz")
    if hasattr(rows, "columns") or hasattr(rows, "to_pandas") or (output is not None and output.suffix in arrays):
        return rows
    return rows.reshape(-1, *rows.shape[2:])
