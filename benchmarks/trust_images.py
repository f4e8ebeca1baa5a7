"""A trained MNIST VAE: the pinch of simulated rows, and the first test images from every side."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

import likely
from common import data
from likely.data import EncodedRows, Rows, sources
from likely.evaluation import Optimised, gap_split, optimised
from pieces import Piece, average, cost, mean_error, table
from trust_pieces import SETTINGS, Subject

SAMPLES, SIMULATED, RELIABLE = 5000, 100, 0.7
DRAWS, STEPS, FEWER = 500, 200, 200
TARGETS = {"default": 0.5, "precise": 0.1}
GAP = ("total", "approximation", "amortisation")


def fitted(folder: Path, minutes: float) -> likely.Run:
    """The default model, from its folder if it was fitted before."""
    where = folder / "run"
    if not (where / "run.json").exists():
        likely.fit(data("mnist"), out=where, overwrite=where.exists(), binarize="dynamic", minutes=minutes)
    return likely.load(where)


def opened(folder: Path, minutes: float, images: int) -> tuple[Subject, EncodedRows, dict[str, Any]]:
    """The model, the first test images, binarised once, and what is to be said of the model."""
    run = fitted(folder, minutes)
    rows = run.encoded(Rows(sources.open_source(data("mnist")).splits["test"].values[:images]))
    told = {key: run.facts[key] for key in ("steps", "seconds", "selected", "validation_elbo")}
    model = {"data": "MNIST, dynamically binarised; test images binarised once", "latent": run.model.latent, **told}
    print(model, flush=True)
    return Subject(folder / "images", run.model, rows), rows, model


def pinch(folder: Path, minutes: float, images: int) -> dict[str, Any]:
    """Upper minus lower bound of fresh simulated rows, at both settings."""
    subject, _, model = opened(folder, minutes, images)
    lines = []
    for setting, target in TARGETS.items():
        tuned = subject.tuned(setting)
        made = subject.pinched(tuned.schedule, SIMULATED, setting)
        width = average(made["upper"] - made["lower"])
        line = {
            "setting": setting,
            "rows": SIMULATED,
            "lower": float(made["lower"].mean()),
            "upper": float(made["upper"].mean()),
            "upper - lower": width["mean"],
            "se": width["se"],
            "target": target,
            "met": width["mean"] <= target,
            "pinch of the rows that chose": tuned.width,
            "temperatures": tuned.schedule.temperatures,
            "chains": tuned.schedule.chains,
            "from": "P(z)" if tuned.schedule.from_prior else "Q(z|x)",
            "acceptance": float(made["acceptance"].mean()),
            "tune, wall_s": cost(tuned.made)["wall_s"],
            "tune, processor_s": cost(tuned.made)["processor_s"],
            **cost(made),
        }
        lines.append(line)
        print(line, flush=True)
    table("Both sides of log P(x) for rows simulated from a trained MNIST VAE, nats", lines)
    return {"model": model, "lines": lines}


def mnist(folder: Path, minutes: float, images: int) -> dict[str, Any]:
    """ELBO, L_5000, AIS of the same images, their differences; AIS at `precise` and the gap split of the first 200."""
    subject, rows, model = opened(folder, minutes, images)
    few = rows.take(torch.arange(min(FEWER, len(rows))))
    bounds = subject.bounds(rows, SAMPLES)
    lines = [
        {"what": name, **estimate(bounds[key], bounds[f"{key}_se_mc"]), "acceptance": "-", **cost(bounds)}
        for name, key in (("ELBO", "elbo"), (f"L_{SAMPLES}", "iwae"))
    ]
    differences, annealed = [], {}
    for setting in SETTINGS:
        schedule = subject.tuned(setting).schedule
        measured = rows if setting == "default" else few
        made = annealed[setting] = subject.annealed(measured, schedule, setting)
        name = f"AIS, {setting}: {schedule.temperatures} temperatures, {schedule.chains} chains"
        moved = {"acceptance": float(made["acceptance"].mean()), **cost(made)}
        name += f", {len(measured)} rows"
        lines.append({"what": name, **estimate(made["log_px"], made["se_mc"]), **moved})
        differences.append({"setting": setting, **compared(made, bounds)})
    table(f"The first {len(rows)} MNIST test images, nats a row", lines)
    table(f"AIS - L_{SAMPLES}, paired by row", differences)
    unreliable = float((bounds["pareto_k"] > RELIABLE).mean())
    print(f"share of rows with Pareto k > {RELIABLE} in L_{SAMPLES}: {unreliable:.3f}", flush=True)
    split = divided(subject, few, annealed)
    table("D[Q(z|x)||P(z|x)] in two, log P(x) by AIS, Q optimised per row", split)
    return {
        "model": model,
        "lines": lines,
        "differences": differences,
        "pareto_k > 0.7": unreliable,
        "gap": split,
        "protocol": {
            "images": len(rows),
            "samples": SAMPLES,
            "optimised": {"images": len(few), "samples": DRAWS, "steps": STEPS},
        },
    }


def estimate(values: np.ndarray, errors: np.ndarray) -> dict[str, float]:
    """Mean, its error over rows, and its error from sampling z."""
    return {**average(values), "se_mc": mean_error(errors)}


def compared(annealed: Piece, bounds: Piece) -> dict[str, Any]:
    """AIS minus L_K; the combined error is that of sampling z on both sides."""
    count = len(annealed["log_px"])
    apart = annealed["log_px"] - bounds["iwae"][:count]
    error = np.hypot(annealed["se_mc"], bounds["iwae_se_mc"][:count])
    combined = mean_error(error)
    return {
        "rows": count,
        **average(apart),
        "combined se_mc": combined,
        "AIS >= L_K - 2 combined": bool(apart.mean() >= -2 * combined),
        "rows below by more": float((apart < -2 * error).mean()),
        "largest": float(apart.max()),
    }


def divided(subject: Subject, rows: EncodedRows, annealed: dict[str, Piece]) -> list[dict[str, Any]]:
    """The gap split with log P(x) at both settings."""

    def make(part: EncodedRows) -> dict[str, Any]:
        return vars(optimised(subject.model, part, samples=DRAWS, steps=STEPS))

    found, lines = subject.parts(rows, "optimised", make), []
    arrays = {item.name: found[item.name] for item in fields(Optimised) if item.name in found}
    best = Optimised(**arrays, samples=DRAWS, steps=STEPS)
    for setting, made in annealed.items():
        split = gap_split(made["log_px"][: len(rows)], made["se_mc"][: len(rows)], best)
        for part in GAP:
            value = estimate(getattr(split, part), getattr(split, f"{part}_se_mc"))
            lines.append({"AIS": setting, "part": part, **value, **cost(found)})
    return lines
