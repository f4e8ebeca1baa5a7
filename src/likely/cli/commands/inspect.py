"""What a data set is inferred to be, before anything is fitted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from likely.cli.arguments import (
    Background,
    Binarized,
    Channels,
    Conditions,
    Data,
    Exposed,
    Json,
    Kinds,
    Limited,
    Overwrite,
    Resize,
    Seed,
    Split,
    Weighted,
)
from likely.cli.read_options import Dated, Decimal, Separator

__all__ = ["inspect"]


def inspect(
    ctx: typer.Context,
    data: Data,
    column: Kinds = None,
    condition: Conditions = None,
    binarize: Binarized = None,
    resize: Resize = None,
    background: Background = None,
    channels: Channels = None,
    limits: Limited = None,
    separator: Separator = None,
    decimal: Decimal = None,
    date_format: Dated = None,
    exposure: Exposed = None,
    weight: Weighted = None,
    split: Split = "random",
    seed: Seed = 0,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write a page of pictures: a name that ends in .html.")
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Say what each column of DATA is inferred as, and why; with a picture of each."""
    import likely
    from likely.cli.inspect import demand_writable_output, inspection
    from likely.cli.options import data_keywords

    demand_writable_output(output, overwrite=overwrite)
    inspected = likely.inspect(
        data,
        **data_keywords(ctx.params),
        seed=seed,
    )
    inspection(inspected, name=data, output=output, json=json)
