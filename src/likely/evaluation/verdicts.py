"""Whether a number can be relied on, and what to raise where it cannot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from likely.evaluation.annealing.bidirectional import MAX_WIDTH, PRECISE_MAX_WIDTH
from likely.evaluation.baselines.fitted import Baseline
from likely.evaluation.counting import Counting
from likely.evaluation.evidence import Evidence
from likely.evaluation.log_px import LogPxEstimate, NotAnnealed

__all__ = ["Headline", "Stability", "Verdict", "against", "of_annealing", "of_importance"]

MAX_PARETO_K = 0.7  # above it neither an importance estimate nor its error can be relied on (Vehtari et al. 2024)
MAX_SHARE = 0.05  # of rows that may be unreliable
MIN_ACCEPTANCE, MIN_ESS = 0.4, 2.0  # of transitions, of chains: below them chains hardly move, or one has all weight


class Stability(StrEnum):
    """Whether a number can be relied on."""

    STABLE = "stable"
    EXACT = "exact"
    UNSTABLE = "unstable"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Verdict:
    """Whether a number can be relied on and, where it cannot, why and what to raise."""

    stability: Stability
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.stability}: {self.reason}" if self.reason else str(self.stability)


@dataclass(frozen=True)
class Headline:
    """How the model compares with its best baseline, in words, and whether the model does not beat it."""

    text: str
    beaten: bool


def of_importance(measured: Evidence, *, annealed: bool) -> Verdict:
    """The verdict on L_K, by the Pareto k-hat of its weights: above 0.7 it and its error cannot be relied on.

    Parameters
    ----------
    measured
        The estimates.
    annealed
        Whether there is an annealed estimate to turn to.

    """
    impossible = int((~np.isfinite(measured.terms["iwae"])).sum())
    if impossible:
        return Verdict(
            Stability.UNSTABLE,
            f"{impossible} of the rows get no probability from any sample of z; see -o FILE for which",
        )
    if measured.exact:
        return Verdict(Stability.EXACT)
    if np.isnan(measured.pareto_k).all():
        return Verdict(Stability.UNKNOWN, "too few samples to tell; raise --samples to 25 at least")
    share = float(np.mean(~(measured.pareto_k <= MAX_PARETO_K)))
    if share <= MAX_SHARE:
        return Verdict(Stability.STABLE)
    other = ", or read ais" if annealed else ""
    return Verdict(
        Stability.UNSTABLE,
        f"Pareto k-hat is above {MAX_PARETO_K} in {share:.0%} of the rows, where se_mc is unreliable and the bound "
        f"low; raise --samples{other}",
    )


def of_annealing(estimate: LogPxEstimate, measured: Evidence, *, precise: bool) -> Verdict:
    """The verdict on the annealed estimate: by acceptance, weights, the bounds of simulated rows, and L_K."""
    annealed, simulated = estimate.annealed, estimate.simulated_bounds
    if annealed is None or simulated is None:
        return Verdict(Stability.EXACT)
    impossible = int((~np.isfinite(estimate.log_px)).sum())
    if impossible:
        return Verdict(
            Stability.UNSTABLE, f"{impossible} of the rows get no probability from any chain; see -o FILE for which"
        )
    max_width, problems = PRECISE_MAX_WIDTH if precise else MAX_WIDTH, []
    slow = float(np.mean(~(annealed.acceptance >= MIN_ACCEPTANCE)))
    if slow > MAX_SHARE:
        problems.append(f"in {slow:.0%} of the rows less than {MIN_ACCEPTANCE:.0%} of the transitions are accepted")
    if not simulated.excess(max_width) <= 1:
        problems.append(
            f"on rows simulated from the model the two bounds are {simulated.width:.2f} nats apart (se "
            f"{simulated.se:.2f}), where {max_width} with two errors was wanted"
        )
    ess = float(np.median(annealed.ess))
    if not ess >= MIN_ESS:
        problems.append(f"the weights of its {annealed.path.chains} chains are worth {ess:.1f} chains")
    below = estimate.log_px - measured.terms["iwae"][estimate.indices]
    error = math.sqrt(float(np.sum(estimate.se_mc**2 + measured.se_mc["iwae"][estimate.indices] ** 2))) / len(below)
    if below.mean() < -2 * error:
        problems.append(f"it lies {-below.mean():.2f} nats below the importance-weighted bound")
    if not problems:
        return Verdict(Stability.STABLE)
    remedy = "read it as a lower bound" if precise else "raise with --precise"
    return Verdict(Stability.UNSTABLE, f"{'; '.join(problems)}; {remedy}")


def against(measured: Evidence, baselines: Sequence[Baseline], estimate: LogPxEstimate | NotAnnealed) -> Headline:
    """How the model compares with the baseline or compressor that is best on these rows.

    L_K lies below log P(x). Where it is above the other the model is better; where it is not, the annealed (or exact)
    log P(x) decides, on its rows. A difference counts from two standard errors. Where the other's number is itself a
    lower bound, this is said.

    Parameters
    ----------
    measured
        The evidence, with L_K per row.
    baselines
        In the same base measure.
    estimate
        log P(x) of some rows, or why it was not estimated.

    """
    iwae = measured.terms["iwae"]
    if not baselines or not np.isfinite(iwae).all():
        return Headline("", beaten=False)
    best = min(baselines, key=lambda baseline: baseline.bits_per_dim)
    name = best.name.replace("_", " ") + (" (by its lower bound)" if best.bound else "")
    wins = f"The model beats the best baseline, {name}, by"
    other = -best.bits_per_dim * measured.cells * math.log(2) if best.nats is None else best.nats
    gain, error = _mean(iwae - other, measured.counting)
    if gain > 2 * error:
        return Headline(f"{wins} {gain:.3f} nats per row (se {error:.3f}).", beaten=False)
    if isinstance(estimate, LogPxEstimate):
        what, rows = "annealed" if estimate.annealed is not None else "exact", len(estimate.indices)
        counting = measured.counting.take(estimate.indices)
        nearer, nearer_error = _mean(estimate.log_px - other[estimate.indices], counting)
        by = f"{abs(nearer):.3f} nats per row (se {nearer_error:.3f}; log P(x) {what}, {rows} rows)"
        if nearer > 2 * nearer_error:
            return Headline(f"{wins} {by}, though its bound L_K does not.", beaten=False)
        if nearer < -2 * nearer_error:
            return Headline(f"THE MODEL DOES NOT BEAT {name.upper()}, which is better by {by}.", beaten=True)
    elif gain < -2 * error and measured.exact:
        return Headline(
            f"THE MODEL DOES NOT BEAT {name.upper()}, which is better by {-gain:.3f} nats per row (se {error:.3f}).",
            beaten=True,
        )
    elif gain < -2 * error:
        return Headline(
            f"THE MODEL DOES NOT BEAT {name.upper()} by its bound L_K, which is lower by {-gain:.3f} nats per row (se "
            f"{error:.3f}); log P(x) itself may be higher: anneal to know.",
            beaten=True,
        )
    return Headline(
        f"The model and the best baseline, {name}, do not differ beyond the error on these rows.", beaten=True
    )


def _mean(values: np.ndarray, counting: Counting) -> tuple[float, float]:
    """Mean and standard error over rows; of one row the error is infinite."""
    error = counting.se(values)
    return counting.mean(values), math.inf if math.isnan(error) else error
