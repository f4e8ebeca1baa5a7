"""log P(x) of test pictures against minutes of fit, by the protocol of the literature; what was begun goes on.

    python benchmarks/nats.py mnist --minutes 10 [--seed 0] [--set model=hierarchy:conv:7x3x4,14x1x4 width=32]
    python benchmarks/nats.py grey --minutes 60
    python benchmarks/nats.py colour --minutes 60
    python benchmarks/nats.py digits --minutes 1

`mnist` binarises the 60,000 training pictures anew each time they are seen, each test picture once (a stated seed);
`grey` takes their 256 levels; `colour` a folder of 5,000 and 1,000 JPEGs of 32x32 from CIFAR-10; `digits` the 1,797 of
scikit-learn, 8x8, a tenth of them test rows. A tenth of what is not test rows validates. All else is a default of
`likely.fit` unless told.

Of all test rows L_50. Of `mnist` and `digits` also L_1000 of 1,000 of them, drawn by `default_rng(0)`: L_1000 of all is
told as L_50 of all plus the mean difference of these, their errors added in squares; and annealing (a lower bound) of
the first 100 of the 1,000, by at most 64 temperatures, beside their L_1000. Fits go on from their last checkpoint, and
scores from the last part, under `.cache/nats`.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits

import likely
from common import RESULTS, data, machine, store
from likely.data import sources
from likely.evaluation import AnnealingPath, anneal, tune
from likely.files import write

CACHE = Path(__file__).parents[1] / ".cache" / "nats"
DEEPER = ("mnist", "digits")  # whose pictures are few numbers: L_1000 and annealing too
PART, ANNEALED_PART = 500, 50  # rows scored, or annealed, between two savings
DRAWS, MANY = 50, 1000  # of z for each test row, and for each of the few
FEW, ANNEALED, TEMPERATURES = 1000, 100, 64  # rows of many draws; those of these that are annealed, by how many at most


def saved(path: Path, numbers: np.ndarray) -> None:
    """Write numbers to a file that is there whole or not at all."""
    content = BytesIO()
    np.save(content, numbers)
    write(path, content.getvalue())


def rows_of(name: str) -> tuple[Any, Any, dict[str, Any]]:
    """What a fit is given, the test rows, and the options of the fit."""
    if name == "digits":
        pictures = load_digits().images.astype(np.uint8)
        order = np.random.default_rng(0).permutation(len(pictures))
        held = len(pictures) // 10
        return pictures[order[held:]], pictures[order[:held]], {}
    folder = data("cifar10-jpg" if name == "colour" else "mnist")
    test = sources.open_source(folder).splits["test"]
    return (
        folder,
        np.asarray(test.read(np.arange(len(test))).values),
        {"binarize": "dynamic"} if name == "mnist" else {},
    )


def fitted(folder: Path, name: str, minutes: float, seed: int, told: dict[str, Any]) -> likely.Run:
    """The run, from its folder where it is finished; where it is not, its fit goes on."""
    pictures, _, options = rows_of(name)
    out = folder / "run"
    if (out / "weights.safetensors").exists():
        return likely.load(out)
    if (out / "checkpoints").exists():
        return likely.fit(pictures if isinstance(pictures, np.ndarray) else None, resume=out)
    return likely.fit(pictures, out=out, overwrite=out.exists(), minutes=minutes, seed=seed, **options, **told)


def scored(run: likely.Run, rows: np.ndarray, samples: int, kept: Path) -> np.ndarray:
    """ELBO, L_K and its error of each row, `(3, rows)`; parts that were scored before are taken as they are."""
    parts = []
    for first in range(0, len(rows), PART):
        part = kept.with_name(f"{kept.stem}-{first}.npy")
        if not part.exists():
            frame = run.score(rows[first : first + PART], samples=samples)
            saved(part, frame[["elbo", "log_px", "se_mc"]].to_numpy().T)
            print(f"L_{samples}: {min(first + PART, len(rows)):,} of {len(rows):,} rows", flush=True)
        parts.append(np.load(part))
    return np.concatenate(parts, 1)


def temperatures_tried(now: int, most: int) -> None:
    print(f"annealed simulated rows by {now} temperatures of at most {most}", flush=True)


def annealed(run: likely.Run, rows: np.ndarray, bound: np.ndarray, kept: Path) -> dict[str, Any]:
    """The annealed bound of rows, and L_K of the same rows; the path and the parts that are there are taken."""
    encoded = run.encoded(run.rows_of(rows)[0])
    if not kept.exists():
        found = tune(run.model, encoded, most=TEMPERATURES, progress=temperatures_tried)
        simulated = {"rows": len(found.lower), "upper - lower": found.width, "se": found.se}
        write(kept, json.dumps({"path": asdict(found.path), "simulated": simulated}))
    how, parts = json.loads(kept.read_text()), []
    path = AnnealingPath(**how["path"] | {name: tuple(how["path"][name]) for name in ("betas", "steps")})
    for first in range(0, len(rows), ANNEALED_PART):
        part = kept.with_name(f"annealed-{first}.npy")
        if not part.exists():
            some = anneal(run.model, encoded.take(torch.arange(first, min(first + ANNEALED_PART, len(rows)))), path)
            saved(part, np.stack([some.log_px, some.se_mc, some.ess, some.acceptance]))
            print(f"annealed: {min(first + ANNEALED_PART, len(rows))} of {len(rows)} rows", flush=True)
        parts.append(np.load(part))
    log_px, se_mc, ess, acceptance = np.concatenate(parts, 1)
    return {
        "rows": len(rows),
        "ais": mean(log_px) | {"se_mc": float(np.sqrt(np.square(se_mc).sum()) / len(rows))},
        f"L_{MANY}": mean(bound),
        f"ais - L_{MANY}": mean(log_px - bound),
        "temperatures": path.temperatures,
        "chains": path.chains,
        "worth": float(ess.mean()),
        "leapfrog_steps": path.leapfrog_steps,
        "from": "P(z)" if path.from_prior else "Q(z|x)",
        "acceptance": float(acceptance.mean()),
        "simulated": how["simulated"],
    }


def mean(values: np.ndarray) -> dict[str, float]:
    return {"nats": float(values.mean()), "se": float(values.std(ddof=1) / math.sqrt(len(values)))}


def measured(name: str, minutes: float, seed: int, told: dict[str, Any], anneal: bool) -> dict[str, Any]:
    """Fit, score, and what was found."""
    words = "-".join(str(value).replace(":", "_").replace(",", "_") for value in told.values())
    folder = CACHE / "-".join(filter(None, (name, f"{minutes:g}", str(seed), words)))
    folder.mkdir(parents=True, exist_ok=True)
    run = fitted(folder, name, minutes, seed, told)
    _, test, _ = rows_of(name)
    cells = math.prod(test.shape[1:])
    all_rows = scored(run, test, DRAWS, folder / "all")
    bound, further = mean(all_rows[1]), {}
    if name in DEEPER:
        few = np.random.default_rng(0).permutation(len(test))[:FEW]
        many = scored(run, test[few], MANY, folder / "few")
        gain = mean(many[1] - all_rows[1, few])
        further = {
            f"L_{MANY} - L_{DRAWS}": gain | {"rows": len(few)},
            f"L_{MANY}": {"nats": bound["nats"] + gain["nats"], "se": math.hypot(bound["se"], gain["se"])},
        }
        if anneal:
            further["annealed"] = annealed(run, test[few[:ANNEALED]], many[1, :ANNEALED], folder / "path.json")
    training, model = run.config.training, run.config.model
    return {
        "data": name,
        "minutes": minutes,
        "seed": seed,
        "told": told,
        "model": model.kind,
        "width": model.width,
        "blocks": model.blocks,
        "prior": model.prior,
        "batch": training.batch_size,
        "rate": training.learning_rate,
        "precision": training.precision,
        "weights": sum(weight.numel() for weight in run.model.parameters()),
        "steps": run.steps,
        "steps_left_out": int(run.history["left_out"].max()) if "left_out" in run.history else 0,
        "returns_to_the_best": int(run.history["returns"].max()) if "returns" in run.history else 0,
        "fit_s": run.record.seconds,
        "test_rows": len(test),
        "elbo": mean(all_rows[0]),
        f"L_{DRAWS}": bound,
        f"L_{DRAWS} bits/dim": -bound["nats"] / cells / math.log(2),
        **further,
        "curve": [
            [round(seconds, 1), round(elbo, 3)]
            for seconds, elbo in run.history[["seconds", "val_elbo_average"]].itertuples(index=False)
        ],
        "machine": machine(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=("mnist", "grey", "colour", "digits"))
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="options of likely.fit")
    parser.add_argument("--no-annealing", action="store_true")
    asked = parser.parse_args()
    told = dict(pair.split("=", 1) for pair in asked.set)
    found = measured(asked.data, asked.minutes, asked.seed, told, not asked.no_annealing)
    print(json.dumps(found, indent=1))
    where = RESULTS / "nats.json"
    lines = json.loads(where.read_text())["lines"] if where.exists() else []
    key = ("data", "minutes", "seed", "told")
    lines = [line for line in lines if any(line[one] != found[one] for one in key)]
    store("nats", {"lines": sorted([*lines, found], key=lambda line: (line["data"], line["minutes"], line["seed"]))})


if __name__ == "__main__":
    main()
