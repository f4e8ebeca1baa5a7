"""How probable an event is for each row, in the terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from likely.cli.arguments import Data, Device, Given, Json, Output, Overwrite, Seed, Stored

__all__ = ["ask"]

Events = Annotated[
    list[str],
    typer.Argument(
        metavar="EVENT...",
        help='What is asked: "income=>50K", "age>50", "sex!=Male", "town=A|B"; "age>50 & sex=Male" for both together.',
    ),
]


def ask(
    run: Stored,
    data: Data,
    events: Events,
    given: Given = None,
    samples: Annotated[int, typer.Option("--samples", help="Draws of z a row.")] = 200,
    seed: Seed = 0,
    output: Output = None,
    overwrite: Overwrite = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Predict: the probability of each EVENT for every row of DATA, given all its other columns.

    The columns that an event is about count as missing, whatever they hold, and need not be there. Beside each
    probability stands its error from sampling z.
    """
    from likely.cli.loading import opened
    from likely.cli.options import given_values
    from likely.cli.output import demand_writable_output, write_or_print
    from likely.cli.split import numbered

    demand_writable_output(output, overwrite=overwrite)
    fitted = opened(run, device)
    answers = fitted.ask(data, events, given=given_values(given), samples=samples, seed=seed)
    write_or_print(fitted.schema, numbered(answers), output, overwrite=overwrite, json=json)
