"""What is wrong with a fitted model, and what can be done about it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from likely.data import Column, EncodedRows, Schema
from likely.evaluation.diagnosis import words
from likely.evaluation.diagnosis.aggregate import Aggregate, aggregate
from likely.evaluation.diagnosis.pit import ALL_CELLS, Calibration, calibrations, dependence, uniforms
from likely.evaluation.diagnosis.splits import Outside, Overfitting, compare, outside
from likely.evaluation.diagnosis.units import Collapse, Units, active_units, collapse
from likely.evaluation.evidence import Evidence
from likely.evaluation.ledger import given_y
from likely.evaluation.sampling import random_subset
from likely.likelihoods import Gaussian
from likely.models import VAE, Model

__all__ = ["Diagnosis", "diagnose"]

MAX_ROWS, MIN_ROWS = 1000, 50  # looked at, of each kind
MAX_CELLS = 2**22  # looked at, unless these are fewer than 50 rows


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What a fitted model does with z, how it fits each kind of row, and whether P(x|z) is calibrated.

    Attributes
    ----------
    rows, of
        Test rows that were looked at (1,000 at most, fewer of large pictures), and how many there are. The rows outside
        inferred ranges are counted among all.
    seed
        Of the noise and of the choice of rows.
    units
        Activity of the units of z; of an ensemble, of its first member's.
    collapse
        Which parts of z are unused, and whether that is a problem.
    aggregate
        I(x;z) and D[Q(z)‖P(z)]; `None` for one row.
    fit
        The ELBO of training, validation and test rows.
    calibration
        Per column of a table, else of all cells together.
    effective_draws, draws
        Effective number of the draws among which the z of the calibration is taken.
    outside
        Rows with values that training rows do not have.
    sentences
        What to read first: problems, then the rest.
    problems
        How many of the sentences tell of a problem.
    remedies
        Options of `likely fit` that address the problems, in the order of the sentences.

    """

    rows: int
    of: int
    seed: int
    units: Units
    collapse: Collapse
    aggregate: Aggregate | None
    fit: Overfitting
    calibration: tuple[Calibration, ...]
    effective_draws: float
    draws: int
    outside: Outside
    sentences: tuple[str, ...]
    problems: int
    remedies: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, ready for JSON; what is not finite is `None`."""
        plain: dict[str, Any] = _plain(dataclasses.asdict(self))
        return plain | {"active_units": self.units.active}


def diagnose(
    model: Model,
    schema: Schema,
    train: EncodedRows | None,
    validation: EncodedRows | None,
    test: EncodedRows,
    evidence: Evidence,
    *,
    seed: int = 0,
    held_out: bool = True,
) -> Diagnosis:
    """What a fitted model does with z, how it fits each kind of row, and what is wrong with it, in sentences.

    Of each kind of row 1,000 at most are looked at, a random part chosen by (seed, the rows); of rows of many cells at
    most 4 million cells, but 50 rows. Noise is keyed by (seed, row), and no generator of torch's is used.

    Parameters
    ----------
    model, schema
        The fitted model, and what X is.
    train, validation, test
        Encoded rows; the first two `None` where they are gone.
    evidence
        Of the test rows: its KL, and the KL's parts.
    seed
        Of the noise and of the choice of rows.
    held_out
        Whether no training row is among the test rows.

    """
    most = min(MAX_ROWS, max(MIN_ROWS, MAX_CELLS // schema.dims))
    whole = {"train": train, "validation": validation, "test": test}
    kinds = {name: None if some is None else random_subset(some, most, seed) for name, some in whole.items()}
    rows = random_subset(test, most, seed)
    transformed = uniforms(model, rows, seed)
    first = model.members[0]
    units = active_units(first, rows, seed)
    used = collapse(evidence, units, dependence(transformed.u))
    split = aggregate(model, rows, seed)
    fit = compare(
        model, kinds, {name: 0 if some is None else len(some) for name, some in whole.items()}, seed, held_out=held_out
    )
    calibration = calibrations(schema, transformed)
    beyond = outside(schema, test)
    fixed = isinstance(model.p_x_z, Gaussian) and not isinstance(model.p_x_z.sigma, str)
    findings = [
        *words.of_collapse(used, units, first.latent),
        *words.of_fit(fit),
        *words.of_calibration(calibration, _columns(schema), fixed, transformed.effective),
        *words.of_aggregate(split, _other_priors(first)),
        *words.of_outside(beyond),
    ]
    findings.sort(key=lambda finding: not finding.is_problem)
    sentences = [one.sentence if model.condition is None else given_y(one.sentence) for one in findings]
    return Diagnosis(
        rows=len(rows),
        of=len(test),
        seed=seed,
        units=units,
        collapse=used,
        aggregate=split,
        fit=fit,
        calibration=calibration,
        effective_draws=transformed.effective,
        draws=transformed.draws,
        outside=beyond,
        sentences=tuple(sentences),
        problems=sum(finding.is_problem for finding in findings),
        remedies=tuple(option for finding in findings for option in finding.options if finding.is_problem),
    )


def _other_priors(model: Model) -> list[str]:
    """Options for priors of another kind, where z is a real vector of one group."""
    if not isinstance(model, VAE) or model.q_z_x.space != "real":
        return []
    return [option for kind, option in words.PRIORS.items() if not isinstance(model.p_z, kind)]


def _columns(schema: Schema) -> dict[str, Column]:
    return {ALL_CELLS if schema.cells_alike else column.name: column for column in schema.modelled}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(part) for part in value]
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
