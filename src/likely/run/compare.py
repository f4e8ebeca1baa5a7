"""Several runs on the same rows: their ledgers side by side, paired."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from likely.config import demand_whole
from likely.data import Column, EncodedRows, Given, Rows, digest
from likely.data.kinds import Binarize, Kind, Measure
from likely.errors import ConfigError, DataError, quoted
from likely.evaluation import Entry, Evidence, evidence
from likely.evaluation.counting import Counting
from likely.evaluation.ledger import KINDS, entry
from likely.likelihoods.measures import atoms_of, measured
from likely.run.progress import bar
from likely.run.run import Run
from likely.run.store import load

__all__ = ["Comparison", "compare"]

TERMS = ("reconstruction", "kl", "elbo", "iwae", "gap")


@dataclass(frozen=True)
class Comparison:
    """The terms of the identity under several runs, on the same rows.

    Attributes
    ----------
    runs
        What each is called.
    rows, measure, samples, seed
        How many rows, the base measure that the runs share, K, and the seed of the noise.
    split
        What the rows are to each run: whether they are those of its fit.
    counting
        How rows count in every mean: once each, or by the weights that all runs have.
    given
        The conditions of each run: log P(x|y) stands beside log P(x) where one run is given y and another is not.
    terms
        `reconstruction, kl, elbo, iwae, gap` -> one entry for each run.
    differences
        The same terms -> for each run but the first its value minus the first's: the mean over the rows of their
        differences, with `se` over rows of these, and `se_mc` from sampling z.

    """

    runs: tuple[str, ...]
    rows: int
    split: tuple[str, ...]
    counting: str
    measure: str
    samples: int
    seed: int
    given: tuple[tuple[str, ...], ...]
    terms: dict[str, tuple[Entry, ...]]
    differences: dict[str, tuple[Entry, ...]]

    def frame(self) -> pd.DataFrame:
        """A line for each term and run: `term, run, nats, se, se_mc, difference, difference_se, difference_se_mc`."""
        lines = []
        for term, entries in self.terms.items():
            for place, (name, entry_of) in enumerate(zip(self.runs, entries, strict=True)):
                line = {"term": term, "run": name, "nats": entry_of.nats, "se": entry_of.se, "se_mc": entry_of.se_mc}
                less = self.differences[term][place - 1] if place else None
                for part, key in (("nats", ""), ("se", "_se"), ("se_mc", "_se_mc")):
                    line[f"difference{key}"] = getattr(less, part) if less else float("nan")
                lines.append(line)
        return pd.DataFrame(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, ready for JSON."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain


def compare(
    runs: Sequence[Run | str | Path],
    data: Any = None,
    *,
    given: Given | None = None,
    samples: int = 500,
    seed: int = 0,
) -> Comparison:
    """Compare runs, term by term, on the same rows: paired, so that what rows have in common cancels.

    Parameters
    ----------
    runs
        Two or more, or their directories.
    data
        The rows; the stored test rows unless given, where all runs hold the same ones out.
    given
        Values of conditions, for the runs that have them.
    samples, seed
        K of the importance-weighted bound; of the noise, which is another for each run (run i takes seed + i), so that
        the errors of their estimates are independent, and of the pixels, where `binarize` is `dynamic`.

    Raises
    ------
    ConfigError
        If the runs are of different columns, or have another base measure in one: the column is named; or they are
        binarised once by different seeds.
    DataError
        If the rows do not fit a run; or none are given and the runs hold out different ones.

    Examples
    --------
    >>> import numpy as np, likely
    >>> x = np.random.default_rng(0).normal(size=(150, 2)) @ [[2.0, 1.0], [0.0, 0.5]]
    >>> short, long = (likely.fit(x, latent=2, steps=steps) for steps in (3, 300))
    >>> comparison = likely.compare([short, long], samples=50)
    >>> bool(comparison.differences["iwae"][0].nats > 0)
    True

    """
    if len(runs) < 2:
        raise ConfigError(f"give two runs or more, got {len(runs)}")
    demand_whole("samples", samples)
    names = _names(runs)
    loaded = [run if isinstance(run, Run) else _loaded(run) for run in runs]
    for name, run in zip(names[1:], loaded[1:], strict=True):
        _demand_same_measure(names[0], loaded[0], name, run)
    if data is None:
        _demand_same_rows(loaded)
    known = {column.name for run in loaded for column in run.schema.conditions}
    strange = [name for name in given or {} if name not in known]
    if strange:
        raise ConfigError(f"{quoted(strange[0])} is a condition of none of the runs")
    measured, encoded, splits = list[Evidence](), list[EncodedRows](), list[str]()
    for run in loaded:
        rows, origin = run.rows_of(data)
        splits.append(origin())
        mine = {c.name: given[c.name] for c in run.schema.conditions if c.name in given} if given else None
        pixels = seed if run.schema.binarize == Binarize.DYNAMIC else run.config.seed
        encoded.append(run.encoded(rows, mine, pixels))
    _demand_known(names, loaded, encoded)
    for place, (name, run, part) in enumerate(zip(names, loaded, encoded, strict=True)):
        with bar(f"evaluating {name}", shown=run.progress) as tick:
            measured.append(
                evidence(run.model, part, samples=samples, seed=seed + place, rule=run.proposal_rule(), progress=tick)
            )
    counting, said = _counting(measured)
    return Comparison(
        names,
        len(measured[0].keys),
        tuple(splits),
        said,
        loaded[0].measure,
        samples,
        seed,
        tuple(tuple(column.name for column in run.schema.conditions) for run in loaded),
        {term: tuple(_entry(term, counting, one) for one in measured) for term in TERMS},
        {term: tuple(_entry(term, counting, one, measured[0]) for one in measured[1:]) for term in TERMS},
    )


def _counting(measured: Sequence[Evidence]) -> tuple[Counting, str]:
    """How rows count for all runs, as for the first; once each where the runs weigh them differently; and in words."""
    first = measured[0].counting
    weights_of = [None if one.counting.weights is None else one.counting.weights.tolist() for one in measured]
    if any(weights != weights_of[0] for weights in weights_of):
        return replace(first, weights=None), "each row counts once: the runs have different weights of rows"
    return first, "each row counts once" if first.weights is None else "rows count by their weights"


def _entry(term: str, counting: Counting, measured: Evidence, less: Evidence | None = None) -> Entry:
    """A term's mean over the rows; or that of what it is more than another's, row by row."""
    nats, error = measured.terms[term], measured.se_mc[term]
    kind = KINDS[term].format(kl_kind=measured.kl_kind)
    if less is not None:
        with np.errstate(invalid="ignore"):
            nats = nats - less.terms[term]
        error, kind = np.hypot(error, less.se_mc[term]), f"{term} minus that of the first run"
    cells, bound = counting.mean(measured.cells), term in ("kl", "gap")
    return entry(nats, error, measured.keys, counting, cells, kind, measured.samples, divergence=bound)


def _loaded(path: str | Path) -> Run:
    try:
        return load(path)
    except ConfigError as error:
        raise ConfigError(f"{error}; load it first, and compare the run") from error


def _names(runs: Sequence[Run | str | Path]) -> tuple[str, ...]:
    """The directories' names, as much of them as tells them apart."""
    paths = [run.directory if isinstance(run, Run) else Path(run) for run in runs]
    short = [f"run {place + 1}" if path is None else path.name for place, path in enumerate(paths)]
    if len(set(short)) == len(short):
        return tuple(short)
    longer = [name if path is None else str(path) for name, path in zip(short, paths, strict=True)]
    return tuple(f"{place + 1}: {name}" for place, name in enumerate(longer))


