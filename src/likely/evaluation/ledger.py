"""Per-row estimates added up to the ledger: each term of the identity, with both kinds of error."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from likely.data.kinds import Measure
from likely.evaluation.counting import Counting
from likely.evaluation.evidence import Evidence, LatentPart
from likely.models import KLKind

__all__ = ["Entry", "Ledger", "Origin", "entry", "given_y", "ledger"]

EXACT_KINDS = {  # where z is summed over
    "reconstruction": "E_P(z|x)[log P(x|z)], summed over every z",
    "kl": "D[P(z|x)||P(z)], summed over every z",
    "elbo": "log P(x), exact: reconstruction - kl",
    "iwae": "log P(x), exact: summed over every z",
    "gap": "Q(z|x) is P(z|x): there is none",
}
KINDS = {
    "reconstruction": "E_Q[log P(x|z)], estimated",
    "kl": "D[Q(z|x)||P(z)], {kl_kind}",
    "elbo": "lower bound on log P(x): reconstruction - kl",
    "iwae": "importance-weighted lower bound on log P(x)",
    "gap": "D[Q(z|x)||P(z|x)] is at least this: iwae - elbo",
    "prior_sampling": "simple Monte Carlo over P(z): its log is a lower bound on log P(x), hopeless in high dimension",
    "unweighted": "log E_Q[P(x|z)]: not log P(x), and no bound on it",
}


class Origin(StrEnum):
    """What the rows of an evaluation are to the fit, as it is printed."""

    TEST = "test"
    TEST_PART = "test part of the given data"
    GIVEN = "all rows of the given data"
    FITTED = "all rows of the given data, which are those of the fit, training rows among them"

    @property
    def held_out(self) -> bool:
        """Whether no training row is among them."""
        return self is not Origin.FITTED


@dataclass(frozen=True)
class Entry:
    """One line of the ledger, averaged over the rows.

    Attributes
    ----------
    nats
        Mean per row.
    se
        Standard error over rows: how much the mean would differ for other rows of the same kind. Copies of a row are
        one observation (`evaluation.Counting`).
    se_mc
        Standard error from sampling z, with these rows given.
    bits_per_dim
        −nats/(cells log 2) for the evidence and its bounds, nats/(cells log 2) for the divergences; cells is the mean
        number of observed cells of these rows.
    kind
        What the number is.
    samples
        K, or the chains of an annealed estimate; `None` for a closed form.
    rows
        How many rows it is the mean of.

    """

    nats: float
    se: float
    se_mc: float
    bits_per_dim: float
    kind: str
    samples: int | None
    rows: int = 0


@dataclass(frozen=True)
class Ledger:
    """The terms of log P(X) − D[Q(z|X)‖P(z|X)] = E_Q[log P(X|z)] − D[Q(z|X)‖P(z)] for some rows.

    Where there are conditions `given`, every term but P(z) is conditional on them, and the entries' kinds say so.

    Attributes
    ----------
    dims, cells
        Cells of a row, and how many of them are observed in the mean over the rows.
    entries
        One per term.
    kl_groups
        The KL of each group of a hierarchy, the top one first, in nats per row; empty where z is one group.
    headline
        How the model compares with the best baseline.
    verdicts
        For `iwae` and `ais`, whether the number is stable, and what to raise where it is not.
    annealing
        How `ais` was made, or why it was not (`reason`).
    calibration
        Lower and upper bounds for rows simulated from the model, if requested.
    quadrature
        Of a model whose z is integrated out: how far it lies from the integral that it stands for (`Quadrature`).
    baselines
        Scores of the same rows under the baselines: plain models and compressors.
    diagnosis
        What is wrong with the fit, and what to do.
    of
        How many rows there were; where `rows` are fewer, they were chosen by their content.

    """

    rows: int
    dims: int
    cells: float
    split: str
    measure: Measure
    seed: int
    seconds: float
    versions: dict[str, str]
    entries: dict[str, Entry]
    given: tuple[str, ...] = ()
    kl_groups: tuple[float, ...] = ()
    headline: str = ""
    verdicts: dict[str, str] = field(default_factory=dict)
    annealing: dict[str, Any] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)
    quadrature: dict[str, Any] = field(default_factory=dict)
    baselines: tuple[dict[str, Any], ...] = ()
    diagnosis: dict[str, Any] = field(default_factory=dict)
    of: int = 0

    def __getitem__(self, name: str) -> Entry:
        return self.entries[name]

    @property
    def how_annealed(self) -> list[str]:
        """How log P(x) was annealed or summed, and what both bounds say of simulated rows, in sentences."""
        return [*_annealing(self.annealing), *_calibration(self.calibration), *_quadrature(self.quadrature)]

    def to_dict(self) -> dict[str, Any]:
        """Flat dictionary, ready for JSON: the facts, and an object per entry."""
        values = asdict(self)
        entries = values.pop("entries")
        return {**values, **entries}


def _annealing(how: Mapping[str, Any]) -> list[str]:
    if not how:
        return []
    if "reason" in how:
        return [f"Not annealed: {how['reason']}."]
    if "codes" in how:
        return [f"Exact: summed over the {how['codes']} codes that z may be, for {how['rows']} of {how['of']} rows."]
    limit = ""
    if "minutes" in how:
        cut = ", which left rows or temperatures out" if how["cut"] else ""
        took = f"limited to about {how['minutes']:g} minutes and took {how['seconds'] / 60:.1f}{cut}"
        limit = f" ({how['asked']} asked for; {took})"
    return [
        f"Annealed {how['rows']} of {how['of']} rows{limit} from {how['from']}: {how['chains']} chains (worth "
        f"{how['ess']:.1f}), {how['temperatures']} temperatures, {how['leapfrog_steps']} leapfrog steps, acceptance "
        f"{how['acceptance']:.2f}. On {how['simulated_rows']} simulated rows, by which temperatures are chosen, upper "
        f"- lower bound is {how['pinch']:.3f} nats (se {how['pinch_se']:.3f})."
    ]


def _calibration(facts: Mapping[str, Any]) -> list[str]:
    if not facts:
        return []
    if "reason" in facts:
        return [f"Not calibrated: {facts['reason']}."]
    return [
        f"Calibration on {facts['rows']} more rows simulated from the model: lower {facts['lower']:.3f} (se "
        f"{facts['lower_se']:.3f}), upper {facts['upper']:.3f} (se {facts['upper_se']:.3f}), upper - lower "
        f"{facts['pinch']:.3f} nats (se {facts['pinch_se']:.3f}): {facts['meaning']}."
    ]


def _quadrature(facts: Mapping[str, Any]) -> list[str]:
    if not facts:
        return []
    return [
        f"Quadrature: log P(x) of the model's {facts['points']:,} points of z is {facts['bias']:+.4f} nats (se "
        f"{facts['bias_se']:.4f}) beside that of {facts['scrambles']} other scrambles of "
        f"{facts['reference_points']:,}, which differ by {facts['spread']:.4f} nats; {facts['rows']} rows. Those are "
        "nearer to the integral over P(z), which is another distribution."
    ]


def given_y(text: str) -> str:
    """Formulae of a model of P(x), as they are for P(x|y): `log P(x)` to `log P(x|y)`, `Q(z|X)` to `Q(z|X,y)`."""
    text = re.sub(r"P\(([xX])\)", r"P(\1|y)", text)
    return re.sub(r"(P\([xX]\|z|[PQ]\(z\|[xX])\)", r"\1,y)", text)


def ledger(
    measured: Evidence,
    *,
    dims: int,
    split: str,
    measure: Measure,
    seed: int,
    seconds: float,
    versions: dict[str, str],
    given: tuple[str, ...] = (),
) -> Ledger:
    """Average per-row estimates over rows; rows that share their noise count as one draw in `se_mc`."""
    entries, cells = {}, measured.counting.mean(measured.cells)
    for name, kind in KINDS.items():
        if name in measured.terms:
            what = EXACT_KINDS[name] if measured.exact else kind
            description = (given_y(what) if given else what).format(kl_kind=measured.kl_kind)
            closed = measured.exact or (name == "kl" and measured.kl_kind is KLKind.CLOSED)
            samples = None if closed else measured.samples
            divergence = name in ("kl", "gap")
            entries[name] = entry(
                measured.terms[name],
                measured.se_mc[name],
                measured.keys,
                measured.counting,
                cells,
                description,
                samples,
                divergence=divergence,
            )
    parts = measured.kl_parts if measured.part is LatentPart.GROUP and measured.kl_parts is not None else np.empty(0)
    groups = tuple(float(part) for part in parts)
    rows = len(measured.keys)
    return Ledger(rows, dims, cells, split, measure, seed, seconds, versions, entries, given, groups, of=rows)


def entry(
    nats: np.ndarray,
    se_mc: np.ndarray,
    keys: np.ndarray,
    counting: Counting,
    cells: float,
    kind: str,
    samples: int | None,
    *,
    divergence: bool = False,
) -> Entry:
    """Average over rows of so many observed cells in the mean; rows with equal keys count as one draw in `se_mc`."""
    mean = counting.mean(nats)
    return Entry(
        nats=mean,
        se=counting.se(nats),
        se_mc=_mean_error(se_mc, keys, counting.weights),
        bits_per_dim=(mean if divergence else -mean) / (cells * math.log(2)) if cells else math.nan,
        kind=kind,
        samples=samples,
        rows=len(nats),
    )


def _mean_error(errors: np.ndarray, keys: np.ndarray, weights: np.ndarray | None) -> float:
    w = np.ones(len(errors)) if weights is None else weights
    _, group = np.unique(keys, return_inverse=True)
    return float(np.sqrt(np.sum(np.bincount(group, w * errors) ** 2)) / w.sum())
