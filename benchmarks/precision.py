"""What bfloat16 autocast costs in nats and saves in seconds: the same fit of MNIST twice, step for step.

The dense network (`--model vae`: width 512, batches of 512), once in each precision, one after the other.

LIKELY_DATA=... python benchmarks/precision.py [STEPS]
"""

from __future__ import annotations

import sys

import likely
from common import data, keep


def main() -> None:
    """Both precisions at the same steps and seed; bounds on the first 2,000 test rows."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    results = {}
    for precision in ("float32", "bfloat16"):
        run = likely.fit(data("mnist"), binarize="dynamic", model="vae", steps=steps, precision=precision)
        test = run.training_source().splits["test"].values[:2000]
        found = run.evaluate(test, samples=100)
        results[precision] = {
            "seconds": run.facts["seconds"],
            "validation_elbo": run.facts["validation_elbo"],
            "test_elbo": found["elbo"].nats,
            "test_iwae_100": found["iwae"].nats,
            "se": found["iwae"].se,
        }
        print(precision, results[precision], flush=True)
    keep("precision", {"data": "MNIST, dynamically binarised", "steps": steps, "test_rows": 2000, **results})


if __name__ == "__main__":
    main()
