"""Notices about missing cells."""

from __future__ import annotations

import warnings
from collections.abc import Collection

from likely.data import EncodedRows, Schema
from likely.models import Model

__all__ = ["note_new_missing"]


def note_new_missing(model: Model, schema: Schema, rows: EncodedRows, *, but: Collection[int] = ()) -> None:
    """Warn of columns with missing cells that had none in training, of which the networks learnt nothing.

    Places of columns in `but` are left out. A model whose z is integrated out, or whose Q(z|x) is a closed
    form, has nothing to learn of it.
    """
    if rows.observed is None or model.summed or model.closed:
        return
    missing = (~rows.observed.flatten(1)).any(0).tolist()
    pairs = zip(schema.modelled, [any(missing)] if schema.cells_alike else missing, strict=True)
    new = [c.name for place, (c, lacks) in enumerate(pairs) if lacks and not c.missing and place not in but]
    if new:
        warnings.warn(
            f"cells are missing in {', '.join(new)}, where no training row misses any: log P(x) is that of the "
            "observed cells all the same, but Q(z|x) was never trained on such rows, so its bounds may be loose",
            stacklevel=4,
        )
