"""What a data set is taken for, before anything is fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from likely.assembly import resolve
from likely.config import Config
from likely.data import Binarize, Schema, divide, infer_schema, sources
from likely.run.progress import bar

__all__ = ["Inspection", "inspect"]


@dataclass(frozen=True)
class Inspection:
    """What was found: form, rows per split, notices, the schema with its reasons, and the sizes a fit would choose."""

    form: str
    splits: dict[str, int]
    used: dict[str, int]
    notices: tuple[str, ...]
    schema: Schema
    sizes: dict[str, int | None]

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, ready for JSON."""
        return {**asdict(self), "schema": self.schema.to_dict()}


def inspect(
    data: Any,
    *,
    column: Mapping[str, str] | None = None,
    condition: str | Sequence[str] = (),
    binarize: Binarize | None = None,
    resize: tuple[int, int] | None = None,
    seed: int = 0,
) -> Inspection:
    """Read the data and infer the form of x from its training rows, as `fit` would.

    Raises
    ------
    InputError
        If the data cannot be read or modelled as they are.

    """
    with bar("reading") as tick:
        source = sources.open_source(data, resize=resize, progress=tick)
    division = divide(source, seed)
    names = [condition] if isinstance(condition, str) else condition
    schema = infer_schema(
        division.rows(source, "train"), source.form, kinds=column, conditions=names, binarize=binarize, resize=resize
    )
    model = resolve(Config(), schema).model
    return Inspection(
        source.form,
        {name: len(rows) for name, rows in source.splits.items()},
        {kind: len(getattr(division, kind)) for kind in ("train", "validation", "test")},
        source.notices,
        schema,
        {"latent": model.latent, "width": model.width, "blocks": model.blocks},
    )
