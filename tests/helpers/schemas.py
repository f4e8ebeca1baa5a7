"""Schemas of columns that are all alike."""

from __future__ import annotations

from likely.data import Column, Kind, Schema


def schema_of(*shape: int, kinds: tuple[Kind, ...] = ("real",), rows: int = 1000, cells_alike: bool = True) -> Schema:
    columns = tuple(Column(f"c{i}", "float64", kind, "", low=-1e3, high=1e3) for i, kind in enumerate(kinds))
    return Schema("array" if cells_alike else "table", shape, columns, rows, cells_alike)
