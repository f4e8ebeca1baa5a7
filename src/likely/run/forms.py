"""Results in the form that rows came in: tensors, arrow tables, polars frames; names and sparse columns of frames."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from likely.data import Source

__all__ = ["container_of", "form_of", "formed", "packed"]


def container_of(data: Any) -> str:
    """`tensor`, `arrow`, `polars`, or the name of any other type."""
    if isinstance(data, torch.Tensor):
        return "tensor"
    if isinstance(data, pa.Table) or hasattr(data, "to_arrow"):
        return "polars" if type(data).__module__.partition(".")[0] == "polars" else "arrow"
    return type(data).__name__


def form_of(data: Any, source: Source) -> dict[str, Any]:
    """What the facts of a run say of the form of its data.

    Returns
    -------
    dict
        `container`; `names`, the names of columns that are not all strings, with those of their levels, where JSON can
        hold them; `sparse`, the sparse columns with what fills them, `None` for NaN.

    """
    made: dict[str, Any] = {"container": container_of(data)}
    frame = next(iter(source.splits.values())).given
    if frame is None:
        return made
    labels = frame.columns.tolist()
    if not all(isinstance(label, str) for label in labels) and all(_plain(label) for label in labels):
        made["names"] = {"labels": labels, "levels": list(frame.columns.names)}
    types = {str(label): dtype for label, dtype in zip(labels, frame.dtypes, strict=True)}
    fills = {name: dtype.fill_value for name, dtype in types.items() if isinstance(dtype, pd.SparseDtype)}
    if fills:
        made["sparse"] = {name: None if pd.isna(fill) else np.asarray(fill).item() for name, fill in fills.items()}
    return made


def _plain(label: Any) -> bool:
    return all(isinstance(part, (str, int, float)) for part in (label if isinstance(label, tuple) else (label,)))


def formed(facts: Mapping[str, Any], result: Any, container: str | None = None) -> Any:
    """A result in the form of the rows of the fit, or in another container.

    Parameters
    ----------
    facts
        Of the run.
    result
        A frame whose columns are named by strings, or an array.
    container
        As `container_of` says it, where it is not that of the fit.

    """
    if isinstance(result, pd.DataFrame):
        result = _named(facts.get("names"), _sparse(facts.get("sparse") or {}, result))
    return packed(facts.get("container") if container is None else container, result)


def packed(container: str | None, result: Any) -> Any:
    """A frame or an array as a container holds it; a table of arrow has no index."""
    if isinstance(result, np.ndarray):
        return torch.from_numpy(result) if container == "tensor" else result
    if container not in ("arrow", "polars"):
        return result
    named = result.set_axis([str(name) for name in result.columns], axis=1)
    table = pa.Table.from_pandas(named, preserve_index=False).replace_schema_metadata(None)
    return importlib.import_module("polars").from_arrow(table) if container == "polars" else table


def _sparse(fills: Mapping[str, Any], frame: pd.DataFrame) -> pd.DataFrame:
    """Columns sparse again, but those whose missing cells made them another type."""
    made = {}
    for name, fill in fills.items():
        if name in frame and isinstance(frame[name].dtype, np.dtype):
            made[name] = frame[name].astype(pd.SparseDtype(frame[name].dtype, np.nan if fill is None else fill))
    return frame.assign(**made) if made else frame


def _named(told: Mapping[str, Any] | None, frame: pd.DataFrame) -> pd.DataFrame:
    """Columns with the names that they had."""
    if told is None:
        return frame
    labels = [tuple(label) if isinstance(label, list) else label for label in told["labels"]]
    known = {str(label): label for label in labels}
    mine = [known.get(name, name) for name in frame.columns]
    several = len(told["levels"]) > 1 and all(isinstance(label, tuple) for label in mine)
    index = pd.MultiIndex.from_tuples(mine, names=told["levels"]) if several else pd.Index(mine, name=told["levels"][0])
    return frame.set_axis(index, axis=1)
