"""The document around the sections: heading, key numbers, facts, menu and style."""

from __future__ import annotations

import math
from html import escape
from importlib import resources

from likely.errors import visible
from likely.report.examples import given
from likely.report.findings import Findings
from likely.report.ledger import headline
from likely.report.numbers import error, nats, optional
from likely.report.sections import SECTIONS, active_units

__all__ = ["page", "shell"]


def page(findings: Findings) -> str:
    """Assemble the whole HTML document; sections without content are left out."""
    written = [(section, section.write(findings)) for section in SECTIONS]
    written = [(section, body) for section, body in written if body]
    menu = "".join(f'<a href="#{section.anchor}">{section.heading}</a>' for section, _ in written)
    body = "".join(
        f'<section id="{section.anchor}"><h2>{section.heading}</h2>{content}</section>' for section, content in written
    )
    title = escape(findings.title)
    distribution = "<i>P</i>(<i>X</i>|<i>Y</i>)" if findings.given else "<i>P</i>(<i>X</i>)"
    header = (
        f'<p class="kicker">The distribution {distribution}, learned by a variational autoencoder</p>'
        f"<h1>{title}</h1>{_headline(findings)}{_notices(findings)}{_highlights(findings)}{_facts(findings)}"
        f"{f'<nav>{menu}</nav>' if menu else ''}"
    )
    note = "All logarithms are natural unless bits are named; numbers are means per row."
    return shell(title, header, body, note)


def shell(title: str, header: str, main: str, note: str = "") -> str:
    """Put HTML into a document that needs nothing from outside; everything given is escaped already."""
    style = resources.files("likely.report").joinpath("style.css").read_text(encoding="utf-8")
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{title}</title><style>{style}</style></head>\n'
        f"<body><header>{header}</header>\n<main>{main}</main>\n"
        f"<footer>Written by <b>likely</b>. {note}</footer></body></html>\n"
    )
    return visible(page, kept="\n\t")


def _headline(findings: Findings) -> str:
    style = "headline bad" if findings.headline_bad else "headline"
    return f'<p class="{style}">{escape(findings.headline)}</p>' if findings.headline else ""


def _notices(findings: Findings) -> str:
    return "".join(f'<p class="notice">{escape(notice)}</p>' for notice in findings.notices)


def _highlights(findings: Findings) -> str:
    """Three or four numbers to take away."""
    rows = {str(row["name"]): row for row in findings.ledger}
    cards = []
    best = headline(rows, findings.ledger_rows)
    if best in rows:
        row = rows[best]
        split = f"{escape(findings.ledger_split)} rows, ± {error(row.get('se'))} over rows"
        bound = best != "exact"
        cards.append(
            (
                f"log P(x) per row{', at least' if bound else ', exactly'}",
                f"{nats(row['nats'], 2)} <small>nats</small>",
                split,
            )
        )
        if not math.isnan(optional(row.get("bits_per_dim"))):
            bits = f"{nats(row['bits_per_dim'])} <small>bits/dim</small>"
            cards.append(
                (f"the same{', at most' if bound else ' in bits'}", bits, "−log₂ P(x) per dimension: lower is better")
            )
    if "kl" in rows:
        cards.append(("a code says", f"{nats(rows['kl']['nats'], 2)} <small>nats</small>", "KL of posterior to prior"))
    if given(findings.kl_per_dim) and findings.kl_per_dim is not None:
        count = f"{active_units(findings.kl_per_dim)} <small>of {len(findings.kl_per_dim)}</small>"
        cards.append((f"{findings.kl_part}s in use", count, "KL above 0.01 nats"))
    shown = "".join(
        f'<div><span>{name}</span><strong>{number}</strong><span class="words">{words}</span></div>'
        for name, number, words in cards
    )
    return f'<div class="highlights">{shown}</div>' if cards else ""


def _facts(findings: Findings) -> str:
    pairs = "".join(
        f"<div><dt>{escape(str(name))}</dt><dd>{escape(str(text))}</dd></div>" for name, text in findings.facts.items()
    )
    return f'<dl class="facts">{pairs}</dl>' if pairs else ""
