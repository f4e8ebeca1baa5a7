"""Whether a number can be relied on, and what to raise where it cannot."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from likely.evaluation.annealing.bidirectional import PINCH, PRECISE
from likely.evaluation.baselines.fitted import Baseline
from likely.evaluation.evidence import Evidence
from likely.evaluation.sides import Sides

__all__ = ["against", "of_annealing", "of_importance"]

UNRELIABLE, SHARE = 0.7, 0.05
LEAST_ACCEPTANCE, LEAST_ESS = 0.4, 2.0


def of_importance(found: Evidence) -> str:
    """Of L_K, by the Pareto k-hat of its weights: above 0.7 an estimate and its error cannot be relied on."""
    if np.isnan(found.pareto_k).all():
        return "unknown: too few samples to tell; raise --samples to 25 at least"
    share = float(np.mean(found.pareto_k > UNRELIABLE))
    if share <= SHARE:
        return "stable"
    return (
        f"unstable: Pareto k-hat is above {UNRELIABLE} in {share:.0%} of the rows, where se_mc is unreliable and the "
        "bound low; raise --samples, or read ais"
    )


def of_annealing(sides: Sides, found: Evidence, *, precise: bool) -> str:
    """Of the annealed estimate: acceptance, weights, the pinch of simulated rows, and L_K, which it should not miss."""
    annealed, judged = sides.annealed, sides.judged
    if annealed is None or judged is None:
        return "exact"
    wanted, problems = PRECISE if precise else PINCH, []
    slow = float(np.mean(annealed.acceptance < LEAST_ACCEPTANCE))
    if slow > SHARE:
        problems.append(
            f"transitions are accepted less than {LEAST_ACCEPTANCE:.0%} of the time in {slow:.0%} of the rows"
        )
    if not judged.excess(wanted) <= 1:
        problems.append(
            f"on rows simulated from the model the two bounds are {judged.pinch:.2f} nats apart (se {judged.se:.2f}), "
            f"more than {wanted}"
        )
    ess = float(np.median(annealed.ess))
    if ess < LEAST_ESS:
        problems.append(f"the weights of its {annealed.schedule.chains} chains are worth {ess:.1f} chains")
    below = sides.log_px - found.terms["iwae"][sides.place]
    error = math.sqrt(float(np.sum(sides.se_mc**2 + found.se_mc["iwae"][sides.place] ** 2))) / len(below)
    if below.mean() < -2 * error:
        problems.append(f"it lies {-below.mean():.2f} nats below the importance-weighted bound")
    if not problems:
        return "stable"
    remedy = "read it as a lower bound" if precise else "raise with --precise"
    return f"unstable: {'; '.join(problems)}; {remedy}"


def against(iwae: np.ndarray, dims: int, baselines: Sequence[Baseline]) -> tuple[str, bool]:
    """How the model's bound compares with the best simpler model of the same rows, and whether it is beaten.

    Parameters
    ----------
    iwae
        L_K per row, nats.
    dims
        Cells of a row.
    baselines
        In the same base measure.

    """
    if not baselines:
        return "", False
    scale = dims * math.log(2)
    best = min(baselines, key=lambda baseline: baseline.bits_per_dim)
    name = best.name.replace("_", " ")
    if best.nats is None:
        difference, se = best.bits_per_dim * scale + float(iwae.mean()), float(iwae.std(ddof=1) / math.sqrt(len(iwae)))
    else:
        each = iwae - best.nats
        difference = float(each.mean())
        se = float(each.std(ddof=1) / math.sqrt(len(each))) if len(each) > 1 else math.nan
    told = f"{abs(difference):.3f} nats per row (se {se:.3f}, paired)"
    if difference > 0:
        return f"The model beats the best of the simpler ones, {name}, by {told}.", False
    return f"THE MODEL DOES NOT BEAT {name.upper()}, which is better by {told}.", True
