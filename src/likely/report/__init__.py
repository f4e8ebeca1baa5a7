"""From what a run found to one HTML file: plain arrays and frames in, a page that needs nothing else out."""

from likely.report.findings import Findings
from likely.report.grid import grid

__all__ = ["Findings", "grid", "render"]


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
