"""From what a run found to one HTML file: plain arrays and frames in, a page that needs nothing else out."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from likely.errors import OutputError
from likely.files import refuse_existing, refuse_unwritable, write
from likely.report.findings import Findings

if TYPE_CHECKING:
    from likely.run.inspect import Inspection
    from likely.run.run import Run

__all__ = ["Findings", "render", "render_inspection", "write_report"]


def render(findings: Findings) -> str:
    """
    Write the report as one self-contained HTML document.

    Parameters
    ----------
    findings
        What is to be shown. A part that is ``None`` or empty leaves its section out.

    Returns
    -------
    str
        HTML with its style and figures inside: no scripts, no links to anything outside.
    """
    from likely.report.page import page

    return page(findings)


def render_inspection(inspected: Inspection, name: str) -> str:
    """
    Write the inferred schema of a data set as one self-contained HTML document, with a picture of every column.

    Parameters
    ----------
    inspected
        What `likely.inspect` gave.
    name
        Of the data, for the heading.
    """
    from likely.report.inspected import page

    return page(inspected, name)


def write_report(run: Run, path: str | Path | None = None, *, overwrite: bool = False) -> Path:
    """
    Collect what a run found, render it, and write the page whole.

    Parameters
    ----------
    run
        A fitted run.
    path
        Where to; ``report.html`` in the run's directory unless given.
    overwrite
        Replace an existing file.

    Raises
    ------
    OutputError
        If there is nowhere to write, or the file exists and may not be replaced.
    """
    from likely.report.collect import collect

    if path is None and run.directory is None:
        raise OutputError("this run has no directory; give a path for the report")
    target = Path(path) if path is not None else Path(run.directory or ".") / "report.html"
    if target.is_dir():
        target = target / "report.html"
    refuse_existing(target, overwrite=overwrite)
    refuse_unwritable(target)
    page = render(collect(run))
    seal = f"<!-- of run {run.record.id}; SHA-256 of all before this line: {sha256(page.encode()).hexdigest()} -->\n"
    write(target, page + seal, parents=True)
    return target
