"""A matrix of fidelities as a table whose cells are coloured, which any page is wide enough for or lets scroll."""

from __future__ import annotations

from html import escape

import pandas as pd

from likely.report.axes import short

__all__ = ["FULL", "heat_map"]

FULL, STRONGEST = 0.2, 55  # what a pair lacks where its square is darkest; how dark that is, %
_FEW = 6  # columns that a telephone has room for
_MAX_NUMBERED = 16  # columns up to which squares have their number in them


def heat_map(fidelity: pd.DataFrame, chance: pd.DataFrame) -> str:
    """Write the lower triangle of a matrix of fidelities, the columns' own on the diagonal.

    The colour is what is missing to `chance`: none is blank, 0.2 and more is full.
    """
    names, count = [short(str(name), 18) for name in fidelity.columns], len(fidelity)
    lines = []
    for i, name in enumerate(names):
        cells = []
        for j in range(i + 1):
            value, lacking = float(fidelity.iat[i, j]), max(float(chance.iat[i, j] - fidelity.iat[i, j]), 0.0)
            said = f"{fidelity.columns[i]} by {fidelity.columns[j]}: {value:.3f}, chance {chance.iat[i, j]:.3f}"
            number = f"{value:.2f}".lstrip("0") if count <= _MAX_NUMBERED else ""
            depth = STRONGEST * min(lacking / FULL, 1.0)
            cells.append(f'<td style="--depth: {depth:.0f}%" title="{escape(said)}">{number}</td>')
        lines.append(f"<tr><th>{escape(name)}</th>{''.join(cells)}<td></td></tr>")
    heads = "".join(f'<th class="turned"><span>{escape(name)}</span></th>' for name in names)
    body = f"<tbody>{''.join(lines)}</tbody><tfoot><tr><th></th>{heads}</tr></tfoot>"
    return f'<div class="scroll{" many" if count > _FEW else ""}"><table class="heat">{body}</table></div>{_key()}'


def _key() -> str:
    """Explain the colour."""
    steps = (0.0, 0.05, 0.1, 0.15, FULL)
    swatches = "".join(
        f'<span class="step" style="--depth: {STRONGEST * lacking / FULL:.0f}%">{lacking:g}</span>' for lacking in steps
    )
    return f'<p class="note key">short of chance by {swatches} or more</p>'
