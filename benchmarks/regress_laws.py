"""Pure parts of `regress.py`: the base measure of a column, how numbers end, and what two versions differ by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tables_rows import over_rows

PLACES = 5
VALUES = ("binary", "categorical", "ordered", "constant", "listed")
LEFT_OUT = ("identifier", "text", "ignore")
Space = dict[str, Any]


def spaces(schema: Mapping[str, Any]) -> dict[str, Space]:
    """Modelled column -> what its log P is relative to, from `Schema.to_dict()` of any version.

    `values`: counting, on the values themselves; `cells`: counting, on a grid of a step; `density`: Lebesgue, but
    counting at the atoms.
    """
    found: dict[str, Space] = {}
    for column in schema["columns"]:
        if column["kind"] in LEFT_OUT or column.get("condition"):
            continue
        if column["kind"] in VALUES:
            found[column["name"]] = {"of": "values", "values": list(column["categories"])}
        elif column["per_unit"] is not None:
            found[column["name"]] = {"of": "cells", "per_unit": column["per_unit"]}
        else:
            found[column["name"]] = {"of": "density", "atoms": list(column.get("atoms", ()))}
    return found


def same(old: Space | None, new: Space | None) -> bool:
    """Nats in one and in the other compare: the same density, or counting of the same events.

    Cells of a grid are the events that its values are, so a number on the grid that becomes a listed one still counts.
    """
    if old is None or new is None:
        return False
    kinds = {old["of"], new["of"]}
    if kinds == {"values", "cells"}:
        values, cells = (old, new) if old["of"] == "values" else (new, old)
        numbers = [value for value in values["values"] if isinstance(value, int | float)]
        return len(numbers) == len(values["values"]) and bool(_on(np.array(numbers) * cells["per_unit"]).all())
    return kinds == {"values"} or old == new


def changed(old: Mapping[str, Space], new: Mapping[str, Space]) -> dict[str, str]:
    """Column -> how its base measure changed, for those where it did."""
    names = dict.fromkeys([*old, *new])
    return {
        name: f"{named(old.get(name))} -> {named(new.get(name))}"
        for name in names
        if not same(old.get(name), new.get(name))
    }


def named(space: Space | None) -> str:
    """A base measure in few words."""
    if space is None:
        return "left out"
    if space["of"] == "cells":
        return f"cells of {1 / space['per_unit']:g}"
    if space["of"] == "density" and space["atoms"]:
        return f"density, atoms at {', '.join(f'{atom:g}' for atom in space['atoms'][:3])}"
    return str(space["of"])


def places(values: np.ndarray) -> int | None:
    """The fewest decimals, at most 5, that all but one in a hundred of the values are recorded to; `None`: none are."""
    values = values[np.isfinite(values)].astype(np.float64)
    return next((most for most in range(PLACES + 1) if _on(values * 10.0**most).mean() >= 0.99), None)


def final_zeros(values: np.ndarray, decimals: int) -> float:
    """Share of the values that are multiples of ten steps of 10^-decimals."""
    values = values[np.isfinite(values.astype(np.float64))].astype(np.float64)
    return float(_on(values * 10.0 ** (decimals - 1)).mean())


def by_row(old: Mapping[str, Any], new: Mapping[str, Any], key: str = "log_px") -> dict[str, Any]:
    """New less old, paired by row; all seeds of a row are one draw in `se`.

    Rows to which one of the two gives no mass are counted apart.
    """
    before, after = (np.asarray(one[key], np.float64) for one in (old, new))
    finite = np.isfinite(before) & np.isfinite(after)
    rows = np.asarray(old["row"])[finite]
    found: dict[str, Any] = over_rows((after - before)[finite], rows)
    return {**found, "without mass": [int((~np.isfinite(values)).sum()) for values in (before, after)]}


def by_seed(old: np.ndarray, new: np.ndarray) -> dict[str, float | None]:
    """New less old, paired by seed."""
    gains = np.asarray(new) - np.asarray(old)
    se = float(gains.std(ddof=1) / len(gains) ** 0.5) if len(gains) > 1 else None
    return {"mean": float(gains.mean()), "se": se}


def worst(ends: list[Mapping[str, list[float]]]) -> tuple[float, str]:
    """The largest difference between the drawn and the training rows' share of final zeros, of any seed, and where."""
    apart = [(drawn - train, column) for one in ends for column, (train, drawn) in one.items()]
    return max(apart, key=lambda pair: abs(pair[0]))


def _on(scaled: np.ndarray) -> np.ndarray:
    """Which numbers are whole, but for rounding."""
    return np.abs(scaled - np.rint(scaled)) < 1e-6 + 1e-12 * np.abs(scaled)
