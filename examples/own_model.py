"""Parts of one's own: fit, use, store, load in a fresh process, go on. python examples/own_model.py FOLDER."""

import subprocess
import sys
from pathlib import Path

from sklearn.datasets import load_digits
from torch import nn

import likely
from likely.objectives import Objective
from likely.training import Monitor

DIGITS = load_digits().images[:500].astype("uint8")


def encoder() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1), nn.SiLU(), nn.Flatten(), nn.Linear(16 * 16, 2 * 8))


def decoder() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 256), nn.SiLU(), nn.Unflatten(1, (16, 4, 4)), nn.ConvTranspose2d(16, 2, 4, 2, 1))


class Cheaper(Objective):
    """The ELBO with half of the KL."""

    is_bound, samples = False, 1

    def __call__(self, model, batch, kl_weight=1.0, generator=None):
        terms = model.terms(batch, generator=generator)
        return terms.reconstruction - 0.5 * kl_weight * terms.kl, terms


class Prints(Monitor):
    """Says how training goes."""

    def on_validation(self, record):
        print(f"step {record['step']:.0f}: ELBO {record['val_elbo']:.2f}")


def main(folder: Path) -> None:
    """All of it, on 500 digits."""
    run = likely.fit(DIGITS, encoder=encoder, decoder=decoder, objective=Cheaper(), monitors=[Prints()], steps=60)
    print(run.score(DIGITS[:3]), run.evaluate(samples=20, anneal=0)["elbo"].nats, run.sample(4).shape)
    print(run.save(folder / "run"), run.report())
    again = f"import own_model; own_model.later({str(folder / 'run')!r})"
    subprocess.run([sys.executable, "-c", again], check=True, cwd=Path(__file__).parent)


def later(path: str) -> None:
    """In a fresh process: nothing is known but the directory and this file."""
    run = likely.load(path, factories={"encoder": encoder, "decoder": decoder, "objective": Cheaper})
    print(run, run.aim)
    print(run.continue_training(DIGITS, steps=30, monitors=[Prints()]).steps)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
