"""Rows ranked by how improbable they are."""

from __future__ import annotations

from typing import Annotated

import typer

from likely.cli.arguments import Data, Device, Given, Json, Output, Overwrite, Seed, Stored
from likely.cli.loading import opened

__all__ = ["anomalies"]


def anomalies(
    run: Stored,
    data: Data,
    n: Annotated[int, typer.Option("-n", help="How many rows to print.")] = 20,
    false_alarms: Annotated[
        float | None, typer.Option(metavar="RATE", help="Mark anomalies, at most this share of rows that are none.")
    ] = None,
    given: Given = None,
    samples: Annotated[int, typer.Option("--samples", help="Draws of z a row.")] = 100,
    seed: Seed = 0,
    output: Output = None,
    overwrite: Overwrite = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Rank the rows of DATA by -log P(x), with what each column contributes to it.

    Where cells are missing rows are ranked by `tail` instead: of 200 rows drawn from the model, with the same cells
    taken out, the share that is no more probable than the row ((1 + count)/201), since log P(x) of few cells is not to
    be compared with that of many. `p-value`: the share of the run's test rows that rank as high. `anomaly`, with
    --false-alarms: yes where the p-value is at most the rate.
    """
    from likely.cli.anomalies import anomalous
    from likely.cli.options import given_values
    from likely.cli.output import demand_writable_output

    demand_writable_output(output, overwrite=overwrite)
    fitted = opened(run, device)
    ranked = fitted.anomalies(data, given=given_values(given), false_alarms=false_alarms, samples=samples, seed=seed)
    anomalous(fitted, data, ranked, n=n, output=output, overwrite=overwrite, json=json)
