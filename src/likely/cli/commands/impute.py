"""Missing cells filled."""

from __future__ import annotations

from typing import Annotated

import typer

from likely.cli.arguments import Beyond, Data, Device, Given, Json, Output, Overwrite, Seed, Stored
from likely.cli.loading import opened

__all__ = ["impute"]


def impute(
    run: Stored,
    data: Data,
    draws: Annotated[
        int | None, typer.Option(metavar="M", help="M complete data sets, one after the other, numbered by `draw`.")
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
    device: Device = None,
    json: Json = False,
) -> None:
    """Fill the missing cells of DATA by what the observed ones say of them."""
    from likely.cli.impute import one_document
    from likely.cli.options import given_values
    from likely.cli.output import demand_writable_output, print_range_notice, write_or_print

    demand_writable_output(output, overwrite=overwrite)
    fitted = opened(run, device)
    filled = fitted.impute(
        data,
        given=given_values(given),
        draws=draws,
        mode=mode,
        deviation=deviation,
        beyond_range=beyond_range,
        samples=samples,
        seed=seed,
    )
    write_or_print(fitted.schema, one_document(filled), output, overwrite=overwrite, json=json)
    print_range_notice(filled[0] if draws else filled)
