"""What each number of z does to x."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from likely.cli.arguments import Device, Given, Json, Output, Overwrite, RowsData, Stored

__all__ = ["traverse"]


def traverse(
    run: Stored,
    data: RowsData = None,
    n: Annotated[int, typer.Option("-n", help="Steps along each dimension of z.")] = 8,
    dimensions: Annotated[
        str, typer.Option("--dimensions", help="How many, those that change x most; or which: 0,3,5.")
    ] = "10",
    span: Annotated[float, typer.Option("--span", help="How far, in standard deviations of P(z).")] = 2.5,
    row: Annotated[
        int | None, typer.Option("--row", help="Start at the code of this row; at the mean of P(z) unless given.")
    ] = None,
    given: Given = None,
    output: Output = None,
    overwrite: Overwrite = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Move one number of z after the other: what each does to x, a grid of pictures with a line each or a table."""
    from likely.cli.loading import opened
    from likely.cli.options import given_values
    from likely.cli.output import demand_writable_output, write_or_print
    from likely.cli.show import print_notice

    demand_writable_output(output, overwrite=overwrite)
    fitted = opened(run, device)
    which = _dimensions(dimensions)
    walk = fitted.traverse(n=n, dimensions=which, span=span, row=row, data=data, given=given_values(given) or None)
    print_notice(f"dimensions of z, a line each: {', '.join(map(str, walk.dimensions))}")
    write_or_print(fitted.schema, _lines(walk.rows, output), output, overwrite=overwrite, json=json, columns=n)


def _dimensions(text: str) -> int | list[int]:
    from likely.errors import ConfigError, quoted

    try:
        numbers = [int(word) for word in text.split(",") if word]
    except ValueError:
        numbers = []
    if not numbers:
        raise ConfigError(f"--dimensions takes a number of them, or which: 0,3,5; got {quoted(text)}")
    return numbers if "," in text else numbers[0]


def _lines(rows: Any, output: Path | None) -> Any:
    """Of arrays that become pictures the lines one after the other."""
    from likely.data.sources.formats import writers

    writer = None if output is None else writers().get(output.suffix.lower())
    if hasattr(rows, "columns") or hasattr(rows, "to_pandas") or (writer is not None and writer.array is not None):
        return rows
    return rows.reshape(-1, *rows.shape[2:])
