"""A frame with all that a table may hold."""

from __future__ import annotations

import numpy as np
import pandas as pd


def homes(rows: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    size = rng.normal(size=rows)
    frame = pd.DataFrame(
        {
            "number": np.arange(rows),
            "price": (200 + 50 * size + 10 * rng.normal(size=rows)).round(2),
            "rooms": np.clip(3 + np.round(size + rng.normal(size=rows)), 1, 9).astype(int),
            "town": np.where(size + rng.normal(size=rows) > 0, "Bath", "York"),
            "state": pd.Categorical(rng.choice(["new", "old"], rows)),
            "sold": pd.date_range("2020-01-01", periods=rows),
            "baths": pd.array(rng.integers(1, 4, rows), dtype="Int64"),
        },
        index=[f"r{i}" for i in range(rows)],
    )
    frame.loc["r5", "price"] = np.nan
    frame.loc["r6", "baths"] = pd.NA
    frame.loc["r7", "town"] = None
    return frame
