"""The report of a run."""

from __future__ import annotations

from likely.cli.arguments import Output, Overwrite, Stored
from likely.cli.loading import opened
from likely.errors import visible

__all__ = ["report"]


def report(run: Stored, output: Output = None, overwrite: Overwrite = False) -> None:
    """Write the report: one self-contained HTML file with pictures, into RUN by default."""
    print(visible(str(opened(run).report(output, overwrite=overwrite or output is None))))
