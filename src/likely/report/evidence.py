"""The section of the evidence: the identity, the bounds, the ledger, how far to trust it, and the gap in two parts."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from likely.report import ledger
from likely.report.examples import given
from likely.report.figures_trust import gap_split, integral
from likely.report.findings import Findings
from likely.report.numbers import optional
from likely.report.panels import responsive

__all__ = ["conditional", "evidence"]

NEAR = 0.1  # nats: a sum that is short of log P(x) by less is near


def conditional(findings: Findings) -> str:
    """Say what the model is conditional on."""
    return f"The model is conditional on y: <b>{escape(findings.given)}</b>."


def evidence(findings: Findings) -> str:
    """Write what is known of log P(x), and how well."""
    if not given(findings.ledger):
        return ""
    rows = {str(row["name"]): row for row in findings.ledger}
    exact = ledger.headline(rows, findings.ledger_rows) == "exact"
    caught = (
        "Here z has finitely many values, and it is summed. What else can be computed hangs together with it"
        if exact
        else "That integral has no closed form, so it is caught between quantities that can be computed. They hang "
        "together"
    )
    text = (
        "The model assigns every row a probability P(x), the <i>evidence</i>: the likelihood P(x|z) averaged over "
        f"all codes z of the prior P(z). {caught} by one identity, which holds for every row and hence on average:"
    )
    if findings.given:
        text = (
            f"{conditional(findings)} The numbers are of P(x|y): below, read P(x) as P(x|y), and Q(z|x) as Q(z|x, y). "
            f"{text}"
        )
    errors = (
        "<b>Two kinds of error.</b> <i>se_mc</i> comes from sampling z, with the rows given: more samples shrink it. "
        "<i>se</i> comes from the rows: another draw of as many rows would move the mean by about this much, and "
        "only more rows shrink it. They are never added up."
    )
    measured = findings.ledger_split, findings.ledger_rows, findings.measure, findings.ledger_whole
    return (
        f"<p>{text}</p>{ledger.identity(rows, findings.ledger_rows, findings.aim)}"
        f"{ledger.chain(rows, findings.ledger_rows, findings.annealed)}"
        f"{ledger.table(findings.ledger, findings.ledger_rows)}"
        f'<p class="note">{ledger.provenance(*measured)}</p>'
        f'<p class="note">{errors}</p>{ledger.verdicts(findings.verdicts, findings.unstable, findings.annealing)}'
        f"{_gap(rows, findings.ledger_rows)}{_integral(findings)}"
    )


def _integral(findings: Findings) -> str:
    """Draw how soon sums over points of z reach log P(x)."""
    if not findings.integral:
        return ""
    text = (
        f"P(x) is an integral over z, which has {findings.latent:,} dimensions. Here it is summed over N points: "
        f"{', '.join(words for words, _, _ in findings.integral)}. The logarithm of such a sum is too low in "
        f"expectation, and the more so, the fewer of the points could have made the row. {_reached(findings)}"
    )
    what = "log P(x)" if findings.integral_exact else "the best bound on log P(x)"
    said = ", ".join(
        f"{words}: {-nats[-1]:.3g} nats short with {counts[-1]:,}" for words, counts, nats in findings.integral
    )
    figure = responsive(
        lambda width: integral(findings.integral, findings.integral_rows, width), f"Sums over points of z: {said}."
    )
    text += f" The figure shows how many nats are lacking to {what}."
    return f"<h3>Could the integral be done without Q?</h3><p>{text}</p>{figure}"


def _reached(findings: Findings) -> str:
    """Say how many points of each kind it takes."""
    parts = []
    for words, counts, nats in findings.integral:
        there = np.flatnonzero(np.logical_and.accumulate((nats >= -NEAR)[::-1])[::-1])
        parts.append(
            f"{counts[there[0]]:,} {words}"
            if len(there)
            else f"more than {counts[-1]:,} {words} ({-nats[-1]:.2g} nats are lacking)"
        )
    of = "log P(x)" if findings.integral_exact else "the best bound on log P(x) that is known here"
    return f"To come within {NEAR} nats of {of} takes {'; '.join(parts)}."


def _gap(rows: Mapping[str, Mapping[str, Any]], total: int) -> str:
    """Draw the variational gap as the sum of its two parts; empty unless both are known."""
    if not {"approximation", "amortisation"} <= rows.keys():
        return ""
    parts = [
        (optional(rows[name]["nats"]), optional(rows[name].get("se_mc"))) for name in ("approximation", "amortisation")
    ]
    text = (
        "The gap has two causes. <b>Approximation</b>: not even the best Q of its family is P(z|x); a richer family "
        "(a flow, a mixture) would help. <b>Amortisation</b>: the encoder does not find that best Q for every row; a "
        "larger encoder, or more training rows, would help. The parts add up to the gap of the same rows."
    )
    held = ledger.rows_of(rows["amortisation"], total)
    counted = f"{held:,} rows" if held else "the rows"
    alt = f"Gap of {counted}: approximation {parts[0][0]:.4g} nats, amortisation {parts[1][0]:.4g} nats."
    figure = responsive(lambda width: gap_split(parts[0], parts[1], counted, width), alt)
    return f"<h3>Where the gap comes from</h3><p>{text}</p>{figure}"
