"""log P(x) of each row, with what it can be relied on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from likely.config import demand_whole
from likely.data import Given
from likely.evaluation import evidence
from likely.evaluation.proposals import effective_enough
from likely.run.forms import container_of, packed
from likely.run.progress import bar
from likely.run.reading import index_of

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["scored"]

BELOW, ABOVE = 2.0, 3.0  # standard errors: skewed weights, so that a mean of them more often lies too low


def scored(
    run: Run, data: Any, *, given: Given | None = None, samples: int = 100, seed: int = 0, precise: bool = False
) -> Any:
    """A frame of scores, or what held the table, in input order: see `Run.score`."""
    demand_whole("samples", samples)
    rows, _ = run.rows_of(data)
    with bar("scoring", shown=run.progress) as tick:
        measured = evidence(
            run.model,
            run.encoded(rows, given),
            samples=samples,
            seed=seed,
            rule=run.proposal_rule(precise=precise),
            progress=tick,
        )
    log_px, se_mc, ess = measured.terms["iwae"], measured.se_mc["iwae"], measured.ess
    stable = effective_enough(torch.from_numpy(ess), samples).numpy() & np.isfinite(ess)
    columns = {
        "log_px": log_px,
        "se_mc": se_mc,
        "elbo": measured.terms["elbo"],
        "low": log_px - BELOW * se_mc,
        "high": log_px + ABOVE * se_mc,
        "ess": np.full_like(ess, np.nan) if measured.exact else ess,
        "stable": stable | measured.exact,
    }
    return packed(container_of(data), pd.DataFrame(columns, index=index_of(rows)))
