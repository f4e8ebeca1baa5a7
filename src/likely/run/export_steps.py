"""What the schema does before the encoder and after the decoder, as data that a program can follow."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from likely.data import Column, Form, Schema
from likely.data.atoms import SAME
from likely.data.cells import TOKENS
from likely.data.encode import LISTED_SLACK, fill
from likely.data.kinds import Channels, Kind

__all__ = ["preprocessing"]

FORMAT = 1
RULES = {
    "code": "the place of the value in `values`, from 0 on; `unseen` where it is none of them",
    "date": "how many of `unit` (of numpy's datetime64) have passed since `origin`, in UTC where there is a zone",
    "nearest": "the one of `values` that the number is, but for a relative error of `slack`; else `unseen`",
    "grid": "round(number * per_unit) / per_unit, halves to the even one",
    "atoms": "the one of `values` that the number is, but for a relative error of `slack`; else the number as it is",
    "number": "the number as it is",
    "two": "0 for `low`, 1 for `high`",
}


def preprocessing(schema: Schema, inputs: dict[str, tuple[str, ...]], latent: int, dtype: str) -> dict[str, Any]:
    """What a program does with rows before it runs the encoder, and with numbers after the decoder.

    Parameters
    ----------
    schema
        Of the run.
    inputs
        By part, the names of its inputs.
    latent
        Dimension of z.
    dtype
        Of x as the encoder takes it.

    """
    x, y = ["rows", *schema.event_shape], ["rows", len(schema.conditions)]
    shapes = {
        "x": {"dtype": dtype, "shape": x},
        "observed": {"dtype": "bool", "shape": x, "is": "false where a cell is missing"},
        "y": {"dtype": "float64", "shape": y},
        "z": {"dtype": "float32", "shape": ["rows", latent]},
    }
    parts = {
        part: {
            "files": [f"{part}.onnx", f"{part}.pt2"],
            "inputs": {name: shapes[name] for name in names},
            "outputs": {
                "z": {"shape": ["rows", latent], "is": "mean of Q(z|x)"}
                if part == "encoder"
                else {"shape": x, "is": "mean of P(x|z); of categories a code"}
            },
        }
        for part, names in inputs.items()
    }
    if schema.cells_alike:
        cells: dict[str, Any] | list[dict[str, Any]] = _cells(schema)
    else:
        cells = [_column(place, column) for place, column in enumerate(schema.modelled)]
    return {
        "format": FORMAT,
        "form": str(schema.form),
        "rules": RULES,
        "missing_words": list(TOKENS),
        **parts,
        "x": cells,
        "y": [_column(place, column) for place, column in enumerate(schema.conditions)],
    }


def _cells(schema: Schema) -> dict[str, Any]:
    """One description of all cells of an array or picture."""
    column = schema.columns[0]
    found: dict[str, Any] = {"shape_given": list(schema.given_shape), "dtype": column.dtype, "kind": str(column.kind)}
    if schema.channels == Channels.FIRST:
        found["axes"] = "move the channels from the first to the last axis of a row, and back"
    if schema.form == Form.IMAGES and schema.resize:
        found["resize"] = list(schema.resize)
    if schema.binarize:
        found |= {"binarize": str(schema.binarize), "high": column.high}
        found["before"] = "x is 1 where a cell is 1 with probability cell / high, or is at least high / 2 (threshold)"
    elif column.kind == Kind.BINARY:
        found |= {"rule": "two", "low": column.low, "high": column.high}
    else:
        found |= _numbers(column)
    return found | {"missing": 0.0 if column.kind == Kind.BINARY else fill(column)}


def _column(place: int, column: Column) -> dict[str, Any]:
    found: dict[str, Any] = {"place": place, "name": column.name, "dtype": column.dtype, "kind": str(column.kind)}
    if column.coded:
        found |= {"rule": "code", "values": list(column.categories), "unseen": -1}
    elif column.kind == Kind.DATE:
        found |= {"rule": "date", "origin": column.origin, "unit": column.unit, "written": column.format}
    elif column.kind == Kind.LISTED:
        values = [float(number) for number in column.categories]
        found |= {"rule": "nearest", "values": values, "slack": LISTED_SLACK, "unseen": 2 * values[-1] - values[0]}
    elif column.condition:
        found |= {"rule": "number"}
    else:
        found |= _numbers(column)
    if column.written is not None:
        found["number_format"] = asdict(column.written)
    return found if column.condition else found | {"missing": fill(column)}


def _numbers(column: Column) -> dict[str, Any]:
    """Of a column of numbers its grid, and the limits beyond which a value is refused."""
    found: dict[str, Any] = (
        {"rule": "number"} if column.per_unit is None else {"rule": "grid", "per_unit": column.per_unit}
    )
    if column.atoms:
        found |= {"rule": "atoms", "values": list(column.atoms), "slack": SAME}
    if column.hard:
        found |= {"least": column.low, "most": column.high}
    elif column.limits is not None:
        least, most = (None if abs(end) == float("inf") else end for end in column.limits)
        found |= {"least": least, "most": most}
    return found
