"""The sections about columns: sampled against real ones, alone and in pairs, and what z explains of each."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd

from likely.evaluation import chance_column_fidelity, chance_fidelity, column_fidelity, pair_fidelity
from likely.report import figures_cells, figures_columns, figures_pairs
from likely.report.axes import short
from likely.report.examples import given
from likely.report.findings import Findings
from likely.report.heat import heat_map
from likely.report.numbers import signed
from likely.report.panels import Panel, panels, responsive

__all__ = ["columns", "explained", "pairs"]

_KEY = '<span class="swatch data"></span>held-out rows <span class="swatch model"></span>rows sampled from the model'
_MAX_NAMED, _WORST = 100, 4  # columns in a sentence; pairs of columns that are drawn


def columns(findings: Findings) -> str:
    """Compare the columns one by one."""
    real, sampled = findings.real, findings.sampled
    if not (given(real) and given(sampled)) or real is None or sampled is None:
        return ""
    fidelity, chance = column_fidelity(real, sampled), chance_column_fidelity(real, sampled)
    shown = _worst(fidelity)
    given_too = " Sampled rows have the conditions of the held-out rows." if findings.given else ""
    if sampled.isna().any(axis=None):
        given_too += " Sampled rows miss cells as often as training rows do, whatever the values."
    text = (
        f"How often each value occurs, column by column: {_KEY}. Where the outline follows the filled shape, the "
        "model has the column right (taken alone: agreement here says nothing yet about how columns depend on each "
        f"other).{given_too} The number above a panel is the column's fidelity, 1 where both are distributed alike: "
        "1 − Kolmogorov and Smirnov's distance of numbers and dates, 1 − the total variation of other values, with "
        "missing cells counted in both. Two samples of one distribution would not reach 1 either: <i>chance</i> is "
        f"what they would reach. <b>Mean: {fidelity.mean():.3f}</b>, by chance {chance.mean():.3f}, of {len(real):,} "
        f"held-out and {len(sampled):,} sampled rows. Pairs of shares are of held-out / sampled rows; a "
        "bar so labelled is cut."
    )
    drawn = []
    for name in shown:
        figure, note = figures_columns.marginal(real[name], sampled[name])
        number = f"{fidelity[name]:.3f}, chance {chance[name]:.3f}"
        drawn.append(Panel(short(str(name), 24), figure, f"{name}, held-out and sampled rows: {number}", number, note))
    return f"<p>{text}</p>{panels(drawn)}{_rest(fidelity.drop(shown))}"


def _worst(fidelity: pd.Series) -> list[str]:
    """The columns of which there is room for a panel: the least faithful ones, in their own order."""
    kept = set(fidelity.sort_values(kind="stable").index[: figures_columns.MAX_COLUMNS])
    return [name for name in fidelity.index if name in kept]


def _rest(fidelity: pd.Series) -> str:
    if fidelity.empty:
        return ""
    named = ", ".join(f"{escape(str(name))}&nbsp;{value:.3f}" for name, value in fidelity.iloc[:_MAX_NAMED].items())
    more = f" and {len(fidelity) - _MAX_NAMED} more" if len(fidelity) > _MAX_NAMED else ""
    return f'<p class="note">Not drawn, as they are no worse than these: {named}{more}.</p>'


def pairs(findings: Findings) -> str:
    """Compare the columns two by two."""
    real, sampled = findings.real, findings.sampled
    if not (given(real) and given(sampled)) or real is None or sampled is None or real.shape[1] < 2:
        return ""
    shown, whole = _worst(column_fidelity(real, sampled)), real.shape[1]
    real, sampled = real[shown], sampled[shown]
    fidelity, alone = pair_fidelity(real, sampled), column_fidelity(real, sampled)
    chance_alone, chance = chance_fidelity(real, sampled)
    lower = np.tril_indices(len(shown), -1)
    mean, by_chance = fidelity.to_numpy()[lower].mean(), chance.to_numpy()[lower].mean()
    which = f" Of the {len(shown)} columns drawn above." if whole > len(shown) else ""
    text = (
        "How columns go together: the fidelity of each pair, 1 − the total variation between the held-out and the "
        "sampled rows on a grid of tenths (numbers, dates) and values, missing cells among them. Two samples of one "
        f"distribution would not reach 1 either, since rows are few: by chance, samples of these sizes reach "
        f"{by_chance:.3f}. The colour shows how far a pair is short of that; on the diagonal are the columns alone. "
        f"<b>Mean of the pairs: {mean:.3f}</b>, {max(by_chance - mean, 0):.3f} short of chance.{which}"
    )
    worst = sorted(zip(*lower, strict=True), key=lambda at: fidelity.iat[at] - chance.iat[at])[:_WORST]
    with_own = [matrix.to_numpy(copy=True) for matrix in (fidelity, chance)]
    for matrix, own in zip(with_own, (alone, chance_alone), strict=True):
        np.fill_diagonal(matrix, own.to_numpy())
    frames = [pd.DataFrame(matrix, shown, shown) for matrix in with_own]
    drawn = []
    for a, b in ((shown[i], shown[j]) for i, j in worst):
        figure, note = figures_pairs.joint(real, sampled, a, b)
        number = f"{fidelity.at[a, b]:.3f}, chance {chance.at[a, b]:.3f}"
        alt = f"{a} by {b}, held-out beside sampled rows: {number}"
        drawn.append(Panel(f"{short(str(a), 20)} by {short(str(b), 20)}", figure, alt, number, note))
    return (
        f"<p>{text}</p>{heat_map(*frames)}<h3>The pairs that are furthest off</h3>"
        f"<p>{_KEY}: the stronger the colour, the more rows (by the square root of their share).</p>"
        f"{panels(drawn, 2)}"
    )


def explained(findings: Findings) -> str:
    """Tell which columns z explains."""
    if not given(findings.explained) or findings.explained is None:
        return ""
    known_z = findings.explained[findings.explained["given_z"].notna()]
    gain = known_z["given_z"] - known_z["alone"]
    known = gain.notna().any()
    ordered = known_z.loc[(gain if known else -known_z["given_z"]).sort_values(ascending=False, kind="stable").index]
    text = (
        "The reconstruction term, column by column: the mean of log P(x<sub>j</sub>|z) with z from Q(z|x), over the "
        "cells that are observed. Columns that have a density can be above 0, the others cannot."
    )
    if known:
        text += (
            " Beside it, what the column's own distribution (no z, no other columns) gives to the same cells. The "
            f"difference is what z adds; over all columns it is <b>{signed(gain.sum())} nats</b>, and a code is worth "
            "having where that is more than it costs, the KL. Of a column whose dots coincide z tells nothing. Where "
            "the difference is negative, the family of P(x|z) does not have the column's shape, which its own "
            "distribution takes more freely: another <code>--likelihood</code> or <code>--column</code> kind may help."
        )
    hidden = len(ordered) - figures_cells.MAX_LINES
    if hidden > 0:
        text += f" {hidden} more columns, which come after these, are not shown."
    alt = "Mean log P(x_j|z) by column: " + ", ".join(f"{n} {v:.3f}" for n, v in ordered["given_z"].items())
    return f"<p>{text}</p>{responsive(lambda width: figures_cells.explained(ordered, width), alt[:1000])}"
