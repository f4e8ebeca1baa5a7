"""The demonstration on real data that needs no download."""

from __future__ import annotations

from pathlib import Path

from likely.data.kinds import Form

__all__ = ["run_demo"]


def run_demo(output: Path, *, seed: int, overwrite: bool) -> int:
    """Fit scikit-learn's digits, print the ledger, write the report."""
    from sklearn.datasets import load_digits

    import likely
    from likely.cli import show
    from likely.data import Rows, Source
    from likely.errors import visible

    digits = load_digits()
    print(f"{len(digits.images)} handwritten digits, 8x8 pixels, levels 0 to 16 (Alpaydin and Kaynak 1998)")
    source = Source(Form.IMAGES, {"all": Rows(digits.images, digits.target)})
    run = likely.fit(source, out=output, overwrite=overwrite, seed=seed)
    show.fitted(run, json=False)
    if run.record.interrupted:
        return 130
    show.ledger(run.evaluate(), json=False)
    print(visible(f"report: {run.report(overwrite=True)}"))
    show.print_notice(f"pictures drawn from P(X): likely sample {output} -n 100 -o samples.png")
    return 0
