"""The ledger of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from likely.cli import show
from likely.cli.arguments import Device, Given, Json, Overwrite, Seed, Stored
from likely.cli.loading import opened

__all__ = ["evaluate"]


def evaluate(
    run: Stored,
    data: Annotated[str | None, typer.Argument(help="Rows to evaluate; the stored test rows unless given.")] = None,
    given: Given = None,
    samples: Annotated[
        int | None,
        typer.Option(
            help="K of the importance-weighted bound and the other estimates, of all rows. Unless told 500; of a "
            "hierarchy:conv 50, of 2,000 rows at most."
        ),
    ] = None,
    anneal: Annotated[
        int | None,
        typer.Option(
            metavar="ROWS",
            help="Anneal at most so many rows; 0 for none. Unless told 100; of a hierarchy:conv none, and those "
            "told within about ten minutes, or 50 of them by 8 temperatures, unless --precise.",
        ),
    ] = None,
    precise: Annotated[
        bool, typer.Option("--precise", help="Anneal with more temperatures and chains: within 0.1 nats, not 0.5.")
    ] = False,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Bound log P(x) of 100 simulated rows from both sides.")
    ] = False,
    rivals: Annotated[
        bool, typer.Option("--rivals", help="Compare with a neural spline flow too, trained as long as the model was.")
    ] = False,
    seed: Seed = 0,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where to write the values of each row: csv or parquet.")
    ] = None,
    overwrite: Overwrite = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Print the ledger: every term of log P(X) - D[Q(z|X)||P(z|X)] = E_Q[log P(X|z)] - D[Q(z|X)||P(z)]."""
    from likely.cli.options import given_values
    from likely.cli.output import demand_writable_output, save_frame
    from likely.cli.split import numbered_by

    demand_writable_output(output, overwrite=overwrite)
    fitted = opened(run, device)
    assessment = fitted.assess(
        data,
        given=given_values(given),
        samples=samples,
        seed=seed,
        anneal=anneal,
        precise=precise,
        calibrate=calibrate,
        rivals=rivals,
    )
    if output is not None:
        save_frame(numbered_by(fitted, data, assessment.frame()), output, overwrite=overwrite)
    show.ledger(assessment.ledger, json=json)
