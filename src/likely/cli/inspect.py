"""What a data set is inferred as: in the terminal, one line and a small picture a column; or a page, or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from likely.cli.show import console, document, line, print_notice, say
from likely.data.kinds import Kind
from likely.errors import OutputError
from likely.files import refuse_existing, write

if TYPE_CHECKING:
    from likely.data import Column
    from likely.data.summary import Summary
    from likely.run.inspect import Inspection

__all__ = ["demand_writable_output", "inspection", "sparkline"]

BLOCKS, ASCII = " ▁▂▃▄▅▆▇█", " .:-=+*#@"
PICTURE, NAME = 16, 24  # characters of a histogram, and of a column's name where the terminal is narrow
WIDE = 120  # characters of a line from which names stand whole
MAX_VALUES, MAX_NAMES = 4, 12  # frequent values shown of a column, columns named that are left out
MIN_OFTEN = 0.3  # share of the rows from which one value is named beside the range


def demand_writable_output(path: Path | None, *, overwrite: bool) -> None:
    """Refuse a page that cannot be written, before anything is read.

    Raises
    ------
    OutputError
        If it exists and may not be replaced, or is no name of a page.

    """
    if path is None:
        return
    if path.suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"{path}: the page of an inspection is HTML; give a name that ends in .html")
    refuse_existing(path, overwrite=overwrite)


def inspection(inspected: Inspection, *, name: str, output: Path | None, json: bool) -> None:
    """The inferred schema, printed or written."""
    if output is not None:
        from likely.report import render_inspection

        write(output, render_inspection(inspected, Path(name).name), parents=True)
        print_notice(f"wrote {output}")
    if json:
        document(inspected.to_dict())
    elif output is None:
        _printed(inspected)


def _printed(inspected: Inspection) -> None:
    splits = ", ".join(f"{name}: {count}" for name, count in inspected.splits.items())
    used = ", ".join(f"{name} {count}" for name, count in inspected.used.items())
    say(
        f"{inspected.form} of rows of shape {inspected.schema.given_shape}; rows {splits}; used as {used}",
        _table(inspected),
    )
    left_out = [column.name for column in inspected.schema.columns if column.left_out]
    if left_out:
        more = f" and {len(left_out) - MAX_NAMES} more" if len(left_out) > MAX_NAMES else ""
        say(f"left out of the model: {', '.join(left_out[:MAX_NAMES])}{more}; --column NAME=KIND takes one in")
    if len(inspected.summaries) < len(inspected.schema.columns):
        say(f"pictures are of the first {len(inspected.summaries)} of {len(inspected.schema.columns)} columns")
    told = ", ".join(f"{name} {size}" for name, size in inspected.sizes.items())
    say(f"a fit would take {told}")
    for notice in inspected.notices:
        say(f"note: {notice}")


def _table(inspected: Inspection) -> Any:
    """One line a column; two where the terminal is narrow, the second with the reason."""
    from rich.table import Table

    terminal, columns = console(), inspected.schema.columns
    summaries: list[Summary | None] = [*inspected.summaries, *[None] * len(columns)]
    pairs = list(zip(columns, summaries, strict=False))
    gaps = [column.missing if summary is None else summary.missing for column, summary in pairs]
    wide, blocks = terminal.width >= WIDE, ASCII if terminal.options.ascii_only else BLOCKS
    table = Table(box=None, pad_edge=False)
    table.add_column("column", max_width=None if wide else NAME, overflow="ellipsis")
    table.add_column("kind", no_wrap=True)
    if wide:
        table.add_column("type")
    if any(gaps):
        table.add_column("missing", justify="right", no_wrap=True)
    table.add_column("range" if wide else "range, and why", overflow="fold")
    table.add_column("picture", no_wrap=True, min_width=PICTURE)
    if wide:
        table.add_column("why")
    for (column, summary), missing in zip(pairs, gaps, strict=True):
        name = "all cells" if inspected.schema.cells_alike and not column.condition else column.name
        why = f"{column.kind}: {column.reason}" if column.condition else column.reason
        cells = [name, "condition" if column.condition else column.kind]
        cells += [column.dtype] if wide else []
        cells += [_share(missing, summary, inspected.schema.rows)] if any(gaps) else []
        span = _span(column, summary)
        cells += [span if wide else f"{span}\n{why}".strip(), sparkline(summary, blocks) if summary else ""]
        line(table, *cells, *([why] if wide else []))
    return table


def _share(missing: int, summary: Summary | None, rows: int) -> str:
    from likely.data.summary import percent

    of = rows if summary is None else summary.present + summary.missing
    return f"{missing} ({percent(missing / of)})" if missing else ""


def _span(column: Column, summary: Summary | None) -> str:
    """Range of numbers and dates, with a value that occurs often; first categories; else how many values there are."""
    from likely.data.summary import short

    if column.categories:
        often = column.categories if summary is None or not summary.top else [value for value, _ in summary.top]
        more = f", ... ({len(column.categories)})" if len(column.categories) > MAX_VALUES else ""
        return ", ".join(str(value).strip() for value in often[:MAX_VALUES]) + more
    if summary is not None and summary.span is not None:
        return "; ".join(text for text in (" .. ".join(summary.span), summary.often(MIN_OFTEN)) if text)
    if column.low is not None and column.high is not None and column.kind != Kind.DATE:
        return f"{short(column.low)} {'or' if column.kind == Kind.BINARY else '..'} {short(column.high)}"
    return "" if summary is None else f"{summary.distinct} different"


def sparkline(summary: Summary, blocks: str = BLOCKS, width: int = PICTURE) -> str:
    """Counts as characters that rise with them: bins from low to high, or values from the most frequent on.

    One or two spikes of a histogram are cut where they would flatten all the rest; what occurs at all is never blank.
    """
    from likely.data.histogram import ceiling

    counts = np.array(summary.counts or [count for _, count in summary.top])
    if not counts.size:
        return ""
    counts = np.add.reduceat(counts, np.arange(0, len(counts), -(-len(counts) // width)))
    top = ceiling(counts) if summary.counts else counts.max()
    levels = np.ceil((len(blocks) - 1) * np.minimum(counts / top, 1)).astype(int)
    return "".join(blocks[level] for level in levels)
