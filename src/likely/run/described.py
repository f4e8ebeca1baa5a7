"""A run and an inspection at a glance: at most 25 lines, as a text or as HTML."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from likely.assembly import words
from likely.data import Column, shown
from likely.data.kinds import Kind

if TYPE_CHECKING:
    from likely.run.inspect import Inspection
    from likely.run.run import Run

__all__ = ["Listing", "described", "listed"]

MAX_LINES, MAX_CELL = 18, 60  # columns listed; characters of a cell


@dataclass(frozen=True)
class Listing:
    """A title, a table whose cells are texts, and notes below it."""

    title: str
    rows: Sequence[Sequence[str]]
    header: Sequence[str] = ()
    notes: Sequence[str] = ()

    def text(self) -> str:
        """The listing as text, its columns side by side."""
        lines = [[_short(cell) for cell in line] for line in ([self.header] if self.header else []) + list(self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = ["  ".join(f"{cell:{n}}" for cell, n in zip(line, widths, strict=True)).rstrip() for line in lines]
        return "\n".join([self.title, *(f"  {line}" for line in table), *self.notes])

    def html(self) -> str:
        """The listing as an HTML table, for notebooks."""
        from html import escape

        def line(cells: Sequence[str], tag: str) -> str:
            tagged = "".join(f'<{tag} style="text-align:left">{escape(_short(cell))}</{tag}>' for cell in cells)
            return f"<tr>{tagged}</tr>"

        head = line(self.header, "th") if self.header else ""
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        body = "".join(line(cells, "td") for cells in self.rows)
        return f"<p><b>{escape(self.title)}</b></p><table>{head}{body}</table>{notes}"


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= MAX_CELL else f"{flat[: MAX_CELL - 3]}..."


def described(run: Run) -> Listing:
    """A listing of what a run is of, how it was fitted, and how good it was in training."""
    schema, model, named, record = run.schema, run.config.model, words(run.config), run.record
    kinds = Counter(column.kind for column in schema.modelled)
    left_out = [column.name for column in schema.columns if column.left_out]
    parts = {kind: len(getattr(run.division, kind)) for kind in ("train", "validation", "test")}
    given = ", ".join(column.name for column in schema.conditions)
    what = f"{schema.form} of shape {schema.event_shape}" if schema.cells_alike else f"{schema.dims} columns"
    facts = {
        "learned": f"P(x|{given})" if given else "P(x)",
        "x": f"{what}: {', '.join(f'{count} {kind}' for kind, count in kinds.items())}",
        "left out": ", ".join(left_out),
        "measure": run.measure,
        "rows": ", ".join(f"{kind} {count:,}" for kind, count in parts.items()),
        "data": str(record.data.path or record.data.container or ""),
        **{room: named[room] for room in ("prior", "posterior", "likelihood")},
        "network": f"{named['network']}, latent {model.latent}, width {model.width}",
        "members": str(model.members) if model.members > 1 else "",
        "objective": named["objective"],
        "training": f"{run.steps} steps in {record.seconds:.1f} s",
        "validation ELBO": f"{run.best:.3f} nats a row{doubt(run)}" if math.isfinite(run.best) else "",
        "directory": str(run.directory or ""),
        "notices": f"{len(run.notices)}, in run.notices" if run.notices else "",
    }
    return Listing("likely.Run", [(name, text) for name, text in facts.items() if text])


def doubt(run: Run) -> str:
    """A doubt in words about a validation ELBO that no probability can have; empty where one can."""
    if run.measure != "mass" or run.best <= 0:
        return ""
    return " by one sample a row, which is chance: log P(x) of a mass is at most 0"


def listed(inspected: Inspection) -> Listing:
    """A listing of what the columns are inferred as."""
    columns = inspected.schema.columns
    used = ", ".join(f"{kind} {count:,}" for kind, count in inspected.used.items())
    rows = [_line(column, cells_alike=inspected.schema.cells_alike) for column in columns[:MAX_LINES]]
    notes = [f"{len(columns) - MAX_LINES:,} more columns, in .schema.columns"] if len(columns) > MAX_LINES else []
    notes += [f"{len(inspected.notices)} notices, in .notices"] if inspected.notices else []
    title = f"{inspected.form} of rows of shape {inspected.schema.event_shape}: {used}"
    return Listing(title, rows, ("column", "kind", "missing", "range", "why"), notes)


def _line(column: Column, *, cells_alike: bool) -> tuple[str, ...]:
    span = ""
    if column.categories and column.kind != Kind.LISTED:
        span = ", ".join(str(value).strip() for value in column.categories[:4])
    elif column.low is not None and column.high is not None:
        span = f"{shown(column, column.low)} .. {shown(column, column.high)}"
    name = "all cells" if cells_alike and not column.condition else column.name
    kind = "condition" if column.condition else column.kind
    return name, kind, str(column.missing or ""), span, column.reason
