"""Rows that the encoder serves badly: `likely`'s numbers against an integral over a grid, annealing and a known model.

    LIKELY_DATA=... OMP_NUM_THREADS=1 python benchmarks/tails.py [PART ...] [--out FOLDER]

Parts, defaults of every verb throughout (K = 100 draws of z for `score`, 200 for `impute`):

grid
    wine, 2 latent dimensions, 500 steps, seed 0. Rows: the first test row with one of eight named columns times 10, and
    50 test rows with a column and a factor from 1.5 to 10, each drawn by seed; and, reported apart, 20 test rows with a
    column divided by 10 to 1,000. The exact log P(x) is a grid integral of
    P(x|z) P(z): 201 x 201 points over [-20, 20]², then 161 x 161 over the box where the integrand is within exp(-40)
    of its greatest value. Asked: |score - exact| <= max(0.1, 3 se_mc) of 95% of the rows, se_mc <= 0.3 of 90%, and each
    contribution to -log P(x) within 10% or 0.5 nats of the exact one, of 90%.
annealed
    wine, defaults, seed 0, the same rows: annealed importance sampling (precise) above `score` by more than two of
    their combined errors. Annealing bounds log P(x) from below too: where it lies lower, it is the one that is off.
missing
    A table of 1,000 rows whose distribution is known, without missing cells, 800 steps; in 250 other rows one column is
    missing everywhere. 90% intervals of 40 draws of `impute`, by five seeds of the draws, between the places 0.05 x 41
    and 0.95 x 41 of the draws in their order, which hold 90% where the draws are of the right distribution; beside
    them those of `np.quantile`, between 2.95 and 38.05, which then hold 85.6%; root mean squared error of their mean;
    `score` less log P(x) by 40,000 draws of P(z), which serve here. Beside them what the same model draws and scores by
    z ~ P(z). Complete rows, and rows that miss what training rows missed too (a second fit, 25% of the
    cells missing), against Q(z|x) alone.
intervals
    150 ordinary test rows of wine, both models above, six seeds: how often the interval of `score`, and log_px ± 2
    se_mc, hold log P(x) by 20,000 draws of Q(z|x).

Every part is kept in FOLDER: run the same command again to go on, and take another FOLDER for other code.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

import likely
from common import data, keep
from likely.data import Rows
from likely.evaluation import anneal, evidence, tune
from pieces import Piece, cost, piece, table

COLUMNS = (
    "fixed_acidity",
    "volatile_acidity",
    "citric_acid",
    "residual_sugar",
    "chlorides",
    "free_sulfur_dioxide",
    "total_sulfur_dioxide",
    "alcohol",
)
DRAWN_ROWS, FACTORS, SMALL_ROWS = 50, (1.5, 10.0), 20
REACH, COARSE, FINE, DEEP = 20.0, 201, 161, 40.0  # of the grid; nats below the greatest value that are left out
SEEDS = range(5)


def wine() -> pd.DataFrame:
    return pd.read_csv(data("tables/wine.csv"))


def extreme_rows(run: likely.Run, frame: pd.DataFrame) -> pd.DataFrame:
    """Test rows with one cell multiplied, `(78, columns)`; the last 20 with a factor below 1."""
    test, generator = frame.iloc[run.division.test].reset_index(drop=True), np.random.default_rng(2)

    def times(row: int, column: str, factor: float) -> pd.DataFrame:
        one = test.iloc[[row]].copy()
        one[column] = round(float(one[column].iloc[0]) * factor, 3)
        return one

    def drawn(factor: float) -> pd.DataFrame:
        return times(int(generator.integers(len(test))), COLUMNS[int(generator.integers(len(COLUMNS)))], factor)

    rows = [times(0, column, 10.0) for column in COLUMNS]
    rows += [drawn(generator.uniform(*FACTORS)) for _ in range(DRAWN_ROWS)]
    rows += [drawn(10 ** -generator.uniform(1, 3)) for _ in range(SMALL_ROWS)]
    return pd.concat(rows, ignore_index=True)


@torch.no_grad()
def integrated(run: likely.Run, values: Tensor) -> tuple[float, np.ndarray]:
    """log P(x) of one row by a grid integral, and what each column and the code contribute to -log P(x)."""
    model = run.model

    def cells(z: Tensor) -> Tensor:
        parts = [model.likelihood(part[:, None]).log_prob(values).double()[:, 0] for part in z.split(20_000)]
        return torch.cat(parts)

    def grid(axes: list[Tensor]) -> Tensor:
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2).float()

    axis = torch.linspace(-REACH, REACH, COARSE)
    z = grid([axis, axis])
    joint = cells(z).sum(1) + model.prior().log_prob(z).double()
    inside, margin = z[joint > joint.max() - DEEP], 2 * float(axis[1] - axis[0])
    low, high = inside.amin(0) - margin, inside.amax(0) + margin
    axes = [torch.linspace(float(a), float(b), FINE) for a, b in zip(low, high, strict=True)]
    z = grid(axes)
    each = cells(z)
    joint = each.sum(1) + model.prior().log_prob(z).double()
    log_px = float(joint.logsumexp(0)) + sum(math.log(float(one[1] - one[0])) for one in axes)
    weight = joint.softmax(0)[:, None]
    columns = -torch.where(weight > 0, weight * each, 0.0).sum(0)
    return log_px, np.append(columns.numpy(), -log_px - float(columns.sum()))


def on_grid() -> dict[str, Any]:
    frame = wine()
    run = likely.fit(frame, latent=2, steps=500, seed=0)
    rows = extreme_rows(run, frame)
    scores = run.score(rows)
    anomalies = run.anomalies(rows).sort_index()
    names = [column.name for column in run.schema.modelled]
    values = run.encoded(Rows(rows)).stored().values
    exact = [integrated(run, values[row : row + 1]) for row in range(len(rows))]
    return {
        "exact": [one for one, _ in exact],
        "contributed": np.stack([one for _, one in exact]),
        "found": anomalies[[*names, "code"]].to_numpy(float),
        **{name: scores[name].to_numpy() for name in scores},
    }


def annealed() -> dict[str, Any]:
    frame = wine()
    run = likely.fit(frame, seed=0)
    rows = extreme_rows(run, frame)
    encoded = run.encoded(Rows(rows))
    chains = anneal(run.model, encoded, tune(run.model, encoded, precise=True).path)
    scores = run.score(rows)
    return {"ais": chains.log_px, "ais_se": chains.se_mc, **{name: scores[name].to_numpy() for name in scores}}


def known_table(rows: int, generator: np.random.Generator) -> pd.DataFrame:
    """Rows of a distribution of two groups, three dependent numbers and a category."""
    first = generator.random(rows) < 0.5
    a = np.where(first, -2 + 0.5 * generator.normal(size=rows), 1.5 + 0.7 * generator.normal(size=rows))
    b = np.sin(1.5 * a) + 0.3 * generator.standard_t(6, size=rows) + np.where(first, 1, 0)
    c = np.exp(0.5 * a + 0.4 * generator.normal(size=rows))
    g = np.where(a + 0.7 * generator.normal(size=rows) > 0, "hi", "lo")
    return pd.DataFrame({"a": a, "b": b, "c": c, "g": g})


def covered(draws: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Of draws `(draws, rows)`: how often their 90% intervals hold the truth, and the error of their mean."""
    share = {}
    for name, place in (("coverage", "weibull"), ("narrow", "linear")):
        low, high = np.quantile(draws, [0.05, 0.95], axis=0, method=place)
        share[name] = float(((truth >= low) & (truth <= high)).mean())
    return {**share, "rmse": float(np.sqrt(np.mean((draws.mean(0) - truth) ** 2)))}


