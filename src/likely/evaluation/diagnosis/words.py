"""A diagnosis in sentences, each with the option of `likely fit` that addresses what it finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from likely.data import Column, Kind
from likely.data.kinds import NUMERIC
from likely.evaluation.diagnosis.aggregate import Aggregate
from likely.evaluation.diagnosis.pit import ALL_CELLS, Calibration
from likely.evaluation.diagnosis.splits import Fit, Outside, Overfitting
from likely.evaluation.diagnosis.units import Collapse, Units, Usage
from likely.evaluation.evidence import LatentPart
from likely.priors import Flow, Vamp

__all__ = ["Finding", "of_aggregate", "of_calibration", "of_collapse", "of_fit", "of_outside"]

MIN_DIVERGENCE = 1.0  # nats of D[Q(z)‖P(z)] from which draws of P(z) fall beside the rows
MAX_NAMED = 5  # columns
MIN_DRAWS = 5  # effective ones, for z to stand for P(z|x)

FREE_BITS = {
    LatentPart.DIMENSION: "--objective free-bits:0.1",
    LatentPart.GROUP: "--objective free-bits:0.5:group",
    LatentPart.UNIT: "--objective free-bits:2:total",
}
PRIORS: dict[type[nn.Module], str] = {Flow: "--prior flow", Vamp: "--prior vamp"}
WARM = "--set warmup=0.5"
SMALLER = ("--set weight_decay=1", "--set blocks=1")
PREDICTED = "--likelihood gaussian"
WARPED = ("--likelihood warped:10",)
SHAPES = {
    Kind.REAL: ("--likelihood mixture:5", "--likelihood student"),
    Kind.LEVELS: ("--likelihood logistic-mixture:5",),
    Kind.GRID: ("--likelihood logistic-mixture:5",),
}


@dataclass(frozen=True)
class Finding:
    """A sentence of a diagnosis, whether it tells of a problem, and options of `likely fit` that address it."""

    is_problem: bool
    sentence: str
    options: tuple[str, ...] = ()


def of_collapse(collapse: Collapse, units: Units, latent: int) -> Iterator[Finding]:
    """Whether z is used."""
    used = collapse.parts - len(collapse.unused)
    by = "carry 0.01 nats or more" if collapse.part is not LatentPart.UNIT else "are active"
    counted = (
        f"{used} of {collapse.parts} {'units' if collapse.part is LatentPart.UNIT else collapse.part + 's'} of z {by}"
    )
    counted += f"; KL {collapse.kl:.2f} nats; {units.active} of {len(units.variance)} {units.unit}s are active"
    if collapse.is_problem:
        options = (FREE_BITS[collapse.part], WARM)
        what = "z is not used" if collapse.verdict is Usage.UNUSED else "most of z is not used"
        yield Finding(
            True,
            f"posterior collapse: {what} although cells depend on each other in ways that P(x|z) leaves out "
            f"({counted}); {_try(options)}",
            options,
        )
    elif collapse.verdict is Usage.UNUSED:
        yield Finding(False, f"z is not used, and the cells show no dependence that it could carry ({counted})")
    elif collapse.verdict is Usage.MOSTLY_UNUSED and used < latent and collapse.part is LatentPart.DIMENSION:
        option = (f"--latent {max(2, used)}",)
        yield Finding(False, f"{counted}; nothing is lost by it, and {_try(option)[4:]} is as good and faster", option)
    else:
        yield Finding(False, counted + ("; a few unused ones are normal" if collapse.unused else ""))


def of_fit(fit: Overfitting) -> Iterator[Finding]:
    """Whether training rows are better known than test rows."""
    if fit.verdict is Fit.NOT_JUDGED:
        yield Finding(
            False,
            "over-fitting was not judged: training rows are gone, are among these rows, or the rows are too few",
        )
        return
    parts = ", ".join(f"{name} {part.elbo:.2f} ± {part.se:.2f} ({part.rows} rows)" for name, part in fit.parts.items())
    chose = "; validation rows chose the weights, test rows chose nothing" if "validation" in fit.parts else ""
    parts = f"ELBO {parts}{chose}"
    gap = f"training rows are {fit.difference:.2f} ± {fit.difference_se:.2f} nats better than test rows"
    if fit.verdict is Fit.OVER:
        yield Finding(True, f"over-fitting: {gap} ({parts}); more rows help most; else {_try(SMALLER)}", SMALLER)
    elif fit.verdict is Fit.OTHER_ROWS:
        yield Finding(
            True, f"test rows are of another kind than training rows: {gap}, validation rows are not ({parts})"
        )
    elif fit.verdict is Fit.SLIGHT:
        yield Finding(False, f"slight over-fitting: {gap} ({parts})")
    else:
        yield Finding(False, f"no over-fitting seen ({parts})")


def of_aggregate(aggregate: Aggregate | None, priors: Sequence[str]) -> Iterator[Finding]:
    """What the distance of Q(z) from P(z) means for samples; options for a prior that would fit better."""
    if aggregate is None:
        return
    bounds = f"D[Q(z)‖P(z)] is at least {aggregate.least:.2f} and at most {aggregate.divergence_most:.2f} nats"
    informed = f"z tells rows apart by {aggregate.information_least:.2f} nats at least"
    if aggregate.information_limit - aggregate.information_least < 0.5:
        informed += (
            f" (log {aggregate.rows} = {aggregate.information_limit:.2f}, the most that {aggregate.rows} rows can show)"
        )
    if aggregate.least > MIN_DIVERGENCE:
        advice = f"; {_try(priors)}" if priors else ""
        yield Finding(
            True,
            f"samples come from where few rows lie in z: {bounds}; the prior that fits Q(z) best would raise the ELBO "
            f"by as much, were nothing else changed{advice}",
            tuple(priors),
        )
    elif aggregate.divergence_most > MIN_DIVERGENCE:
        yield Finding(
            False,
            f"{bounds}, {informed}: {aggregate.rows} rows cannot say whether samples fall where rows lie",
        )
    else:
        yield Finding(False, f"{bounds}: draws of P(z) fall where rows lie; {informed}")


def of_calibration(
    calibrations: Sequence[Calibration], columns: Mapping[str, Column], fixed: bool, effective: float
) -> Iterator[Finding]:
    """Which columns P(x|z) gets wrong, and how; what each column is, and whether σ is a number that was given."""
    wrong = sorted((c for c in calibrations if c.verdict), key=lambda c: -c.distance)
    doubt = "" if effective >= MIN_DRAWS else f" (z is nearer Q(z|x) than P(z|x): {effective:.1f} effective draws)"
    if not wrong:
        yield Finding(False, f"P(x|z) is calibrated as far as the rows can tell{doubt}")
        return
    named = [f"{c.name}: {c.verdict}{_width(c, columns[c.name])}" for c in wrong[:MAX_NAMED]]
    listed = "; ".join(named) + (f"; and {len(wrong) - MAX_NAMED} more columns" if len(wrong) > MAX_NAMED else "")
    shapes = [option for c in wrong for option in _shapes(columns[c.name].kind, cells=c.name == ALL_CELLS)]
    options = (PREDICTED,) if fixed else tuple(dict.fromkeys(shapes))
    yield Finding(
        True, f"P(x|z) is not calibrated{doubt}: {listed}" + (f"; {_try(options)}" if options else ""), options
    )


def _shapes(kind: Kind, *, cells: bool) -> tuple[str, ...]:
    """Options for more flexible distributions: of all cells of an array, or of a column of a table."""
    return SHAPES.get(kind, ()) if cells else WARPED if kind in NUMERIC else ()


def _width(calibration: Calibration, column: Column) -> str:
    """How many times too wide or too narrow a density is; beside atoms the spread does not tell."""
    if column.kind != Kind.REAL or column.measure != "density" or not calibration.is_width_off:
        return ""
    return f", about {max(calibration.spread, 1 / calibration.spread):.2f} times"


def of_outside(outside: Outside) -> Iterator[Finding]:
    """Rows with values that training never saw."""
    if not outside.rows:
        return
    most = sorted(outside.columns.items(), key=lambda pair: -pair[1])
    named = ", ".join(f"{name} {count}" for name, count in most[:MAX_NAMED]) + (
        ", ..." if len(most) > MAX_NAMED else ""
    )
    chance = f"; beyond a range {outside.beyond} times, of which chance explains up to about {outside.expected:.1f}"
    chance = chance if outside.beyond else ""
    alarm = outside.is_more_than_chance
    yield Finding(alarm, f"{outside.rows} of {outside.of} rows have values that training rows lack ({named}){chance}")


def _try(options: Sequence[str]) -> str:
    return "try " + " or ".join(f"`{option}`" for option in options)
