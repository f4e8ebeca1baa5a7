"""Rows ranked by how improbable they are."""

from __future__ import annotations

from typing import Annotated

import typer

from likely.cli.arguments import Data, Device, Given, Json, Output, Overwrite, ResumedOutput, Seed, Stored
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
    resume: ResumedOutput = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Rank the rows of DATA by -log P(x), with what each column contributes to it.

    Where cells are missing rows are ranked by `tail` instead: of 200 rows drawn from the model, with the same cells
    taken out, the share that is no more probable than the row ((1 + count)/201), since log P(x) of few cells is not to
    be compared with that of many. `p-value`: the share of the run's test rows that rank as high. `anomaly`, with
    --false-alarms: yes where the p-value is at most the rate. Rows that are too many for the memory, or go to a folder,
    are written in the order of DATA, without their rank.
    """
    from likely.cli.anomalies import anomalous, anomalous_in_parts
    from likely.cli.many import Target
    from likely.cli.options import given_values
    from likely.cli.rows import DataRows
    from likely.run.anomalies import AnomalyOptions

    target = Target(output, overwrite, resume, json)
    target.demand_writable()
    fitted = opened(run, device)
    rows = DataRows.opened(fitted, data)
    values = given_values(given)
    if target.in_parts(rows.store, frames=True):
        options = AnomalyOptions(false_alarms, samples, seed)
        anomalous_in_parts(rows, options, target, given=values, n=n)
        return
    ranked = fitted.anomalies(rows.source, given=values, false_alarms=false_alarms, samples=samples, seed=seed)
    anomalous(fitted, rows.source, ranked, n=n, output=output, overwrite=overwrite, json=json)
