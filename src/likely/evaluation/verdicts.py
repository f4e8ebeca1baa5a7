"""Whether a number can be relied on, and what to raise where it cannot."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from likely.evaluation.annealing.bidirectional import PINCH, PRECISE
from likely.evaluation.baselines.fitted import Baseline
from likely.evaluation.counting import Counting
from likely.evaluation.evidence import Evidence
from likely.evaluation.sides import Sides

__all__ = ["against", "of_annealing", "of_importance"]

UNRELIABLE, SHARE = 0.7, 0.05
LEAST_ACCEPTANCE, LEAST_ESS = 0.4, 2.0


def of_importance(found: Evidence, *, annealed: bool) -> str:
    """Of L_K, by the Pareto k-hat of its weights: above 0.7 an estimate and its error cannot be relied on.

    Parameters
    ----------
    found
        The estimates.
    annealed
        Whether there is an annealed estimate to turn to.

    """
    impossible = int((~np.isfinite(found.terms["iwae"])).sum())
    if impossible:
        return f"unstable: {impossible} of the rows get no probability from any sample of z; see -o FILE for which"
    if np.isnan(found.pareto_k).all():
        return "unknown: too few samples to tell; raise --samples to 25 at least"
    share = float(np.mean(~(found.pareto_k <= UNRELIABLE)))
    if share <= SHARE:
        return "stable"
    other = ", or read ais" if annealed else ""
    return (
        f"unstable: Pareto k-hat is above {UNRELIABLE} in {share:.0%} of the rows, where se_mc is unreliable and the "
        f"bound low; raise --samples{other}"
    )


def of_annealing(sides: Sides, found: Evidence, *, precise: bool) -> str:
    """Of the annealed estimate: acceptance, weights, the pinch of simulated rows, and L_K, which it should not miss."""
    annealed, judged = sides.annealed, sides.judged
    if annealed is None or judged is None:
        return "exact"
    impossible = int((~np.isfinite(sides.log_px)).sum())
    if impossible:
        return f"unstable: {impossible} of the rows get no probability from any chain; see -o FILE for which"
    wanted, problems = PRECISE if precise else PINCH, []
    slow = float(np.mean(~(annealed.acceptance >= LEAST_ACCEPTANCE)))
    if slow > SHARE:
        problems.append(f"in {slow:.0%} of the rows less than {LEAST_ACCEPTANCE:.0%} of the transitions are accepted")
    if not judged.excess(wanted) <= 1:
        problems.append(
            f"on rows simulated from the model the two bounds are {judged.pinch:.2f} nats apart (se {judged.se:.2f}), "
            f"where {wanted} with two errors was wanted"
        )
    ess = float(np.median(annealed.ess))
    if not ess >= LEAST_ESS:
        problems.append(f"the weights of its {annealed.schedule.chains} chains are worth {ess:.1f} chains")
    below = sides.log_px - found.terms["iwae"][sides.place]
    error = math.sqrt(float(np.sum(sides.se_mc**2 + found.se_mc["iwae"][sides.place] ** 2))) / len(below)
    if below.mean() < -2 * error:
        problems.append(f"it lies {-below.mean():.2f} nats below the importance-weighted bound")
    if not problems:
        return "stable"
    remedy = "read it as a lower bound" if precise else "raise with --precise"
    return f"unstable: {'; '.join(problems)}; {remedy}"


def against(found: Evidence, baselines: Sequence[Baseline], sides: Sides | str) -> tuple[str, bool]:
    """How the model compares with the simpler model or compressor that is best on these rows, and whether it is beaten.

    L_K lies below log P(x). Where it is above the other the model is better; where it is not, the annealed (or exact)
    log P(x) decides, on its rows. A difference counts from two standard errors.

    Parameters
    ----------
    found
        L_K per row.
    baselines
        In the same base measure.
    sides
        log P(x) of some rows, or why not.

    """
    iwae = found.terms["iwae"]
    if not baselines or not np.isfinite(iwae).all():
        return "", False
    best = min(baselines, key=lambda baseline: baseline.bits_per_dim)
    name = best.name.replace("_", " ")
    other = -best.bits_per_dim * found.cells * math.log(2) if best.nats is None else best.nats
    gain, error = _mean(iwae - other, found.counting)
    if gain > 2 * error:
        return (
            f"The model beats the best of the simpler ones, {name}, by {gain:.3f} nats per row (se {error:.3f}).",
            False,
        )
    if isinstance(sides, Sides):
        what, rows = "annealed" if sides.annealed is not None else "exact", len(sides.place)
        nearer, nearer_error = _mean(sides.log_px - other[sides.place], found.counting.take(sides.place))
        told = f"{abs(nearer):.3f} nats per row (se {nearer_error:.3f}; log P(x) {what}, {rows} rows)"
        if nearer > 2 * nearer_error:
            return (
                f"The model beats the best of the simpler ones, {name}, by {told}, though its bound L_K does not.",
                False,
            )
        if nearer < -2 * nearer_error:
            return f"THE MODEL DOES NOT BEAT {name.upper()}, which is better by {told}.", True
    elif gain < -2 * error:
        return (
            f"THE MODEL DOES NOT BEAT {name.upper()} by its bound L_K, which is lower by {-gain:.3f} nats per row (se "
            f"{error:.3f}); log P(x) itself may be higher: anneal to know."
        ), True
    return f"The model and the best of the simpler ones, {name}, cannot be told apart on these rows.", True


def _mean(values: np.ndarray, counting: Counting) -> tuple[float, float]:
    """Mean and standard error over rows; of one row the error is infinite."""
    error = counting.se(values)
    return counting.mean(values), math.inf if math.isnan(error) else error
