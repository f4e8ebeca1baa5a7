"""log P(x) of each row."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from likely.cli.arguments import Data, Device, Given, Json, Output, Overwrite, ResumedOutput, ScoreSamples, Seed, Stored
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
    resume: ResumedOutput = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Score each row of DATA: its number, log P(x), its Monte Carlo error and the ELBO, in nats.

    Beside them an interval for log P(x), the effective number of draws of z, and whether there were enough.
    """
    from likely.cli.many import Target
    from likely.cli.options import given_values
    from likely.cli.output import write_or_print
    from likely.cli.rows import DataRows
    from likely.cli.split import numbered

    target = Target(output, overwrite, resume, json)
    target.demand_writable()
    fitted = opened(run, device)
    rows = DataRows.opened(fitted, data)
    how: dict[str, Any] = {"given": given_values(given), "samples": samples, "seed": seed, "precise": precise}
    if target.in_parts(rows.store, frames=True):
        rows.deliver(
            "score", how, lambda run, part, first: numbered(run.score(part, **how), first), target, frames=True
        )
        return
    scores = numbered(fitted.score(rows.source, **how))
    write_or_print(fitted.schema, scores, output, overwrite=overwrite, json=json)
