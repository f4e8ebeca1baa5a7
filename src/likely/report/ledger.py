"""The ledger: the identity with its numbers, the chain of bounds, every term with what it is, and which to trust."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import Any

from likely.report.figures_fit import bounds
from likely.report.numbers import coded, error, labelled, nats, optional
from likely.report.panels import responsive
from likely.report.terms import CHOSEN, GAP, KL, MEASURES, PX, RECONSTRUCTION, TERMS

__all__ = ["chain", "headline", "identity", "provenance", "rows_of", "table", "verdicts"]

Rows = Mapping[str, Mapping[str, Any]]


def rows_of(entry: Mapping[str, Any], rows: int) -> int:
    """How many rows stand behind an entry; those of the ledger where it does not say."""
    return int(entry.get("rows") or rows)


def headline(ledger: Rows, rows: int) -> str:
    """Name the entry that stands for log P(x): the exact one where it holds for all rows, else the weighted bound."""
    return "exact" if "exact" in ledger and rows_of(ledger["exact"], rows) == rows else "iwae"


def provenance(split: str, rows: int, measure: str, whole: int = 0) -> str:
    """Say which rows were measured, whether they chose anything, and over what measure."""
    parts = []
    if rows or split:
        counted = f"{rows:,} " if rows else ""
        drawn = (
            f", a random part of {whole:,} (<code>likely evaluate RUN</code> takes all of them)" if whole > rows else ""
        )
        parts.append(f"Means over {counted}{escape(split)} rows{drawn}, per row, in nats (1 nat = 1.443 bits).")
    parts.append(CHOSEN.get(split, ""))
    if measure:
        parts.append(f"Measure: <b>{escape(measure)}</b>. {MEASURES.get(measure, '')}")
    return " ".join(part for part in parts if part)


def identity(ledger: Rows, rows: int, aim: str = "") -> str:
    """Typeset log P(X) − D[Q(z|X)‖P(z|X)] = E_Q[log P(X|z)] − D[Q(z|X)‖P(z)] with each term's number under it.

    The left side is a pair of bounds, or exact where log P(x) is. ``rows`` is how many the ledger was measured on, and
    ``aim`` says what training maximised where that is not the ELBO.
    """
    values = {name: entry["nats"] for name, entry in ledger.items()}
    exact = headline(ledger, rows) == "exact"
    if exact and "elbo" in values:
        values["gap"] = values["exact"] - values["elbo"]
    least = "" if exact else "≥ "

    def term(formula: str, sign: str, name: str, words: str) -> str:
        number = nats(values[name]) if name in values else "–"
        return (
            f'<div class="term"><div class="formula">{formula}</div><div class="number">{sign}{number}</div>'
            f'<div class="words">{words}</div></div>'
        )

    elbo = nats(values.get("elbo"))
    evidence = term(PX, least, "exact" if exact else "iwae", "evidence")
    left = evidence + _operator("−") + term(GAP, least, "gap", "variational gap")
    right = (
        term(RECONSTRUCTION, "", "reconstruction", "reconstruction")
        + _operator("−")
        + term(KL, "", "kl", "KL to the prior")
    )
    want = "what we want, less what Q costs us" if "elbo" in values else "what we want; Q is P(z|x) itself"
    maximised = (
        "in training over fewer points, drawn anew each step"
        if "elbo" not in values
        else f"ELBO = {elbo} (training maximised another objective)"
        if aim
        else f"what training maximises: ELBO = {elbo}"
    )
    return f'<div class="identity">{_side(left, want)}{_operator("=")}{_side(right, maximised)}</div>'


def _side(terms: str, words: str) -> str:
    return f'<div class="side">{terms}<div class="brace">{words}</div></div>'


def _operator(sign: str) -> str:
    return f'<div class="operator">{sign}</div>'


def chain(ledger: Rows, rows: int, annealed: Mapping[str, Any] | None = None) -> str:
    """Typeset and draw ELBO ≤ L_K ≤ log P(x), annealing's bound or log P(x) itself beside them where it is known.

    Numbers of fewer rows never share a line with those of all: they have a second one, from ``annealed``. Empty unless
    both bounds are known.
    """
    if not {"elbo", "iwae"} <= ledger.keys():
        return ""
    whole = {
        name: (entry["nats"], entry.get("se_mc"))
        for name, entry in ledger.items()
        if name in ("elbo", "iwae", "ais", "exact") and rows_of(entry, rows) == rows
    }
    samples = ledger["iwae"].get("samples")
    text = _line_of_nats(whole, samples)
    if annealed and "ais" not in whole:
        part = {name: (annealed[name], annealed.get(f"se_{name}")) for name in ("elbo", "iwae", "ais")}
        line = _line_of_nats(part, samples)
        text += (
            f'<p class="note">The same on the {int(annealed["rows"]):,} rows that were annealed:</p>{line}'
            if line
            else ""
        )
    return text


def _line_of_nats(numbers: Mapping[str, tuple[Any, Any]], samples: int | None) -> str:
    known = {name: (optional(value), optional(se)) for name, (value, se) in numbers.items()}
    known = {
        name: (value, se if math.isfinite(se) else 0.0) for name, (value, se) in known.items() if math.isfinite(value)
    }
    if not {"elbo", "iwae"} <= known.keys():
        return ""
    text = f"ELBO &nbsp;≤&nbsp; <i>L<sub>K</sub></i> &nbsp;≤&nbsp; {PX}"
    if "ais" in known and "exact" not in known:
        text += " &nbsp;≥&nbsp; AIS <small>in expectation</small>"
    words = {"elbo": "ELBO", "iwae": "importance-weighted bound", "ais": "annealed bound", "exact": "log P(x)"}
    alt = "A line of nats: " + ", ".join(f"{words[name]} at {value:.4g}" for name, (value, _) in known.items())
    alt += "." if "exact" in known else "; log P(x) at or right of these bounds."
    return f'<p class="chain">{text}</p>{responsive(lambda width: bounds(known, samples, width), alt, "slim")}'


def verdicts(said: Mapping[str, str], unstable: Collection[str], annealing: str) -> str:
    """List what each number is worth, the ``unstable`` ones marked as problems, and say how was annealed."""
    lines = "".join(
        f"<li{' class=problem' if name in unstable else ''}>"
        f"<b>{TERMS.get(name, (escape(name),))[0]}</b>: {coded(text)}</li>"
        for name, text in said.items()
    )
    listed = f'<h3>Can these numbers be relied on?</h3><ul class="known">{lines}</ul>' if lines else ""
    return listed + (f'<p class="note"><b>How was annealed.</b> {coded(annealing)}</p>' if annealing else "")


def table(ledger: Sequence[Mapping[str, Any]], rows: int) -> str:
    """Tabulate every term with both kinds of error and, in words, what it is; also where it holds for fewer rows."""
    head = (
        "<tr><th>term</th><th class='n'>nats</th><th class='n'>se<br><small>over rows</small></th>"
        "<th class='n'>se_mc<br><small>sampling z</small></th><th class='n'>bits/dim</th>"
        "<th class='n'>samples</th></tr>"
    )
    best = headline({str(entry["name"]): entry for entry in ledger}, rows)
    body = "".join(_line(entry, rows, "best" if entry["name"] == best else "plain") for entry in ledger)
    fewer = any(rows_of(entry, rows) != rows for entry in ledger)
    note = (
        '<p class="note">Lines marked with a number of rows hold for those alone: rows differ, so compare them with '
        "each other, not with the lines of all rows.</p>"
    )
    shown = f'<div class="ledger-box"><table class="ledger"><thead>{head}</thead><tbody>{body}</tbody></table></div>'
    return shown + (note if fewer else "")


def _line(entry: Mapping[str, Any], rows: int, style: str) -> str:
    name = str(entry["name"])
    title, formula, words = TERMS.get(name, (escape(name), "", ""))
    kind = f'<span class="kind">{escape(str(entry["kind"]))}</span>' if entry.get("kind") else ""
    held = rows_of(entry, rows)
    if held != rows:
        kind += f' <span class="kind fewer">on {held:,} of {rows:,} rows</span>'
    samples = entry.get("samples")
    numbers = (
        nats(entry["nats"]),
        error(entry.get("se")),
        error(entry.get("se_mc")),
        nats(entry.get("bits_per_dim"), 4),
        "–" if samples is None else f"{int(samples):,}",
    )
    cells = labelled(numbers, ("nats", "se over rows", "se_mc", "bits/dim", "samples"))
    described = f'<b>{title}</b> <span class="formula">{formula}</span>{kind}<p>{words}</p>'
    return f'<tr class="{style}"><td>{described}</td>{cells}</tr>'
