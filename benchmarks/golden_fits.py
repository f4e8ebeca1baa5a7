"""The seeded fits that `golden.py` compares; run by it, with one version of `likely` in PYTHONPATH."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file
from sklearn.datasets import load_digits

import likely

STEPS, LONG = 60, 300


def table() -> pd.DataFrame:
    """Reals, a grid, counts, positive numbers, a category; a tenth of the cells missing."""
    random = np.random.default_rng(0)
    z = random.normal(size=(400, 2))
    frame = pd.DataFrame(
        {
            "real": z @ [1.0, 2.0] + random.normal(size=400),
            "grid": np.round(z[:, 0] + 0.1 * random.normal(size=400), 1),
            "count": random.poisson(np.exp(z[:, 1])),
            "amount": np.exp(z @ [0.5, -0.5] + 0.3 * random.normal(size=400)),
            "kind": np.where(z[:, 0] + random.normal(size=400) > 0, "a", "b"),
        }
    )
    return frame.mask(random.random(frame.shape) < 0.1)


def digits() -> np.ndarray:
    """600 digits, 8 by 8, levels 0 to 16."""
    return load_digits().images[:600].astype(np.uint8)


def binary() -> np.ndarray:
    """The same digits as 0 and 1."""
    return (digits() > 7).astype(np.uint8)


def labelled() -> dict[str, Any]:
    """The digits' classes, given."""
    return {"condition": {"label": load_digits().target[:600]}}


SHAPES: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "table": (table, {}),
    "open": (table, {"steps": None, "max_steps": 400}),
    "normal prior": (table, {"prior": "normal"}),
    "pictures": (digits, {"network": "conv"}),
    "dynamic": (digits, {"binarize": "dynamic"}),
    "conditional": (binary, labelled()),
    "mixture prior": (binary, {"prior": "mixture:10"}),
    "vamp": (binary, {"prior": "vamp:20"}),
    "exemplar": (binary, {"prior": "exemplar:50"}),
    "flow prior": (binary, {"prior": "flow:2"}),
    "flow posterior": (binary, {"posterior": "flow:2:coupling"}),
    "mixture posterior": (binary, {"posterior": "mixture:3", "objective": "iwae:6"}),
    "full posterior": (binary, {"posterior": "full"}),
    "ladder": (binary, {"prior": "ladder:3", "posterior": "ladder:3"}),
    "sphere": (binary, {"prior": "sphere", "posterior": "sphere"}),
    "codes": (binary, {"prior": "categorical:4:4", "posterior": "categorical:4:4", "latent": None}),
    "ensemble": (table, {"members": 2}),
    "iwae dreg": (binary, {"objective": "iwae:5:dreg"}),
    "mmd": (binary, {"objective": "mmd"}),
    "beta-tc": (binary, {"objective": "beta-tc:4"}),
}


def digest(content: bytes) -> str:
    """SHA-256."""
    return hashlib.sha256(content).hexdigest()


def bounds(name: str, seeds: int) -> list[float]:
    """The best validation ELBO of each seed, in nats."""
    make, options = SHAPES[name]
    told = {"latent": 4, "width": 32, "steps": LONG, **options}
    return [likely.fit(make(), seed=seed, **told).facts["validation_elbo"] for seed in range(seeds)]


def fitted(name: str, folder: Path) -> dict[str, str]:
    """What of the fit is compared, as digests."""
    make, options = SHAPES[name]
    rows = make()
    run = likely.fit(rows, out=folder / name, **{"seed": 1, "latent": 4, "width": 32, "steps": STEPS, **options})
    history = run.history.drop(columns="seconds").to_csv(index=False)
    given = {"condition": options["condition"]} if "condition" in options else {}
    scores = "" if given else run.score(rows[:10], samples=20).to_csv(index=False)
    weights = load_file(folder / name / "weights.safetensors")
    return {
        **{f"weight {key}": digest(tensor.tobytes()) for key, tensor in weights.items()},
        "history": digest(history.encode()),
        "scores": digest(scores.encode()),
    }


def main() -> None:
    """Fit the shapes that are asked for, and print their digests, or their bounds for so many seeds, as JSON."""
    folder, asked, seeds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    folder.mkdir(parents=True)
    names = asked.split(",") if asked else list(SHAPES)
    print(json.dumps({name: bounds(name, seeds) if seeds else fitted(name, folder) for name in names}))


if __name__ == "__main__":
    main()
