"""The demonstration on real data that needs no download."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from likely.cli.arguments import Overwrite, Seed

__all__ = ["demo"]


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Directory for the run and its report.")] = Path(
        "demo"
    ),
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> int:
    """Fit the 1,797 handwritten digits that ship with scikit-learn, and report."""
    from likely.cli.demo import run_demo

    return run_demo(output, seed=seed, overwrite=overwrite)
