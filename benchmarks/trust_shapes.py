"""Every shape of model through the same calls, on the handwritten digits that come with scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import likely
from likely.data import EncodedRows, Rows, Source
from likely.evaluation import count_codes, enumerated
from pieces import Piece, average, cost, mean_error, table
from trust_pieces import Subject

STEPS, ROWS, SAMPLES, SIMULATED = 1000, 100, 500, 50
SHAPES: dict[str, dict[str, Any]] = {
    "standard normal": {},
    "flow prior": {"prior": "flow:4:coupling"},
    "mixture prior": {"prior": "mixture:50"},
    "VampPrior": {"prior": "vamp:100"},
    "exemplar prior": {"prior": "exemplar:200:10"},
    "hierarchy of two groups": {"prior": "ladder:2"},
    "hypersphere, von Mises-Fisher": {"prior": "sphere"},
    "512 categorical codes": {"prior": "categorical:3:8"},
    "full-covariance posterior": {"posterior": "full"},
    "flow posterior": {"posterior": "flow:2:iaf"},
}


def shapes(folder: Path) -> dict[str, Any]:
    """Fit each, and put its numbers in one line."""
    lines = []
    for shape, options in SHAPES.items():
        name = shape.replace(" ", "-").replace(",", "")
        subject, rows = opened(folder / "shapes" / name, options)
        lines.append({"model": shape, **told(subject, rows)})
        print(lines[-1], flush=True)
    table(f"{ROWS} test digits (scikit-learn) under models fitted for {STEPS} steps, nats", lines)
    counts = {"steps": STEPS, "rows": ROWS, "samples": SAMPLES, "simulated": SIMULATED, "options": SHAPES}
    return {"protocol": {"data": "scikit-learn's digits, the first stored test rows", **counts}, "lines": lines}


def opened(folder: Path, options: dict[str, Any]) -> tuple[Subject, EncodedRows]:
    """The model, from its folder if it was fitted before, and its first test rows."""
    source, where = Source("images", {"all": Rows(load_digits().images)}), folder / "run"
    if not (where / "run.json").exists():
        likely.fit(source, out=where, overwrite=where.exists(), steps=STEPS, **options)
    run = likely.load(where)
    test = run.division.rows(source, "test")
    rows = run.encoded(Rows(test.values[:ROWS]))
    return Subject(folder, run.model, rows), rows


def told(subject: Subject, rows: EncodedRows) -> dict[str, Any]:
    """Bounds, log P(x) by annealing or by enumeration, and the pinch."""
    bounds = subject.bounds(rows, SAMPLES)
    if count_codes(subject.model) is None:
        tuned = subject.tuned("default")
        made = subject.annealed(rows, tuned.schedule, "default")
        sides = subject.pinched(tuned.schedule, SIMULATED, "default")
        width = average(sides["upper"] - sides["lower"])
        how = {
            "pinch": f"{width['mean']:.3f} ± {width['se']:.3f}",
            "temperatures": tuned.schedule.temperatures,
            "from": "P(z)" if tuned.schedule.from_prior else "Q(z|x)",
            "acceptance": float(made["acceptance"].mean()),
        }
        return {**common_to_all(bounds, made), "by": "AIS", **how, **cost(bounds, tuned.made, made, sides)}
    exact = subject.parts(
        rows, "enumerated", lambda part: {"log_px": enumerated(subject.model, part), "se_mc": np.zeros(len(part))}
    )
    how = dict.fromkeys(("pinch", "temperatures", "from", "acceptance"), "-")
    return {**common_to_all(bounds, exact), "by": "all codes", **how, **cost(bounds, exact)}


def common_to_all(bounds: Piece, made: Piece) -> dict[str, Any]:
    """ELBO, L_K, log P(x), and how far the last is above L_K, with errors from sampling z."""
    apart, combined = made["log_px"] - bounds["iwae"], mean_error(np.hypot(made["se_mc"], bounds["iwae_se_mc"]))
    return {
        "ELBO": float(bounds["elbo"].mean()),
        f"L_{SAMPLES}": float(bounds["iwae"].mean()),
        "its se_mc": mean_error(bounds["iwae_se_mc"]),
        "log P(x)": float(made["log_px"].mean()),
        "se_mc": mean_error(made["se_mc"]),
        "log P(x) - L_K": float(apart.mean()),
        "combined": combined,
        "not below": bool(apart.mean() >= -2 * combined),
        "k > 0.7": float((bounds["pareto_k"] > 0.7).mean()),
    }
