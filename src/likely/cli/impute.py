"""Imputations as one table or array."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["one_document"]


def one_document(result: Any) -> Any:
    """Several data sets one after the other, with a column `draw`; values and their deviations beside each other.

    Arrays are stacked along a new first axis: draws, or values and deviations.
    """
    if isinstance(result, list):
        if isinstance(result[0], pd.DataFrame):
            numbered = [frame.rename_axis(None).reset_index(drop=True) for frame in result]
            return pd.concat({i + 1: frame for i, frame in enumerate(numbered)}, names=["draw"]).reset_index("draw")
        return np.stack(result)
    if isinstance(result, tuple):
        filled, deviation = result
        if isinstance(filled, pd.DataFrame):
            return pd.concat([filled, deviation.add_suffix("_sd")], axis=1)
        return np.stack([filled, deviation])
    return result