def _demand_same_rows(runs: Sequence[Run]) -> None:
    first = runs[0]
    for run in runs[1:]:
        here, there = run.division, first.division
        same = here.origin["test"] == there.origin["test"] and np.array_equal(here.test, there.test)
        if not same or (run.record.data.digest != first.record.data.digest and _digest(run) != _digest(first)):
            raise DataError(
                "the runs hold out different rows, so that the test rows of one may have trained another: give rows "
                "that none was fitted on"
            )


def _digest(run: Run) -> str:
    """Of x alone: not of what is given, left out or weighs."""
    source, places = run.training_source(), [p for p, c in enumerate(run.schema.columns) if c in run.schema.modelled]
    splits = {
        name: Rows(rows.values.iloc[:, places] if isinstance(rows.values, pd.DataFrame) else rows.values)
        for name, rows in ((name, one.read()) for name, one in source.splits.items())
    }
    return digest(replace(source, splits=splits))


def _demand_same_measure(name: str, first: Run, other: str, run: Run) -> None:
    """Refuse two runs whose log P(x) are relative to different measures."""
    mine, theirs = _cells(first, run)
    for column in dict.fromkeys([*mine, *theirs]):
        if column not in mine or column not in theirs:
            owner, lacking = (name, other) if column in mine else (other, name)
            raise ConfigError(f"column {column!r} is modelled by {owner} and not by {lacking}: they are of different x")
    if first.schema.event_shape != run.schema.event_shape or first.schema.binarize != run.schema.binarize:
        shapes = " and ".join(f"{one.schema.event_shape} {one.schema.binarize or ''}".strip() for one in (first, run))
        raise ConfigError(f"column {mine[0]!r}: rows are {shapes}: they are of different x")
    if first.schema.binarize == Binarize.STATIC and first.config.seed != run.config.seed:
        raise ConfigError(
            f"column {mine[0]!r}: {name} and {other} are binarised once, by the seeds {first.config.seed} and "
            f"{run.config.seed}: they are of different x; fit both with one seed"
        )
    for column in mine:
        words = [_measure(one, names.index(column)) for one, names in ((first, mine), (run, theirs))]
        if words[0] != words[1]:
            raise ConfigError(
                f"column {column!r}: {name} has {words[0]}, {other} has {words[1]}; log P(x) relative to different "
                "measures cannot be compared: fit both with the same kind of column and likelihood"
            )


