"""The model card of an export: what the data were, the parts, what is known of the fit, limits, and how to use it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from likely.assembly import words
from likely.data import Column
from likely.data.kinds import Kind

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["model_card"]

MAX_COLUMNS = 60  # that have a line
PRIVATE = (
    "`schema.json` and `preprocessing.json` hold names of columns, categories, ranges, numbers that many rows share, "
    "and quantiles of the training rows (the knots of the warps); the graphs hold these too. Categories may be names "
    "of people or places: read both before you publish them. No training row is in these files as a whole, but a model "
    "can remember rows that are unlike all others."
)
USE = """```python
import json
import onnxruntime

steps = json.load(open("preprocessing.json"))
{encode}decoder = onnxruntime.InferenceSession("decoder.onnx")
x = decoder.run(None, {{{decoder}}})[0]   # means of P(x|z)
```"""
ENCODE = """encoder = onnxruntime.InferenceSession("encoder.onnx")
z = encoder.run(None, {{{encoder}}})[0]   # means of Q(z|x)
"""


def model_card(run: Run, inputs: Mapping[str, tuple[str, ...]], left_out: Mapping[str, str]) -> str:
    """The card in Markdown.

    Parameters
    ----------
    run
        What was exported.
    inputs
        By exported part, the names of its inputs.
    left_out
        By part that is not exported, why.

    """
    schema = run.schema
    given = ", ".join(column.name for column in schema.conditions)
    name = Path(run.record.data.path).name if run.record.data.path else "data in memory"
    sections = [
        f"# {'P(X | ' + given + ')' if given else 'P(X)'} of {name}",
        "A variational autoencoder by `likely`: its encoder (x to the mean of Q(z|x)) and its decoder (z to the mean "
        "of P(x|z)), each as ONNX and as torch's `.pt2`.",
        *[f"**The {part} is left out**: {why}." for part, why in left_out.items()],
        "## Data\n\n" + _list(_data(run, name)),
        _columns([*schema.modelled, *schema.conditions]) if not schema.cells_alike else "",
        "## Parts\n\n" + _list(_parts(run)),
        "## Numbers\n\n" + _list(_numbers(run)),
        "## Limits\n\n" + "\n".join(f"- {line}" for line in _limits(run)),
        "## Privacy\n\n" + PRIVATE,
        "## How to use it\n\n" + _use(inputs),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _list(facts: Mapping[str, str]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in facts.items() if value)


def _data(run: Run, name: str) -> dict[str, str]:
    schema = run.schema
    kinds = ("train", "training"), ("validation", "validation"), ("test", "test")
    return {
        "source": name,
        "rows": ", ".join(f"{len(getattr(run.division, kind)):,} {said}" for kind, said in kinds),
        "x": f"{schema.form}, rows of shape {' x '.join(map(str, schema.event_shape))}",
        "SHA-256 of all rows": f"`{run.record.data.digest}`",
        "run": f"`{run.record.id}`",
    }


def _columns(columns: Sequence[Column]) -> str:
    lines = ["| column | kind | training rows | missing |", "|---|---|---|---|"]
    for column in columns[:MAX_COLUMNS]:
        kind = f"{column.kind}, given" if column.condition else str(column.kind)
        lines.append(f"| {_plain(column.name)} | {kind} | {_plain(_span(column))} | {column.missing or ''} |")
    more = f"\n\nand {len(columns) - MAX_COLUMNS:,} more columns (`schema.json`)" if len(columns) > MAX_COLUMNS else ""
    return "\n".join(lines) + more


def _plain(text: str) -> str:
    """Of a cell of a table in Markdown."""
    return " ".join(text.replace("|", "\\|").replace("`", "'").replace("<", "&lt;").split())


def _span(column: Column) -> str:
    if column.kind == Kind.DATE:
        return f"dates from {column.origin}, in {column.unit}"
    if column.coded:
        return f"{len(column.categories):,} categories"
    return "" if column.low is None or column.high is None else f"{column.low:.6g} to {column.high:.6g}"


def _parts(run: Run) -> dict[str, str]:
    parts, model = words(run.config), run.config.model
    return {
        **{room: parts[room] for room in ("prior", "posterior", "likelihood", "network", "objective")},
        "dimensions of z": str(run.model.members[0].latent),
        "members": f"{model.members}; the first one is exported" if model.members > 1 else "",
        "base measure": str(run.measure),
        "weights": f"{sum(weight.numel() for weight in run.model.parameters()):,}",
    }


def _numbers(run: Run) -> dict[str, str]:
    best = run.best
    return {
        "ELBO of validation rows": f"{best:.4f} nats a row; these rows chose the weights"
        if math.isfinite(best)
        else "",
        "training": f"{run.steps:,} steps of {run.config.training.batch_size:,} rows, {run.record.seconds:.0f} s",
        "kept": f"{run.selected} of step {run.selected_step:,}",
        "test rows": "a run stores no evaluation of them; `likely evaluate RUN` has log P(x) with its errors, `likely "
        "report RUN` the baselines beside it, calibration and samples",
    }


def _limits(run: Run) -> list[str]:
    lines = [
        "These graphs give means: no log P(x), no samples, no errors. Those are `likely score` and `likely sample`.",
        "A row unlike the training rows has a code too, which means little: `likely anomalies` finds such rows.",
    ]
    if any(column.coded for column in run.schema.modelled):
        lines.append(
            "A category that training rows lack is the code −1. The mean of a category is its most probable code."
        )
    if run.schema.conditions:
        lines.append("P(X|y) knows the y of the training rows; beyond their range it is extrapolated.")
    if run.record.interrupted:
        lines.append("The fit was interrupted: these are the best weights until then.")
    return [*lines, *(f"Said by the fit: {notice}." for notice in run.notices)]


def _use(inputs: Mapping[str, tuple[str, ...]]) -> str:
    fed = {part: ", ".join(f'"{name}": {name}' for name in names) for part, names in inputs.items()}
    code = USE.format(
        encode=ENCODE.format(encoder=fed["encoder"]) if "encoder" in fed else "", decoder=fed.get("decoder", "")
    )
    if "decoder" not in fed:
        code = code[: code.index("decoder =")] + "```"
    return (
        f"{code}\n\n`x` is made of raw rows by the rules of `preprocessing.json`: categories to codes, dates to "
        "numbers, numbers to their grid, and a mask of what is missing. All that weights or training rows take part in "
        "(standardising, warps, one-hot codes, the mask) is inside the graphs. x that the decoder gives is in data "
        "units; codes, dates and grids go back by the same rules. docs/export.md has a program that does it."
    )
