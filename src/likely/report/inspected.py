"""The page of an inspection: what each column is inferred as, why, and what it holds."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from likely.report.figures_inspected import column as picture
from likely.report.page import shell
from likely.report.theme import svg

if TYPE_CHECKING:
    from likely.data import Column
    from likely.data.summary import Summary
    from likely.run.inspect import Inspection

__all__ = ["page"]

_MIN_OFTEN = 0.1  # share of the rows from which one value is named
_MAX_LISTED = 2000  # columns without a picture that have a line


def page(inspected: Inspection, name: str) -> str:
    """Write the page: facts about all rows, one card a column, and the names of those that have none."""
    schema = inspected.schema
    pairs = list(zip(schema.columns, inspected.summaries, strict=False))
    cards = "".join(_card(column, summary, cells_alike=schema.cells_alike) for column, summary in pairs)
    rest = schema.columns[len(pairs) :]
    more = ""
    if rest:
        listed = "".join(
            f"<tr><td>{escape(column.name)}</td><td>{column.kind}</td><td>{escape(column.reason)}</td></tr>"
            for column in rest[:_MAX_LISTED]
        )
        hidden = f" The last {len(rest) - _MAX_LISTED:,} of them are not listed." if len(rest) > _MAX_LISTED else ""
        more = (
            f"<section><h2>Columns without a picture</h2><p>Pictures are of the first {len(pairs):,} of "
            f"{len(schema.columns):,} columns.{hidden}</p><div class='scroll'><table class='rows'><thead><tr>"
            f"<th>column</th><th>kind</th><th>why</th></tr></thead><tbody>{listed}</tbody></table></div></section>"
        )
    title = escape(name)
    header = (
        '<p class="kicker">What the data are inferred as, before anything is fitted</p>'
        f"<h1>{title}</h1>{''.join(f'<p class=notice>{escape(notice)}</p>' for notice in inspected.notices)}"
        f"{_facts(inspected)}"
    )
    return shell(f"Inspection of {title}", header, f'<section><div class="cards">{cards}</div></section>{more}')


def _facts(inspected: Inspection) -> str:
    schema = inspected.schema
    rows = inspected.used
    left_out = sum(column.left_out for column in schema.columns)
    cells = schema.rows * len(schema.columns)
    missing = sum(column.missing for column in schema.columns)
    facts = {
        "form": f"{inspected.form}, rows of shape {' x '.join(map(str, schema.given_shape))}",
        "rows": f"{rows['train']:,} train, {rows['validation']:,} validation, {rows['test']:,} test",
        "columns": f"{len(schema.columns):,}, {left_out:,} of them left out",
        "missing": f"{missing:,} cells of the training rows ({100 * missing / cells:.2g} %)" if missing else "none",
        "a fit would take": ", ".join(f"{name} {size}" for name, size in inspected.sizes.items()),
        "shown": "training rows alone: all that a model may know",
    }
    pairs = "".join(f"<div><dt>{name}</dt><dd>{escape(text)}</dd></div>" for name, text in facts.items())
    return f'<dl class="facts">{pairs}</dl>'


def _card(column: Column, summary: Summary, *, cells_alike: bool) -> str:
    name = "all cells" if cells_alike and not column.condition else column.name
    figure = picture(summary)
    drawn = f"<figure>{svg(figure, f'Values of {name}.')}</figure>" if figure is not None else ""
    chips = [column.kind, column.dtype, *(["condition"] if column.condition else [])]
    if column.left_out:
        chips.append("left out of the model")
    kinds = " ".join(f'<span class="kind">{escape(chip)}</span>' for chip in chips)
    return (
        f'<article class="{"aside" if column.left_out else "column"}"><h3>{escape(name)}</h3><p>{kinds}</p>{drawn}'
        f'<p class="words">{escape(_content(column, summary))}</p><p class="words">{escape(column.reason)}</p>'
        f"{_missing_cells(summary)}</article>"
    )


def _content(column: Column, summary: Summary) -> str:
    """Range or number of values, and a number that occurs often."""
    if summary.span is None:
        count = len(column.categories) or summary.distinct
        return f"{count:,} {'categories' if column.categories else 'different values'}"
    parts = (" to ".join(summary.span), f"{summary.distinct:,} different", summary.often(_MIN_OFTEN))
    return "; ".join(part for part in parts if part)


def _missing_cells(summary: Summary) -> str:
    """A grey bar as long as the share of missing cells."""
    if not summary.missing:
        return ""
    share = 100 * summary.missing / (summary.present + summary.missing)
    return (
        f'<div class="missing-share"><span style="width: {share:.1f}%"></span></div>'
        f'<p class="words">missing in {summary.missing:,} rows ({share:.2g} %)</p>'
    )