def _cells(first: Run, run: Run) -> tuple[list[str], list[str]]:
    """The names of what each of two runs models.

    To a whole model of the user's an array of numbers is cells alike: they have the names that they are columns by to
    the other run.
    """
    names = [[column.name for column in one.schema.modelled] for one in (first, run)]
    alike = [one.schema.cells_alike for one in (first, run)]
    if alike[0] != alike[1] and first.schema.form == run.schema.form:
        return names[alike.index(False)], names[alike.index(False)]
    return names[0], names[1]


def _demand_known(names: Sequence[str], runs: Sequence[Run], encoded: Sequence[EncodedRows]) -> None:
    """Refuse rows with a value that one run knows and another counts among all that it never saw."""
    named = next((run.schema.modelled for run in runs if not run.schema.cells_alike), ())
    for column in named:
        unknown = [_unknown(run, column.name, rows) for run, rows in zip(runs, encoded, strict=True)]
        for other, theirs in zip(names[1:], unknown[1:], strict=True):
            differs = unknown[0] != theirs
            if differs.any():
                row = int(differs.nonzero()[0])
                who = names[0] if unknown[0][row] else other
                raise ConfigError(
                    f"column {column.name!r}: row {row} holds a value that {who} never saw, whose mass is that of all "
                    "such values together, and the other run knows it: leave such rows out"
                )


def _unknown(run: Run, name: str, rows: EncodedRows) -> Tensor:
    """Which rows hold a value that the training rows lacked, of a column of known values."""
    place = next((place for place, column in enumerate(run.schema.modelled) if column.name == name), 0)
    column, values = run.schema.modelled[place], rows.stored().values[:, place].cpu()
    if column.coded:
        return values < 0
    if column.kind != Kind.LISTED:
        return torch.zeros(len(values), dtype=torch.bool)
    known = torch.tensor([float(number) for number in column.categories], dtype=values.dtype)
    return (values.unsqueeze(1) != known).all(1)


def _measure(run: Run, place: int) -> str:
    """What log P of a cell of the column at this place is relative to, in words."""
    column, likelihood = run.schema.modelled[0 if run.schema.cells_alike else place], run.model.p_x_z

    def holds(what: Measure) -> bool:
        return bool(measured(likelihood, what).expand(run.schema.event_shape).reshape(-1)[place])

    if holds("density"):
        return "a density" + _unit(column)
    if holds("mixed"):
        held = atoms_of(likelihood)
        atoms = [] if held is None else [f"{atom:g}" for atom in held[place].tolist() if not math.isnan(atom)]
        return f"a density with masses at {', '.join(atoms)}" + _unit(column)
    if column.coded:
        return "the mass of a category"
    if column.kind == Kind.BINARY:
        return f"the mass of {column.low:g} or {column.high:g}"
    return "the mass of a number" + ("" if column.step is None else f" recorded to {column.step:g}") + _unit(column)


def _unit(column: Column) -> str:
    return f" in units of {column.unit}" if column.unit else ""
