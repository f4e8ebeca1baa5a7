"""log P(x) of each row."""

from __future__ import annotations

from typing import Annotated

import typer

from likely.cli.arguments import Data, Device, Given, Json, Output, Overwrite, ScoreSamples, Seed, Stored
from likely.cli.loading import opened

__all__ = ["score"]


def score(
    run: Stored,
    data: Data,
    given: Given = None,
    samples: ScoreSamples = 100,
    seed: Seed = 0,
    precise: Annotated[
        bool,
        typer.Option(
            "--precise", help="Of pictures and arrays too, optimise Q for rows with few effective draws of z."
        ),
    ] = False,
    output: Output = None,
    overwrite: Overwrite = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Score each row of DATA: its number, log P(x), its Monte Carlo error and the ELBO, in nats.

    Beside them an interval for log P(x), the effective number of draws of z, and whether there were enough.
    """
    from likely.cli.options import given_values
    from likely.cli.output import demand_writable_output, write_or_print
    from likely.cli.split import numbered

    demand_writable_output(output, overwrite=overwrite)
    fitted = opened(run, device)
    scores = fitted.score(data, given=given_values(given), samples=samples, seed=seed, precise=precise)
    write_or_print(fitted.schema, numbered(fitted, data, scores), output, overwrite=overwrite, json=json)
