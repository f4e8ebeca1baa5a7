"""Ledgers of several runs side by side, in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from likely.cli.arguments import Device, Given, Json, Seed

if TYPE_CHECKING:
    from likely.run.compare import Comparison

__all__ = ["compare"]


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Directories of fitted runs, two or more.")],
    data: Annotated[
        str | None,
        typer.Option("--data", help="The rows; unless given the stored test rows, if they are the same."),
    ] = None,
    given: Given = None,
    samples: Annotated[int, typer.Option(help="K of the importance-weighted bound.")] = 500,
    seed: Seed = 0,
    device: Device = None,
    json: Json = False,
) -> None:
    """Compare runs on the same rows, term by term: each ledger, and what is more than the first run's, with its errors.

    Refused where a column's base measure differs: a density and a probability, or masses of other cells.
    """
    import likely
    from likely.cli import show
    from likely.cli.loading import opened
    from likely.cli.options import given_values

    comparison = likely.compare(
        [opened(run, device) for run in runs], data, given=given_values(given) or None, samples=samples, seed=seed
    )
    if json:
        show.document(comparison.to_dict())
        return
    show.say(show.IDENTITY, _table(comparison))
    for name, given_ in zip(comparison.runs, comparison.given, strict=True):
        if given_:
            show.say(f"{name} is of P(x|{', '.join(given_)})")
    alike = len(set(comparison.split)) == 1
    for name, split in () if alike else zip(comparison.runs, comparison.split, strict=True):
        show.say(f"to {name} the rows are: {split}")
    what = f"{comparison.rows} rows ({comparison.split[0]})" if alike else f"{comparison.rows} rows"
    show.say(
        f"{what}, measure: {comparison.measure}, K {comparison.samples}, "
        f"seed {comparison.seed}; {comparison.counting}; differences are "
        "row by row: se over rows, se_mc from sampling z"
    )


def _table(comparison: Comparison) -> Any:
    from rich.table import Table

    from likely.cli import show

    table = Table(box=None, pad_edge=False)
    for name in ("term", "run"):
        table.add_column(name)
    for name in ("nats/row", "se", "se_mc", "more than the first", "se", "se_mc"):
        table.add_column(name, justify="right")
    for _, line in comparison.frame().iterrows():
        less = line["difference"] == line["difference"]
        numbers = [f"{line['nats']:.3f}", f"{line['se']:.3f}", f"{line['se_mc']:.4f}"]
        parts = (("difference", "+.3f"), ("difference_se", ".3f"), ("difference_se_mc", ".4f"))
        numbers += [format(line[name], form) for name, form in parts] if less else ["", "", ""]
        show.line(table, line["term"], line["run"], *numbers)
    return table