@torch.no_grad()
def by_prior(run: likely.Run, rows: likely.data.EncodedRows, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws of the first column given the others `(draws, rows)`, and log P(x), by 40,000 z ~ P(z)."""
    torch.manual_seed(1)
    z = run.model.prior().sample(torch.Size((40_000,)))
    likelihood, batch, drawn, log_px = run.model.likelihood(z[:, None]), rows.stored(), [], []
    for row in range(len(rows)):
        assert batch.observed is not None
        each = likelihood.log_prob(batch.values[row : row + 1]).double()[:, 0]
        log_weight = torch.where(batch.observed[row], each, 0.0).sum(1)
        log_px.append(float(log_weight.logsumexp(0)) - math.log(len(z)))
        chosen = torch.multinomial(log_weight.softmax(0), draws, replacement=True)
        drawn.append(run.model.likelihood(z[chosen]).sample()[:, 0].numpy())
    return np.stack(drawn, 1), np.array(log_px)


def missing() -> dict[str, Any]:
    generator = np.random.default_rng(0)
    train, test = known_table(1000, generator), known_table(250, generator)
    run = likely.fit(train, seed=0, steps=800)
    truth, without = test["a"].to_numpy(), test.assign(a=np.nan)
    encoded = run.encoded(Rows(without))
    found = [np.stack([one["a"].to_numpy(float) for one in run.impute(without, draws=40, seed=s)]) for s in SEEDS]
    each = [covered(draws, truth) for draws in found]
    drawn, log_px = by_prior(run, encoded, 40)
    scores, alone = run.score(without), evidence(run.model, encoded, samples=100)
    holes = train.mask(np.random.default_rng(1).random(train.shape) < 0.25)
    seen = likely.fit(holes, seed=0, steps=800)
    pairs = {"complete": (run, test), "seen missing": (seen, without)}
    lost = {
        name: evidence(one.model, one.encoded(Rows(rows)), samples=100).terms["iwae"] - one.score(rows)["log_px"]
        for name, (one, rows) in pairs.items()
    }
    off = scores["log_px"].to_numpy() - log_px
    return {
        **{name: [one[name] for one in each] for name in ("coverage", "narrow", "rmse")},
        **{f"prior_{name}": value for name, value in covered(drawn, truth).items()},
        "off": off,
        "off_alone": alone.terms["iwae"] - log_px,
        "se_mc": scores["se_mc"].to_numpy(),
        **{f"lost {name}": values.to_numpy() for name, values in lost.items()},
    }


def intervals() -> dict[str, Any]:
    frame, made = wine(), {}
    for name, run in {
        "2 latents": likely.fit(frame, latent=2, steps=500, seed=0),
        "defaults": likely.fit(frame, seed=0),
    }.items():
        rows = frame.iloc[run.division.test[:150]].reset_index(drop=True)
        truth = evidence(run.model, run.encoded(Rows(rows)), samples=20_000, seed=99).terms["iwae"]
        scores = [run.score(rows, seed=seed) for seed in range(6)]
        made[f"{name}: interval"] = np.stack([(one["low"] <= truth) & (truth <= one["high"]) for one in scores])
        away = [np.abs(one["log_px"] - truth) <= 2 * one["se_mc"] for one in scores]
        made[f"{name}: 2 se_mc"] = np.stack(away)
        made[f"{name}: width"] = np.stack([one["high"] - one["low"] for one in scores])
    return made


def of_grid(one: Piece) -> Iterator[tuple[str, float, str]]:
    few = {name: values[-SMALL_ROWS:] for name, values in one.items() if values.ndim}
    one = {name: values[:-SMALL_ROWS] for name, values in one.items() if values.ndim}
    off, error = np.abs(one["log_px"] - one["exact"]), one["se_mc"]
    near = np.abs(one["found"] - one["contributed"])
    yield "|score - exact| <= max(0.1, 3 se_mc), share", float((off <= np.maximum(0.1, 3 * error)).mean()), ">= 0.95"
    yield "se_mc <= 0.3, share", float((error <= 0.3).mean()), ">= 0.90"
    within = near <= np.maximum(0.5, 0.1 * np.abs(one["contributed"]))
    yield "contributions within 10% or 0.5 nats, share of rows with all", float(within.all(1).mean()), ""
    yield "contributions within 10% or 0.5 nats, share of cells", float(within.mean()), ">= 0.90"
    yield "largest |score - exact|, nats", float(off.max()), ""
    yield "stable, share", float(one["stable"].mean()), ""
    yield (
        "low <= exact <= high, share",
        float(((one["low"] <= one["exact"]) & (one["exact"] <= one["high"])).mean()),
        "",
    )
    off, error = np.abs(few["log_px"] - few["exact"]), few["se_mc"]
    yield (
        "divided cells: |score - exact| <= max(0.1, 3 se_mc), share",
        float((off <= np.maximum(0.1, 3 * error)).mean()),
        "",
    )
    yield "divided cells: largest |score - exact|, nats", float(off.max()), ""


def of_annealed(one: Piece) -> Iterator[tuple[str, float, str]]:
    one = {name: values[:-SMALL_ROWS] for name, values in one.items() if values.ndim}
    z = (one["ais"] - one["log_px"]) / np.hypot(one["ais_se"], one["se_mc"])
    yield "annealing above score by more than 2 errors, share", float((z > 2).mean()), "<= 0.10"
    yield "annealing below score by more than 2 errors, share", float((z < -2).mean()), ""
    yield "stable, share", float(one["stable"].mean()), ""


def of_missing(one: Piece) -> Iterator[tuple[str, float, str]]:
    yield "90% intervals hold the truth, share (mean of five seeds)", float(one["coverage"].mean()), "0.88 to 0.92"
    yield "the same by np.quantile, 85.6% if exact", float(one["narrow"].mean()), ""
    yield "RMSE of the mean of the draws (mean of five seeds)", float(one["rmse"].mean()), "<= 0.42"
    yield "the same by z ~ P(z): coverage", float(one["prior_coverage"]), ""
    yield "the same by z ~ P(z), by np.quantile", float(one["prior_narrow"]), ""
    yield "the same by z ~ P(z): RMSE", float(one["prior_rmse"]), ""
    yield "score - log P(x), mean, nats", float(one["off"].mean()), ""
    yield "score by Q(z|x) alone - log P(x), mean, nats", float(one["off_alone"].mean()), ""
    yield "complete rows: Q(z|x) alone - score, mean, nats", float(one["lost complete"].mean()), "<= 0.02"
    yield "cells that training rows miss too: Q(z|x) alone - score, nats", float(one["lost seen missing"].mean()), "0"


def of_intervals(one: Piece) -> Iterator[tuple[str, float, str]]:
    for name, values in one.items():
        if ":" in name:
            yield name, float(np.median(values) if "width" in name else values.mean()), ""


PARTS = {
    "grid": (on_grid, of_grid),
    "annealed": (annealed, of_annealed),
    "missing": (missing, of_missing),
    "intervals": (intervals, of_intervals),
}


def main() -> None:
    """Measure the parts that are named, or all, and write the results of those that FOLDER holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", choices=[[], *PARTS])
    parser.add_argument("--out", type=Path, default=Path(".cache/tails"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines, costs = [], {}
    for name, (make, shown) in PARTS.items():
        file = options.out / f"{name}.npz"
        if name in (options.parts or PARTS) or file.exists():
            made = piece(file, make)
            lines += [
                {"part": name, "what": what, "found": found, "asked": asked} for what, found, asked in shown(made)
            ]
            costs[name] = cost(made)
    table("Rows that the encoder serves badly", lines)
    keep("tails", {"protocol": __doc__, "lines": lines, "seconds": costs})


if __name__ == "__main__":
    main()
