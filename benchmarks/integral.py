"""Dimensions of z for which the integral P(x) = ∫ P(x|z) P(z) dz can be summed, and over how many points.

    OMP_NUM_THREADS=1 python benchmarks/integral.py [--picture docs/integral.svg]

A linear-Gaussian model of d latent dimensions, d = 1 to 32, and of 2 d columns: x = W z + b + ε/2, W normal with
variance 1/d, so that log P(x) is known in closed form (Tipping and Bishop 1999). For 50 rows drawn from it, P(x) is
summed over N points of z: independent draws of P(z); a scrambled Sobol sequence through the quantile map of P(z); and
draws of Q(z|x), the best normal distribution with a diagonal covariance, weighted by P(z)/Q(z|x). Told are the nats by
which the logarithm of the sum is short of log P(x), in the mean over the rows and four repetitions.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from common import keep
from likely.data import Batch
from likely.models import VAE, quantiles, uniform_points
from likely.report.theme import DATA, EXTRA, MODEL, themed
from linear_gaussian import Oblique
from pieces import table

DIMENSIONS, COUNTS = (1, 2, 4, 8, 16, 32), (64, 1024, 8192)
ROWS, REPEATS, BLOCK = 50, 4, 1024
KINDS = {"draws of P(z)": DATA, "quasi-random points of P(z)": EXTRA, "weighted draws of Q(z|x)": MODEL}


def codes(model: VAE, kind: str, count: int, seed: int) -> Tensor:
    """Points of P(z), `(count, 1, latent)`."""
    p = model.prior()
    if kind == "quasi-random points of P(z)":
        return quantiles(p, uniform_points(count, p.noise_size, seed)).unsqueeze(1)
    return p.from_noise(p.noise(torch.Size((count,)), torch.Generator().manual_seed(seed))).unsqueeze(1)


def log_weights(model: VAE, batch: Batch, kind: str, count: int, seed: int) -> Tensor:
    """log P(x, z_n)/Q(z_n): `(count, rows)`."""
    if kind == "weighted draws of Q(z|x)":
        generator = torch.Generator().manual_seed(seed)
        parts = [model.terms(batch, min(BLOCK, count), generator=generator) for _ in range(0, count, BLOCK)]
        return torch.cat([part.log_weight for part in parts])
    parts = codes(model, kind, count, seed).split(BLOCK)
    return torch.cat([model.log_px_z(batch, part) for part in parts])


@torch.no_grad()
def short(dimension: int) -> dict[str, dict[int, float]]:
    """Kind of points -> N -> by how many nats the logarithm of the sum is short."""
    torch.manual_seed(0)
    exact = Oblique(2 * dimension, dimension)
    model, x = exact.vae(full=False).eval(), exact.sample(ROWS)
    batch, level = Batch(x), exact.log_px(x)
    found: dict[str, dict[int, float]] = {kind: dict.fromkeys(COUNTS, 0.0) for kind in KINDS}
    for kind in KINDS:
        for seed in range(1000, 1000 + REPEATS):  # not the seed of the rows, whose z would be among the draws
            for count in COUNTS:
                weights = log_weights(model, batch, kind, count, seed)
                estimate = weights.logsumexp(0) - math.log(count)
                found[kind][count] += float((level - estimate).mean()) / REPEATS
    return found


@themed
def picture(found: dict[int, dict[str, dict[int, float]]]) -> Figure:
    """Nats short against the dimension of z, a panel for each N."""
    figure = Figure(figsize=(9.6, 3.3), layout="constrained")
    panels = figure.subplots(1, len(COUNTS), sharey=True)
    for axes, count in zip(panels, COUNTS, strict=True):
        for (kind, colour), marker in zip(KINDS.items(), "osD", strict=True):
            values = [max(0.001, found[dimension][kind][count]) for dimension in DIMENSIONS]
            axes.plot(DIMENSIONS, values, color=colour, marker=marker, ms=4, lw=1.4, label=kind)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(DIMENSIONS, [str(dimension) for dimension in DIMENSIONS])
        axes.set(title=f"N = {count:,} points", xlabel="dimensions of z")
    panels[0].set_ylabel("nats short of log P(x)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def main() -> None:
    """Measure, print, draw, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path, default=Path("docs/integral.svg"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    found = {dimension: short(dimension) for dimension in DIMENSIONS}
    lines: list[dict[str, Any]] = [
        {"dimensions": dimension}
        | {f"{kind}, {count:,}": round(by[count], 3) for kind, by in kinds.items() for count in COUNTS}
        for dimension, kinds in found.items()
    ]
    table("Nats short of log P(x)", lines)
    figure = picture(found)
    figure.savefig(asked.picture, facecolor="white", metadata={"Date": None})
    keep("integral", {"protocol": __doc__, "lines": lines})


if __name__ == "__main__":
    main()
