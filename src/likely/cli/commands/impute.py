"""Missing cells filled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from likely.cli.arguments import Beyond, Data, Device, Given, Json, Output, Overwrite, ResumedOutput, Seed, Stored
from likely.cli.loading import opened
from likely.errors import OutputError

if TYPE_CHECKING:
    from likely.data import Source
    from likely.run.run import Run

__all__ = ["impute"]


def impute(
    run: Stored,
    data: Data,
    draws: Annotated[
        int | None,
        typer.Option(
            metavar="M",
            help="M complete data sets, one after the other (of each part of many rows), numbered by `draw`.",
        ),
    ] = None,
    mode: Annotated[bool, typer.Option("--mode", help="The most probable number instead of the mean.")] = False,
    deviation: Annotated[
        bool, typer.Option("--deviation", help="Also each filled cell's standard deviation, in columns NAME_sd.")
    ] = False,
    beyond_range: Beyond = False,
    given: Given = None,
    samples: Annotated[int, typer.Option("--samples", help="Draws of z a row.")] = 200,
    seed: Seed = 0,
    output: Output = None,
    overwrite: Overwrite = False,
    resume: ResumedOutput = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Fill the missing cells of DATA by what the observed ones say of them."""
    from likely.cli.impute import one_document
    from likely.cli.many import Target
    from likely.cli.options import given_values
    from likely.cli.output import Ranges, print_range_notice, write_or_print
    from likely.cli.rows import DataRows, as_table, is_table

    target = Target(output, overwrite, resume, json)
    target.demand_writable()
    fitted = opened(run, device)
    rows = DataRows.opened(fitted, data)
    how: dict[str, Any] = {"given": given_values(given), "draws": draws, "mode": mode, "deviation": deviation}
    how |= {"beyond_range": beyond_range, "samples": samples, "seed": seed}
    frames = is_table(fitted, output)
    if target.in_parts(rows.store, frames=frames):
        if not frames and (draws or deviation):
            raise OutputError("several arrays of many rows do not go into one; leave --draws and --deviation out")
        ranges = Ranges()

        def of_part(run: Run, part: Source, _: int) -> Any:
            filled = run.impute(part, **how)
            ranges.add(filled[0] if draws else filled)
            return as_table(one_document(filled), frames=frames)

        rows.deliver("impute", how, of_part, target, frames=frames)
        ranges.say()
        return
    filled = fitted.impute(rows.source, **how)
    write_or_print(fitted.schema, one_document(filled), output, overwrite=overwrite, json=json)
    print_range_notice(filled[0] if draws else filled)
