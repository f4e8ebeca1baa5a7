"""Rows drawn from the learned distribution, in the terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from likely.cli.arguments import Beyond, Device, Json, Output, Overwrite, ResumedOutput, Seed, Stored

__all__ = ["sample"]


def sample(
    run: Stored,
    n: Annotated[int, typer.Option("-n", help="How many rows.")] = 100,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--given",
            metavar="COLUMN=VALUE",
            help="What rows must be: a condition's value; of a modelled column also !=, <, <=, >, >=, and A|B for or.",
        ),
    ] = None,
    mean: Annotated[bool, typer.Option("--mean", help="The mean of P(x|z) instead of a draw from it.")] = False,
    with_missing: Annotated[
        bool, typer.Option("--with-missing", help="Leave cells out as often as training rows miss them, whatever x is.")
    ] = False,
    with_holes: Annotated[
        bool, typer.Option("--with-holes", hidden=True, help="--with-missing, by its earlier name.")
    ] = False,
    beyond_range: Beyond = False,
    temperature: Annotated[
        float,
        typer.Option(
            "--temperature", help="Multiply the normal numbers behind z: below 1 more usual rows, no draws of P(x)."
        ),
    ] = 1.0,
    seed: Seed = 0,
    output: Output = None,
    overwrite: Overwrite = False,
    resume: ResumedOutput = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Draw rows from the learned P(X): z from P(z), then x from P(x|z)."""
    from likely.cli.loading import opened
    from likely.cli.many import Target
    from likely.cli.output import print_condition_probability, print_range_notice, write_or_print
    from likely.cli.sample import drawn_in_parts, many
    from likely.run.sample import SampleOptions, drawn
    from likely.run.tempering import statement

    target = Target(output, overwrite, resume, json)
    target.demand_writable()
    fitted = opened(run, device)
    options = SampleOptions(given or None, mean, with_missing or with_holes, beyond_range, temperature, seed)
    if many(fitted, n, target):
        drawn_in_parts(fitted, n, options, target)
        return
    draws = drawn(fitted, n, options)
    print_condition_probability(draws)
    said = statement(temperature)
    write_or_print(
        fitted.schema, draws, output, overwrite=overwrite, json=json, beside={"temperature": said} if said else None
    )
    print_range_notice(draws)
