"""The table of Burda, Grosse, Salakhutdinov 2016 (table 1, one stochastic layer): VAE, IWAE and its DReG gradient.

    LIKELY_DATA=... python benchmarks/iwae_table.py [MODEL ...] [--out FOLDER] [--threads N]

MNIST, dynamically binarised; the paper's network (two tanh layers of 200 units each way, 50 latents); the objective
without warm-up, at fixed steps, Adam with cosine decay. The lines k = 5 and k = 50 go on from the weights of k = 1, and
count its epochs and minutes as theirs. Kept: the last weights or their running average, whichever has the better ELBO
on 1,000 training rows held out. Test: all 10,000 images binarised once, L_5000 in float32. Each model is kept when it
is trained and every 500 scored rows when they are scored: run the same command again to go on. Lines of the results
that are not asked for stay as they were measured.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import likely
from common import RESULTS, data, keep
from likely import likelihoods, objectives, posteriors, priors
from likely.config import TrainingConfig
from likely.data import EncodedRows, ResidentRows, sources
from likely.evaluation import evidence
from likely.training import Schedule, train

SAMPLES, HELD_OUT, PART = 5000, 1000, 500


@dataclass(frozen=True)
class Entry:
    """One line of the table: what is maximised, how long, and the paper's number.

    Attributes
    ----------
    start
        The line whose trained weights this one goes on from; its epochs and minutes count here too.

    """

    objective: objectives.Objective
    steps: int
    batch_size: int
    learning_rate: float
    paper: float
    start: str = ""


ENTRIES = {
    "vae": Entry(objectives.ELBO(), 500_000, 128, 3e-3, -86.76),
    "iwae-5": Entry(objectives.IWAE(5), 200_000, 64, 1e-3, -85.54, "vae"),
    "iwae-50": Entry(objectives.IWAE(50), 115_000, 32, 4e-4, -84.78, "vae"),
    "iwae-50-dreg": Entry(objectives.IWAE(50, "dreg"), 165_000, 32, 4e-4, -84.32, "vae"),
}
CONFIG = TrainingConfig(weight_decay=0.0, clip=1e6, warmup=0.0, ema_decay=0.9999, precision="bfloat16")


def network(inputs: int, outputs: int) -> nn.Sequential:
    """Two tanh layers of 200 units."""
    layers = [nn.Linear(inputs, 200), nn.Tanh(), nn.Linear(200, 200), nn.Tanh(), nn.Linear(200, outputs)]
    return nn.Sequential(*layers)


def fresh(rows: EncodedRows) -> likely.VAE:
    """The paper's model, its last bias at the independent marginals."""
    torch.manual_seed(0)
    likelihood = likelihoods.Bernoulli((784,))
    model = likely.VAE(
        priors.StandardNormal(50), likelihood, posteriors.Normal(50), network(784, 100), network(50, 784)
    )
    with torch.no_grad():
        model.decoder[-1].bias.copy_(likelihood.initial(rows.binarised_once(0).stored().values[:10_000]))
    return model


def images(split: str) -> EncodedRows:
    """MNIST, flat."""
    values = sources.open_source(data("mnist")).splits[split].values
    return ResidentRows(torch.from_numpy(np.asarray(values)).flatten(1), "dynamic", 255.0)


def trained(name: str, folder: Path) -> tuple[likely.VAE, dict[str, float]]:
    """The model, from its file if it has one."""
    entry, rows = ENTRIES[name], images("train")
    held, used = rows.take(torch.arange(HELD_OUT)), rows.take(torch.arange(HELD_OUT, len(rows)))
    weights, facts = folder / f"{name}.safetensors", folder / f"{name}.json"
    if weights.exists() and facts.exists():
        model = fresh(used)
        model.load_state_dict(load_file(weights))
        return model.eval(), json.loads(facts.read_text())
    model, before = trained(entry.start, folder) if entry.start else (fresh(used), {})
    config = replace(CONFIG, batch_size=entry.batch_size, steps=entry.steps, learning_rate=entry.learning_rate)
    plan = Schedule(entry.steps, open=False, warmup_steps=0, validate_every=entry.steps)
    started, cpu = time.perf_counter(), time.process_time()

    def tell(step: int, last: int, _: float | None) -> None:
        if step % 5000 == 0:
            print(f"{name}: step {step} of {last}, {time.perf_counter() - started:.0f} s", flush=True)

    outcome = train(model, used, held.binarised_once(0), config, plan, objective=entry.objective, monitor=tell)
    if outcome.interrupted:
        raise KeyboardInterrupt
    told = {
        "steps": entry.steps,
        "batch_size": entry.batch_size,
        "learning_rate": entry.learning_rate,
        "goes on from": entry.start,
        "epochs": round(before.get("epochs", 0) + entry.steps * entry.batch_size / len(used), 1),
        "minutes": round(before.get("minutes", 0) + outcome.seconds / 60, 1),
        "processor_minutes": round(before.get("processor_minutes", 0) + (time.process_time() - cpu) / 60, 1),
        "kept": outcome.selected,
        "held_out_elbo": outcome.best,
        "threads": torch.get_num_threads(),
    }
    save_file(model.state_dict(), weights)
    facts.write_text(json.dumps(told))
    return model.eval(), told


def scored(name: str, model: likely.VAE, folder: Path) -> dict[str, float]:
    """L_5000 and the ELBO of the test set, part by part, each part kept."""
    rows, parts = images("test").binarised_once(0), []
    for first in range(0, len(rows), PART):
        path = folder / f"{name}-{first}.npz"
        if not path.exists():
            started = time.perf_counter()
            found = evidence(model, rows.take(torch.arange(first, first + PART)), samples=SAMPLES)
            np.savez(path, iwae=found.terms["iwae"], se=found.se_mc["iwae"], elbo=found.terms["elbo"])
            seconds = time.perf_counter() - started
            print(f"{name}: rows from {first}: {found.terms['iwae'].mean():.3f}, {seconds:.0f} s", flush=True)
        parts.append(np.load(path))
    iwae, se, elbo = (np.concatenate([part[key] for part in parts]) for key in ("iwae", "se", "elbo"))
    return {
        "rows": len(iwae),
        "samples": SAMPLES,
        "l_5000": float(iwae.mean()),
        "se": float(iwae.std(ddof=1) / math.sqrt(len(iwae))),
        "se_mc": float(np.sqrt((se**2).sum()) / len(se)),
        "elbo": float(elbo.mean()),
    }


def main() -> None:
    """Train and score what is asked for, then write the table of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*", default=list(ENTRIES))
    parser.add_argument("--out", type=Path, default=Path(".cache/iwae_table"))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    told = parser.parse_args()
    torch.set_num_threads(told.threads)
    told.out.mkdir(parents=True, exist_ok=True)
    before = RESULTS / "iwae_table.json"
    table = json.loads(before.read_text())["models"] if before.exists() else {}
    for name in told.models:
        model, facts = trained(name, told.out)
        table[name] = {**facts, **scored(name, model, told.out), "paper": ENTRIES[name].paper}
        print(name, table[name], flush=True)
    lines = {name: table[name] for name in ENTRIES if name in table}
    keep("iwae_table", {"data": "MNIST, dynamically binarised", "protocol": __doc__, "models": lines})


if __name__ == "__main__":
    main()
