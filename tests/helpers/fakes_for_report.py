from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from sklearn.datasets import load_digits

from likely.report import Findings
from likely.report.findings import Nearest


def assert_no_overlap(figure: Figure) -> None:
    """Fail where two texts of a figure cover each other, or one leaves the figure."""
    canvas = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        canvas.draw()
        texts = [text for axes in figure.axes if axes.get_visible() for text in _drawn(axes)]
        boxes = [(t.get_text(), t.get_window_extent(canvas.get_renderer())) for t in texts if t.get_text().strip()]
    whole = figure.bbox.padded(1)
    for place, (words, box) in enumerate(boxes):
        assert whole.x0 <= box.x0, words
        assert box.x1 <= whole.x1, words
        for others, other in boxes[:place]:
            assert not box.padded(-0.5).overlaps(other.padded(-0.5)), (words, others)


def _drawn(axes: Axes) -> list[Text]:
    """Texts of a panel, without the labels of ticks outside its frame."""
    made = [*axes.texts, axes._left_title, axes.xaxis.label, axes.yaxis.label]
    for place, axis in enumerate((axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        made += [label for label in axis.get_ticklabels() if low <= label.get_position()[place] <= high]
    return made


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


def assessed(rows: int | None = None) -> list[dict[str, Any]]:
    """The ledger with both sides of log P(x) and the gap split, on all rows or on some."""

    def row(name: str, nats: float, kind: str, samples: int, se_mc: float) -> dict[str, Any]:
        made = {"name": name, "nats": nats, "se": 2.345, "se_mc": se_mc, "bits_per_dim": None, "kind": kind}
        return made | {"samples": samples} | ({} if rows is None else {"rows": rows})

    return [
        *ledger(),
        row("ais", -150.8127, "lower bound on log P(x) in expectation", 16, 0.0214),
        row("ais_gain", 1.1012, "ais - iwae, on the same rows", 16, 0.0331),
        row("ais_gap", 3.8407, "D[Q(z|x)||P(z|x)] is at least this: ais - elbo", 16, 0.0234),
        row("approximation", 1.2304, "an estimate", 16, 0.0251),
        row("amortisation", 2.6103, "at least this", 500, 0.0092),
    ]


def summed() -> list[dict[str, Any]]:
    """The ledger of a model of few codes."""
    made = {"name": "exact", "nats": -151.2041, "se": 1.873, "se_mc": 0.0, "bits_per_dim": 3.4083, "kind": "log P(x)"}
    return [*ledger(), made | {"samples": None, "rows": 180}]


def baselines() -> list[dict[str, Any]]:
    def law(name: str, nats: float, difference: float) -> dict[str, Any]:
        numbers = {"nats": nats, "se": 1.93, "bits_per_dim": -nats / 64 / np.log(2)}
        return {"name": name, **numbers, "kind": f"what {name} is", "difference": difference, "difference_se": 0.871}

    def coder(name: str, bits: float) -> dict[str, Any]:
        nothing = {"nats": None, "se": None, "difference": None, "difference_se": None}
        return {"name": name, "bits_per_dim": bits, "kind": f"what {name} is", **nothing}

    return [
        law("marginals", -196.3011, 44.3884),
        coder("gzip", 4.6013),
        law("gaussian", -163.9032, 11.9905),
        law("gaussian_mixture", -157.2235, 5.3108),
        coder("xz", 4.4104),
        law("ppca", -165.4307, 13.518),
        coder("png", 8.9021),
    ]


def pit(columns: int, counts: int = 4000) -> tuple[list[tuple[str, np.ndarray, str]], list[int]]:
    """Histograms of which the last is the worst: too narrow."""
    rng = np.random.default_rng(6)
    made = []
    for number in range(columns):
        u = rng.beta(0.6, 0.6, counts) if number == columns - 1 else rng.random(counts)
        words = "too narrow" if number == columns - 1 else ""
        made.append((f"column {number}", np.histogram(u, 20, (0, 1))[0] / counts, words))
    return made, [counts] * columns


def trusted(**changes: Any) -> Findings:
    """Findings of pictures with everything that tells how far to trust them."""
    histograms, counts = pit(1)
    given: dict[str, Any] = {
        "headline": "beats the best baseline, a mixture of Gaussians, by 5.31 nats per row (se 0.87)",
        "ledger": assessed(),
        "annealing": "16 chains of 500 temperatures; 92% accepted; upper less lower bound 0.08 nats on simulated rows.",
        "unstable": ["iwae"],
        "verdicts": {"iwae": "unstable: Pareto k-hat above 0.7 in 40% of the rows; raise --samples", "ais": "stable"},
        "baselines": baselines(),
        "sentences": [
            "posterior collapse: most of z is not used (4 of 16 dimensions); try `--objective free-bits:0.1`",
            "P(x|z) is not calibrated: all cells: too narrow; try `--likelihood logistic-mixture:5`",
            "z tells rows apart by 6.1 nats at least",
            "no over-fitting seen (ELBO train -151.00 ± 0.50, test -154.65 ± 1.87)",
        ],
        "problems": 2,
        "pit": [("all cells", *histograms[0][1:])],
        "pit_counts": counts,
    }
    return dataclasses.replace(make_picture_findings(), **(given | changes))


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
        interpolated=images[:40].reshape(5, 8, 8, 8),
        regrouped=images[40:80].reshape(5, 8, 8, 8),
        groups_kept=[0, 4, 7, 10, 14, 18, 21],
        nearest=Nearest(images[:84].reshape(42, 2, 8, 8), rng.gamma(9, 0.3, 42), rng.gamma(9, 0.3, 200), 900, 1437),
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
