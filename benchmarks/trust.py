"""Whether the numbers can be trusted: annealed and importance bounds against closed forms and against each other.

    LIKELY_DATA=... python benchmarks/trust.py [PART ...] [--out FOLDER] [--minutes M] [--images N] [--threads T]

linear    linear-Gaussian models, latents 2 to 50, Q exact and perturbed in five ways: AIS at the default setting, at
          `precise` and at ten times its temperatures against log P(x); L_1, L_5, L_50, L_500 and both sides of AIS.
coverage  nominal 95% intervals of the AIS mean over 200 repetitions with 20 rows fixed, latents 2, 10, 30.
pinch     upper minus lower bound of 100 rows simulated from a trained MNIST VAE, at the default setting and `precise`;
          these rows are others than those which chose the schedule.
mnist     the first 1,000 MNIST test images under the same VAE: ELBO, L_5000, AIS, paired differences; of the first
          200 of them also AIS at `precise` and the gap split.
shapes    other priors and posteriors on scikit-learn's digits: L_500, AIS or the sum over all codes, and the pinch.

The VAE is the default one, fitted for M minutes (10) where FOLDER has none. Tables are printed in Markdown. Every piece
is kept in FOLDER as it is made: run the same command again to go on, and take another FOLDER for another model or code.
`se` is over rows, `se_mc` from sampling z with the rows given; seconds are by the clock and of the processor, summed
over the pieces, whenever they ran.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from common import keep, machine
from trust_exact import coverage, linear
from trust_images import mnist, pinch
from trust_shapes import shapes


def main() -> None:
    """Measure what is asked for, then write the results of every part that FOLDER holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*")
    parser.add_argument("--out", type=Path, default=Path(".cache/trust"))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    told = parser.parse_args()
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "linear": lambda: linear(told.out),
        "coverage": lambda: coverage(told.out),
        "pinch": lambda: pinch(told.out, told.minutes, told.images),
        "mnist": lambda: mnist(told.out, told.minutes, told.images),
        "shapes": lambda: shapes(told.out),
    }
    unknown = sorted(set(told.parts) - set(parts))
    if unknown:
        parser.error(f"no part is called {unknown[0]!r}; parts: {', '.join(parts)}")
    torch.set_num_threads(told.threads)
    told.out.mkdir(parents=True, exist_ok=True)
    for name in told.parts or parts:
        found = parts[name]()
        (told.out / f"{name}.json").write_text(json.dumps({**found, "machine": machine()}))
    kept = {name: json.loads(file.read_text()) for name in parts if (file := told.out / f"{name}.json").exists()}
    keep("trust", {"protocol": __doc__, "parts": kept})


if __name__ == "__main__":
    main()
