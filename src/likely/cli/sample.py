"""Any number of rows drawn from P(x), a part at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from likely.cli.many import Target, Work, deliver, identity, part_rows
from likely.cli.output import Ranges, print_condition_probability
from likely.cli.rows import as_table, is_table
from likely.config import demand_whole
from likely.errors import OutputError
from likely.run.sample import SampleOptions, drawn
from likely.run.tempering import statement

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["drawn_in_parts", "many"]

AT_ONCE = 2**24  # cells that are drawn together, so that rows of a seed are those that they always were


def many(run: Run, n: int, target: Target) -> bool:
    """Whether rows are drawn and written a part at a time."""
    folder = target.output is not None and not target.output.suffix
    return target.resume or n * run.schema.dims > AT_ONCE or (folder and is_table(run, target.output))


def drawn_in_parts(run: Run, n: int, options: SampleOptions, target: Target) -> None:
    """Draw and write rows.

    Up to 2^24 cells are drawn together. Of more the first part has the seed, and each of the others one of its own,
    which (seed, number of the part) makes: it does not matter where drawing was interrupted.
    """
    demand_whole("n", n)
    if target.output is None and n * run.schema.dims > AT_ONCE:
        raise OutputError(f"{n:,} rows are too many to print; write them to a file or a folder: -o FOLDER/")
    size = n if n * run.schema.dims <= AT_ONCE else part_rows(run.schema.dims)
    frames, ranges, quiet = is_table(run, target.output), Ranges(), replace(run, progress=False)

    def results(first: int) -> Iterator[Any]:
        for part in range(first, -(-n // size)):
            rows = drawn(quiet, min(size, n - part * size), replace(options, seed=_seed(options.seed, part)))
            if part == first:
                print_condition_probability(rows)
            ranges.add(rows)
            yield as_table(rows, frames=frames)

    def beside() -> Mapping[str, Any]:
        said = statement(options.temperature)
        return {"temperature": said} if said else {}

    asked = {"verb": "sample", **identity(run), "rows": n, "part": size, **asdict(options)}
    deliver(Work("sample", asked, n, size, frames, results, beside), run.schema, target)
    ranges.say()


def _seed(seed: int, part: int) -> int:
    """The seed itself for the first part; for others one of 63 bits (numpy's SeedSequence)."""
    if part == 0:
        return seed
    return int(np.random.SeedSequence([seed, part]).generate_state(1, np.uint64)[0] >> np.uint64(1))
