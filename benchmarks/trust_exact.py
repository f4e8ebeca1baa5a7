"""Annealing, bounds and intervals where log P(x) is known: linear-Gaussian models (Tipping and Bishop 1999)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from likely.data import ResidentRows
from likely.data.noise import row_keys
from likely.evaluation import AnnealingPath, simulate
from likely.evaluation.annealing.bridge import Bridge
from likely.evaluation.annealing.chains import forward
from likely.evaluation.averages import LogMean
from likely.models import Model
from linear_gaussian import LinearGaussian, Oblique
from pieces import Piece, average, cost, joined, mean_error, piece, table
from trust_pieces import FRESH, SETTINGS, Subject

LATENTS, COVERED = (2, 5, 10, 20, 50), (2, 10, 30)
MOVES = {"exact": (0.0, 1.0), "shifted": (0.2, 1.0), "widened": (0.0, 1.3), "narrowed": (0.0, 0.7), "both": (0.2, 1.2)}
ROWS, BOUND_ROWS, SIMULATED, FINER, WANTED = 50, 1000, 200, (10, 100), 0.02
SAMPLES = (1, 5, 50, 500)
REPETITIONS, FIXED, GROUP, FINEST = 200, 20, 20, 4
ROUNDING = 1e-6


@dataclass(frozen=True)
class Known:
    """A model, draws of its P(x), log P(x) in closed form, and the gap D[Q‖P(z|x)], the same for all x."""

    model: Model
    sample: Callable[[int], Tensor]
    log_px: Callable[[Tensor], Tensor]
    gap: float


def known(latent: int, kind: str) -> Known:
    """x = W z + b + σ ε, five cells more than latents, σ = ½; `diagonal`: the best such Q of a correlated P(z|x)."""
    if kind == "diagonal":
        oblique = Oblique(latent + 5, latent)
        return Known(oblique.vae(full=False), oblique.sample, oblique.log_px, oblique.approximation)
    exact, move = LinearGaussian(latent + 5, latent), MOVES[kind]
    return Known(exact.vae(*move), exact.sample, exact.log_px, exact.gap(*move))


def linear(folder: Path) -> dict[str, Any]:
    """AIS and the bounds against log P(x)."""
    lines = []
    for latent in LATENTS:
        for kind in (*MOVES, "diagonal"):
            lines.append(one(folder / "linear" / f"{latent}-{kind}", latent, kind))
            print(lines[-1], flush=True)
    errors, bounds = [], []
    for line in lines:
        name = {key: line[key] for key in ("latent", "Q", "gap")}
        for setting, found in line["annealed"].items():
            facts = ("temperatures", "chains", "from", "mean |error|", "mean error", "se_mc", "pinch", "acceptance")
            told = {key: found[key] for key in (*facts, "<= 0.02", "within 4 se_mc", "wall_s", "processor_s")}
            errors.append({**name, "setting": setting, **told})
        apart = {f"{key} - exact": f"{of['mean']:.4f} ± {of['se']:.4f}" for key, of in line["bounds"].items()}
        bounds.append({**name, **apart, "in order": line["in order"]})
    table(f"AIS against log P(x) in closed form, {ROWS} rows a line, nats", errors)
    table(f"Bounds against it: L_K of {BOUND_ROWS} rows, both sides of AIS at default of {SIMULATED} others", bounds)
    met = {setting: tally(lines, setting, "<= 0.02") for setting in (*SETTINGS, f"precise x {FINER[0]}")}
    within = {setting: tally(lines, setting, "within 4 se_mc") for setting in met}
    told = {"models": len(lines), "mean |error| <= 0.02": met, "within 4 se_mc + pinch + 1e-4": within}
    told["bounds in order"] = sum(line["in order"] for line in lines)
    print(told, flush=True)
    counts = {"rows": ROWS, "bound_rows": BOUND_ROWS, "simulated": SIMULATED, "samples": SAMPLES}
    return {"protocol": counts, "summary": told, "lines": lines}


def one(folder: Path, latent: int, kind: str) -> dict[str, Any]:
    """One model: errors at three schedules, and what each bound is above or below log P(x) by."""
    torch.manual_seed(latent)
    exact = known(latent, kind)
    x, more = exact.sample(ROWS), exact.sample(BOUND_ROWS)
    rows, truth = ResidentRows(x), exact.log_px(x).numpy()
    subject, annealed = Subject(folder, exact.model, rows), {}
    tuned = {setting: subject.tuned(setting) for setting in SETTINGS}
    precise = tuned["precise"].schedule

    def measure(setting: str, schedule: AnnealingPath, *chosen: Piece) -> None:
        made = subject.annealed(rows, schedule, setting.replace(" ", ""))
        found = against(truth, made, schedule, tuned[setting.split(maxsplit=1)[0]].width)
        annealed[setting] = {**found, **cost(*chosen, made)}

    for setting, found in tuned.items():
        measure(setting, found.schedule, found.made)
    for factor in FINER:
        if annealed[list(annealed)[-1]]["mean |error|"] > WANTED or factor == FINER[0]:
            measure(f"precise x {factor}", precise.spread(factor * precise.temperatures))
    bounds, exact_more = {}, exact.log_px(more).numpy()
    rising = [subject.bounds(ResidentRows(more), samples)["iwae"] for samples in SAMPLES]
    for samples, value in zip(SAMPLES, rising, strict=True):
        bounds[f"L_{samples}"] = average(value - exact_more)
    sides = subject.pinched(tuned["default"].schedule, SIMULATED, "default")
    drawn = exact.log_px(simulated(subject)).numpy()
    bounds |= {side: average(sides[side] - drawn) for side in ("lower", "upper")}
    rises = [average(after - before) for before, after in pairwise(rising)]
    below = [{"mean": -bounds[name]["mean"], "se": bounds[name]["se"]} for name in bounds if name != "upper"]
    in_order = all(of["mean"] >= -4 * of["se"] - ROUNDING for of in (*rises, *below, bounds["upper"]))
    facts = {"latent": latent, "Q": kind, "gap": round(exact.gap, 3)}
    return {**facts, "annealed": annealed, "bounds": bounds, "in order": in_order}


def tally(lines: list[dict[str, Any]], setting: str, what: str) -> int:
    """How many models meet it."""
    return sum(line["annealed"][setting][what] for line in lines)


def simulated(subject: Subject) -> Tensor:
    """The rows that `Subject.pinched` draws."""
    return simulate(subject.model, subject.like, SIMULATED, FRESH).rows.stored().values


def against(truth: np.ndarray, made: Piece, schedule: AnnealingPath, pinch: float) -> dict[str, Any]:
    """Errors of annealed estimates; their mean may be 4 se_mc and the pinch, which in expectation exceeds the bias."""
    error, se = made["log_px"] - truth, mean_error(made["se_mc"])
    return {
        "temperatures": schedule.temperatures,
        "chains": schedule.chains,
        "from": "P(z)" if schedule.from_prior else "Q(z|x)",
        "mean |error|": float(np.abs(error).mean()),
        "mean error": float(error.mean()),
        "se_mc": se,
        "pinch": pinch,
        "acceptance": float(made["acceptance"].mean()),
        "<= 0.02": bool(np.abs(error).mean() <= WANTED),
        "within 4 se_mc": bool(abs(error.mean()) <= 4 * se + max(pinch, 0) + 1e-4),
    }


def coverage(folder: Path) -> dict[str, Any]:
    """How often the nominal 95% interval of the AIS mean holds the exact mean of fixed rows."""
    lines = []
    for latent in COVERED:
        torch.manual_seed(latent)
        exact = known(latent, "both")
        x = exact.sample(FIXED)
        subject = Subject(folder / "coverage" / str(latent), exact.model, ResidentRows(x))
        schedules = {setting: subject.tuned(setting).schedule for setting in SETTINGS}
        finest = schedules["precise"].spread(FINEST * schedules["precise"].temperatures)
        for setting, schedule in {**schedules, f"precise x {FINEST}": finest}.items():
            made = repeated(subject, schedule, setting.replace(" ", ""))
            error, se = made["mean"] - exact.log_px(x).mean().item(), made["se"]
            ratio = float(abs(error.mean()) / se.mean())
            hits = float((np.abs(error) < 1.96 * se).mean())
            line = {
                "latent": latent,
                "setting": setting,
                "temperatures": schedule.temperatures,
                "chains": schedule.chains,
                "bias": float(error.mean()),
                "bias_se": float(error.std(ddof=1) / np.sqrt(len(error))),
                "se_mc": float(se.mean()),
                "deviation": float(error.std(ddof=1)),
                "|bias|/se_mc": ratio,
                "under a quarter": ratio < 0.25,
                "coverage": hits,
                "90 to 99%": 0.90 <= hits <= 0.99,
                **cost(made),
            }
            lines.append(line)
            print(line, flush=True)
    table(f"Coverage of nominal 95% intervals: {REPETITIONS} repetitions, {FIXED} fixed rows", lines)
    return {"protocol": {"repetitions": REPETITIONS, "rows": FIXED, "Q": MOVES["both"]}, "lines": lines}


def repeated(subject: Subject, schedule: AnnealingPath, name: str) -> Piece:
    """The AIS mean and its error, over and over: some repetitions at a time, as more chains, under their own seed."""
    x, model = subject.like.stored().values, subject.model
    batch, chains = subject.like.evaluation_batch(torch.arange(FIXED)), schedule.chains
    wide = schedule.spread(schedule.temperatures, GROUP * chains)

    @torch.no_grad()
    def make(seed: int) -> dict[str, Any]:
        walk = forward(Bridge(model, batch, model.prior(), from_prior=schedule.from_prior), row_keys(x, seed), wide)
        means, errors = [], []
        for part in walk.log_weight.split(chains):
            mean = LogMean(chains, FIXED, x.device)
            mean.add(0, part)
            means.append(float(mean.value.mean()))
            errors.append(mean_error(mean.error.numpy()))
        return {"mean": np.array(means), "se": np.array(errors)}

    groups = range(REPETITIONS // GROUP)
    return joined([piece(subject.folder / f"repeated-{name}-{seed}.npz", partial(make, seed)) for seed in groups])
