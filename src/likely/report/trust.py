"""The sections that say what to make of a fit: what was diagnosed, its baselines, calibration."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from likely.report import figures_trust
from likely.report.axes import short
from likely.report.examples import given
from likely.report.findings import Findings
from likely.report.numbers import coded, error, labelled, nats, optional
from likely.report.panels import Panel, panels, responsive

__all__ = ["baselines", "calibration", "known"]

_NAMES = {
    "marginals": "independent marginals",
    "gaussian": "one Gaussian",
    "gaussian_mixture": "mixture of Gaussians",
    "gaussian_mixture_warped": "mixture of Gaussians on this model's axis",
    "ppca": "probabilistic PCA",
    "neural_spline_flow": "neural spline flow",
    "png": "PNG",
    "webp": "WebP, lossless",
}
_OWN = "this model"


def known(findings: Findings) -> str:
    """List the diagnosis, problems first and marked as such."""
    lines = "".join(
        f'<li class="problem"><b>Problem:</b> {coded(sentence)}</li>'
        if place < findings.problems
        else f"<li>{coded(sentence)}</li>"
        for place, sentence in enumerate(findings.sentences)
    )
    return f'<ul class="known">{lines}</ul>' if lines else ""


def baselines(findings: Findings) -> str:
    """Compare the model with its baselines on the same rows."""
    if not given(findings.baselines):
        return f"<p>{coded(findings.baselines_note)}</p>" if findings.baselines_note else ""
    text = (
        "Baselines are much plainer models, fitted to the same training rows; here are their scores of the same rows, "
        "relative to the same measure. A model that does not beat them has learned nothing that they had not. "
        "<b>Ahead by</b> is this model's importance-weighted bound less log P(x) of the baseline, row by row, so that "
        "its error is smaller than those of the two means; as the bound is a lower one, this model is ahead by at "
        "least as much."
    )
    own = next((entry for entry in findings.ledger if entry["name"] == "iwae"), None)
    entries = [{**entry, "name": _NAMES.get(str(entry["name"]), str(entry["name"]))} for entry in findings.baselines]
    models = [entry for entry in entries if entry["nats"] is not None]
    coders = [entry for entry in entries if entry["nats"] is None]
    entries = sorted(models, key=lambda model: -model["nats"]) + sorted(coders, key=lambda coder: coder["bits_per_dim"])
    if coders:
        text += " Compressors have no P(x); their bits per dimension stand for it."
    return f"<p>{text}</p>{_bars(entries, own)}{_table(entries, own)}"


def _bars(entries: list[dict[str, Any]], own: Mapping[str, Any] | None) -> str:
    """Draw what is finite, if the model's own number is."""
    mine = {name: optional(own.get(name)) if own else math.nan for name in ("nats", "bits_per_dim")}
    groups: dict[str, list[figures_trust.Bar]] = {"nats": [], "bits_per_dim": []}
    for entry in entries:
        unit = "bits_per_dim" if entry["nats"] is None else "nats"
        if math.isfinite(optional(entry[unit])) and math.isfinite(mine[unit]):
            groups[unit].append((entry["name"], optional(entry[unit]), optional(entry.get("se"))))
    if not any(groups.values()):
        return ""
    values = [f"{name} {value:.4g}" for bars in groups.values() for name, value, _ in bars]
    alt = f"Bars of the baselines beside this model at {mine['nats']:.4g} nats: {', '.join(values)}."
    given_bars = groups["nats"], groups["bits_per_dim"], mine["nats"], mine["bits_per_dim"]
    return responsive(lambda width: figures_trust.beside(*given_bars, width), alt)


def _table(entries: list[dict[str, Any]], own: Mapping[str, Any] | None) -> str:
    head = (
        "<tr><th>model</th><th class='n'>nats</th><th class='n'>se<br><small>over rows</small></th>"
        "<th class='n'>bits/dim</th><th class='n'>ahead by<br><small>nats, paired</small></th>"
        "<th class='n'>se<br><small>of that</small></th></tr>"
    )
    first = _line({**own, "name": _OWN, "kind": own.get("kind", "")}, "best") if own else ""
    body = first + "".join(_line(entry, "plain") for entry in entries)
    return f'<div class="ledger-box"><table class="ledger"><thead>{head}</thead><tbody>{body}</tbody></table></div>'


def _line(entry: Mapping[str, Any], style: str) -> str:
    numbers = (
        nats(entry["nats"]),
        error(entry.get("se")),
        nats(entry.get("bits_per_dim"), 4),
        nats(entry.get("difference")),
        error(entry.get("difference_se")),
    )
    cells = labelled(numbers, ("nats", "se over rows", "bits/dim", "ahead by", "se of that"))
    described = f"<b>{escape(str(entry['name']))}</b><p>{escape(str(entry.get('kind') or ''))}</p>"
    return f'<tr class="{style}"><td>{described}</td>{cells}</tr>'


def calibration(findings: Findings) -> str:
    """Show how well P(x|z) is calibrated, one histogram a column, the worst column first."""
    pairs = [pair for pair in zip(findings.pit, findings.pit_counts, strict=True) if pair[1] > 0]
    if not pairs:
        return ""
    pairs.sort(key=lambda pair: (not pair[0][2], -_deviation(pair[0][1], pair[1])))
    shown = pairs[: figures_trust.MAX_PANELS]
    text = (
        "Each cell is placed within the distribution P(x|z) that the model gives it: u is the probability of a smaller "
        "value (the share that falls on the very value is split at random). If the distribution is right, every u is "
        "as frequent as any other: the histogram is flat. A hill means that P(x|z) is too wide, a valley that it is "
        "too narrow, a slope that it is shifted. A true model keeps within the grey band, "
        f"{figures_trust.ERRORS} standard errors about the flat line, nearly always. Orange are bars outside it, in "
        "columns that are off by more than these errors and by enough to matter, which is said below them."
    )
    if len(pairs) > 1:
        text += " The column that is furthest off comes first."
    if len(pairs) > len(shown):
        text += f" {len(shown)} columns are shown; {len(pairs) - len(shown)} that are nearer to flat are not."
    drawn = [_panel(name, shares, words, count) for (name, shares, words), count in shown]
    return f"<p>{text}</p>{panels(drawn)}"


def _panel(name: str, shares: np.ndarray, words: str, count: int) -> Panel:
    shares = figures_trust.merged(shares, count)
    band, off = figures_trust.spread_of(len(shares), count), float(np.abs(shares - 1 / len(shares)).max())
    if words:
        said = words
    elif band >= 1 / len(shares):
        said = f"{count:,} cells: only gross errors would show"
    elif off > band:
        said = "not flat, by too little to matter"
    else:
        said = "flat, as far as can be told"
    figure = figures_trust.pit(shares, count, wrong=bool(words))
    return Panel(short(name, 24), figure, f"Histogram of u: {name} ({said})", note=said)


def _deviation(shares: np.ndarray, count: int) -> float:
    """The largest deviation from flat, in units of its standard error."""
    flat = 1 / len(shares)
    return float(np.abs(np.asarray(shares) - flat).max() / math.sqrt(flat * (1 - flat) / count))
