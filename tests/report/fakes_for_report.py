from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from likely.report import Findings


def history() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    step = np.arange(50, 4001, 50)
    decay = np.exp(-step / 400)
    validated = step % 200 == 0
    return pd.DataFrame(
        {
            "step": step,
            "epoch": step / 45,
            "seconds": step * 0.004,
            "train_elbo": -152 - 400 * decay + rng.normal(0, 1.5, len(step)),
            "val_elbo": np.where(validated, -155 - 400 * decay, np.nan),
            "reconstruction": -131 - 400 * decay + rng.normal(0, 1.5, len(step)),
            "kl": 21 * (1 - decay),
            "learning_rate": np.where(step < 3200, 1e-3, 1e-3 * (4000 - step) / 800),
            "beta": np.minimum(1, step / 800),
        }
    )


def ledger(dims: int = 64) -> list[dict[str, Any]]:
    def row(name: str, nats: float, kind: str, samples: int | None = None, se_mc: float = 0.0) -> dict[str, Any]:
        bits = None if name in {"kl", "gap", "reconstruction"} else -nats / dims / np.log(2)
        return {
            "name": name,
            "nats": nats,
            "se": 1.873,
            "se_mc": se_mc,
            "bits_per_dim": bits,
            "kind": kind,
            "samples": samples,
        }

    return [
        row("reconstruction", -133.4021, "term of the ELBO", 500, 0.0123),
        row("kl", 21.2513, "term of the ELBO, closed form"),
        row("elbo", -154.6534, "lower bound on log P(x)", 500, 0.0123),
        row("iwae", -151.9127, "lower bound on log P(x)", 500, 0.0331),
        row("gap", 2.7407, "at least", 500, 0.0342),
        row("prior_sampling", -214.0331, "lower bound on log P(x), unusable in high dimension", 500, 1.21),
        row("unweighted", -127.5518, "not log P(x), no bound", 500, 0.0412),
    ]


def walk(n: int = 2000) -> tuple[np.ndarray, list[tuple[str, np.ndarray]]]:
    rng = np.random.default_rng(1)
    z = rng.normal(size=(n, 2))
    hidden, layers = z, []
    for number in range(1, 4):
        hidden = np.tanh(hidden @ rng.normal(size=(hidden.shape[1], 32)) * 0.9 + rng.normal(size=32) * 0.5)
        centred = hidden - hidden.mean(0)
        layers.append((f"after layer {number}", centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T))
    return z, layers


def digits(n: int = 40) -> np.ndarray:
    return load_digits().images[:n] / 16


def make_picture_findings() -> Findings:
    rng = np.random.default_rng(2)
    images, labels = digits(1200), load_digits().target[:1200]
    smooth = (images + np.roll(images, 1, 1) * 0.4 + np.roll(images, 1, 2) * 0.4) / 1.8
    centres = rng.normal(size=(10, 2)) * 1.3
    prior_z, layers = walk()
    side = np.linspace(0, 1, 10)[:, None, None, None]
    return Findings(
        title="Handwritten digits",
        form="images",
        facts={
            "data": "sklearn digits (1,797 pictures)",
            "rows": "1,437 train, 180 validation, 180 test",
            "dims": "64 (8 × 8)",
            "likelihood": "discretised logistic on 17 levels",
            "latent": "16, N(0, I)",
            "posterior": "diagonal Gaussian",
            "parameters": "83,472",
            "seconds": "16.2 on cpu",
            "measure": "mass",
            "seed": "0",
            "versions": "likely 0.1.0, torch 2.13.0",
        },
        notices=["Only 1,437 training rows: the validation ELBO rests on few examples."],
        history=history(),
        selected_step=3400,
        ledger=ledger(),
        ledger_split="test",
        ledger_rows=180,
        measure="mass",
        originals=images[:24],
        reconstructions=smooth[:24],
        samples=rng.binomial(16, smooth[100:160]) / 16,
        sample_means=smooth[100:160],
        prior_z=prior_z,
        layers=layers,
        latent_map=(1 - side) * images[0] + side * images[1] * np.linspace(1, 0.2, 10)[None, :, None, None],
        codes=centres[labels] + rng.normal(size=(1200, 2)) * 0.5,
        codes_labels=labels,
        codes_note="the two principal components (48 % of the variance)",
        kl_per_dim=rng.permutation(
            [2.9, 2.7, 2.5, 2.4, 2.2, 2.0, 1.9, 1.7, 1.5, 1.1, 0.35, 0.02, 4e-3, 3e-3, 1e-3, 0.0]
        ),
        least_likely=images[50:60],
        least_likely_log_px=np.linspace(-230.26, -199.11, 10),
        most_likely=images[60:70],
        most_likely_log_px=np.linspace(-95.5, -101.25, 10),
    )


def people(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(17, 80, n),
            "income $": rng.lognormal(10, 0.7, n).round(2),
            "<b>height</b>": rng.normal(172, 9, n),
            "city": rng.choice(["Bern", "Basel", "Zürich", "Genève", "東京"], n, p=[0.4, 0.2, 0.2, 0.15, 0.05]),
            "smoker": rng.random(n) < 0.3,
            "joined": pd.Timestamp("2019-01-01") + pd.to_timedelta(rng.integers(0, 1500, n), "D"),
            "children": pd.array(rng.poisson(1.3, n), dtype="Int64"),
            "code": rng.choice([f"kind number {i}" for i in range(20)], n),
            "constant": 1.5,
        }
    )
    frame.loc[rng.random(n) < 0.1, ["income $", "city", "joined", "children"]] = np.nan
    return frame


def make_table_findings() -> Findings:
    real, sampled = people(500, 3), people(800, 4)
    prior_z, layers = walk(800)
    return Findings(
        title="People of <script>alert(1)</script>",
        form="table",
        facts={"data": "people.csv", "rows": "4,000", "dims": "9", "measure": "mixed", "seed": "0"},
        history=history().assign(beta=1.0),
        selected_step=3400,
        ledger=ledger(9),
        ledger_split="validation",
        ledger_rows=500,
        measure="mixed",
        originals=real[:8],
        reconstructions=sampled[:8],
        samples=sampled[8:20],
        real=real,
        sampled=sampled,
        prior_z=prior_z,
        layers=layers[:1],
        codes=prior_z,
        kl_per_dim=np.array([1.2, 0.7, 0.3, 0.002]),
        least_likely=real[:5],
        least_likely_log_px=np.array([-60.2, -55.1, -51.0, -50.4, -50.1]),
        most_likely=real[5:10],
        most_likely_log_px=np.array([-9.1, -9.2, -9.4, -9.9, -10.0]),
    )
