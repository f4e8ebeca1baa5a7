"""The ledger: the identity with its numbers, the chain of bounds, and every term with what it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from likely.report.figures_fit import bounds
from likely.report.numbers import error, nats, optional
from likely.report.theme import svg

__all__ = ["chain", "identity", "provenance", "table"]

_PX = "log <i>P</i>(<i>x</i>)"
_GAP = "<i>D</i>[<i>Q</i>(<i>z</i>|<i>x</i>) ‖ <i>P</i>(<i>z</i>|<i>x</i>)]"
_KL = "<i>D</i>[<i>Q</i>(<i>z</i>|<i>x</i>) ‖ <i>P</i>(<i>z</i>)]"
_RECONSTRUCTION = "<i>E<sub>Q</sub></i>[log <i>P</i>(<i>x</i>|<i>z</i>)]"

_TERMS = {
    "reconstruction": (
        "Reconstruction term",
        _RECONSTRUCTION,
        "How well the decoder explains a row from its own code: the mean of log P(x|z) over codes z drawn from Q(z|x).",
    ),
    "kl": (
        "KL to the prior",
        _KL,
        "What a row's code costs: how far its posterior Q(z|x) lies from the prior P(z).",
    ),
    "elbo": (
        "ELBO",
        f"{_RECONSTRUCTION} − {_KL}",
        "Evidence lower bound: reconstruction less KL. It never exceeds log P(x).",
    ),
    "iwae": (
        "Importance-weighted bound",
        "<i>L<sub>K</sub></i> = <i>E</i> log <sup>1</sup>⁄<sub><i>K</i></sub> Σ<sub><i>k</i></sub> "
        "<i>P</i>(<i>x</i>, <i>z<sub>k</sub></i>) ⁄ <i>Q</i>(<i>z<sub>k</sub></i>|<i>x</i>)",
        "The best estimate of log P(x) here: K codes from Q(z|x), each weighted by how much Q favours it. "
        "Still a lower bound; it rises towards log P(x) as K grows.",
    ),
    "gap": (
        "Variational gap",
        _GAP,
        "What the ELBO loses because Q(z|x) is not the true posterior P(z|x). "
        "Found by subtraction, L<sub>K</sub> − ELBO, so the true gap is at least this.",
    ),
    "prior_sampling": (
        "Simple Monte Carlo over the prior",
        "log <sup>1</sup>⁄<sub><i>N</i></sub> Σ<sub><i>n</i></sub> <i>P</i>(<i>x</i>|<i>z<sub>n</sub></i>), "
        "<i>z<sub>n</sub></i> ~ <i>P</i>(<i>z</i>)",
        "The mean over prior draws is unbiased for P(x), but its logarithm is only a lower bound: in high dimension "
        "almost no draw resembles the row, and the number falls far short. This is why the encoder is needed.",
    ),
    "unweighted": (
        "Unweighted mean under Q",
        "log <i>E<sub>Q</sub></i>[<i>P</i>(<i>x</i>|<i>z</i>)]",
        "What one gets by forgetting the weights P(z) ⁄ Q(z|x). It is not log P(x) and it bounds nothing; "
        "shown so that it is not mistaken for either.",
    ),
}
_MEASURES = {
    "mass": "Every column is discrete or recorded on a grid, so P(x) is a probability and log P(x) is at most 0.",
    "density": "P(x) is a density in the units of the data: log P(x) may be positive, and shifts if the units change.",
    "mixed": "Some columns have probabilities and some densities: log P(x) may be positive, and shifts with the units.",
}
_CHOSEN = {
    "train": "The weights were fitted to these very rows, so the numbers flatter the model.",
    "validation": "These rows chose the weights and when to stop, so the numbers are slightly optimistic.",
}

Rows = Mapping[str, Mapping[str, Any]]


def provenance(split: str, rows: int, measure: str) -> str:
    """Say which rows were measured, whether they chose anything, and over what measure."""
    parts = []
    if rows or split:
        counted = f"{rows:,} " if rows else ""
        parts.append(f"Means over {counted}{escape(split)} rows, per row, in nats (1 nat = 1.443 bits).")
    parts.append(_CHOSEN.get(split, ""))
    if measure:
        parts.append(f"Measure: <b>{escape(measure)}</b>. {_MEASURES.get(measure, '')}")
    return " ".join(part for part in parts if part)


def identity(rows: Rows, aim: str = "") -> str:
    """Typeset log P(X) − D[Q(z|X)‖P(z|X)] = E_Q[log P(X|z)] − D[Q(z|X)‖P(z)] with each term's number under it.

    ``aim`` says what training maximised where that is not the ELBO.
    """

    def term(formula: str, sign: str, name: str, words: str) -> str:
        number = nats(rows[name]["nats"]) if name in rows else "–"
        return (
            f'<div class="term"><div class="formula">{formula}</div><div class="number">{sign}{number}</div>'
            f'<div class="words">{words}</div></div>'
        )

    elbo = nats(rows["elbo"]["nats"]) if "elbo" in rows else "–"
    left = term(_PX, "≥ ", "iwae", "evidence") + _operator("−") + term(_GAP, "≥ ", "gap", "variational gap")
    right = (
        term(_RECONSTRUCTION, "", "reconstruction", "reconstruction")
        + _operator("−")
        + term(_KL, "", "kl", "KL to the prior")
    )
    want = "what we want, less what Q costs us"
    maximised = (
        f"ELBO = {elbo} (training maximised another objective)" if aim else f"what training maximises: ELBO = {elbo}"
    )
    return f'<div class="identity">{_side(left, want)}{_operator("=")}{_side(right, maximised)}</div>'


def _side(terms: str, words: str) -> str:
    return f'<div class="side">{terms}<div class="brace">{words}</div></div>'


def _operator(sign: str) -> str:
    return f'<div class="operator">{sign}</div>'


def chain(rows: Rows) -> str:
    """Typeset and draw ELBO ≤ L_K ≤ log P(x); empty unless both bounds are known."""
    if not {"elbo", "iwae"} <= rows.keys():
        return ""
    elbo, iwae = (optional(rows[name]["nats"]) for name in ("elbo", "iwae"))
    if not (math.isfinite(elbo) and math.isfinite(iwae)):
        return ""
    errors = [optional(rows[name].get("se_mc")) for name in ("elbo", "iwae")]
    shown = tuple(value if math.isfinite(value) else 0.0 for value in errors)
    figure = bounds(elbo, iwae, (shown[0], shown[1]), rows["iwae"].get("samples"))
    alt = f"A line of nats: ELBO at {elbo:.4g}, importance-weighted bound at {iwae:.4g}, log P(x) at or right of it."
    text = f'<p class="chain">ELBO &nbsp;≤&nbsp; <i>L<sub>K</sub></i> &nbsp;≤&nbsp; {_PX}</p>'
    return f'{text}<figure class="slim">{svg(figure, alt)}</figure>'


def table(ledger: Sequence[Mapping[str, Any]]) -> str:
    """Tabulate every term with both kinds of error and, in plain words, what it is."""
    head = (
        "<tr><th>term</th><th class='n'>nats</th><th class='n'>se<br><small>over rows</small></th>"
        "<th class='n'>se_mc<br><small>sampling z</small></th><th class='n'>bits/dim</th>"
        "<th class='n'>samples</th></tr>"
    )
    body = "".join(_line(row) for row in ledger)
    return f'<div class="scroll"><table class="ledger"><thead>{head}</thead><tbody>{body}</tbody></table></div>'


def _line(row: Mapping[str, Any]) -> str:
    name = str(row["name"])
    title, formula, words = _TERMS.get(name, (escape(name), "", ""))
    kind = f'<span class="kind">{escape(str(row["kind"]))}</span>' if row.get("kind") else ""
    samples = row.get("samples")
    numbers = (
        nats(row["nats"]),
        error(row.get("se")),
        error(row.get("se_mc")),
        nats(row.get("bits_per_dim"), 4),
        "–" if samples is None else f"{int(samples):,}",
    )
    cells = "".join(f'<td class="n">{number}</td>' for number in numbers)
    described = f'<b>{title}</b> <span class="formula">{formula}</span>{kind}<p>{words}</p>'
    return f'<tr class="{"best" if name == "iwae" else "plain"}"><td>{described}</td>{cells}</tr>'
