from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import likely

SOURCE = Path(likely.__file__).parent


def test_names_are_few_and_all_there() -> None:
    assert len(likely.__all__) <= 40
    for name in likely.__all__:
        assert getattr(likely, name) is not None


def test_public_names_are_documented() -> None:
    for room in (
        "data",
        "distributions",
        "estimators",
        "evaluation",
        "likelihoods",
        "models",
        "networks",
        "objectives",
        "posteriors",
        "priors",
        "training",
        "assembly",
        "config",
        "errors",
        "report",
    ):
        module = __import__(f"likely.{room}", fromlist=["x"])
        assert module.__doc__
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                assert value.__doc__, f"{room}.{name}"


def test_earlier_names_of_evaluation_still_work() -> None:
    found = likely.evaluation
    assert (found.Sides, found.both_sides) == (found.LogPxEstimate, found.estimate_log_px)
    assert found.Part is found.LatentPart
    reason = found.NotAnnealed("no rows were requested")
    fields = ("evidence", "ledger", "verdicts", "baselines", "diagnosis", "beaten", "index")
    assert found.Assessment(**dict.fromkeys(fields), log_px_estimate=reason).sides is reason


def test_names_of_evaluation_that_are_imported_late_are_those_that_editors_see() -> None:
    source = ast.parse((SOURCE / "evaluation" / "__init__.py").read_text())
    shown = {name.name for node in ast.walk(source) if isinstance(node, ast.ImportFrom) for name in node.names}
    assert set(likely.evaluation.__all__) == shown - {"TYPE_CHECKING", "Any", "annotations"}
    for name in set(likely.evaluation.__all__) - {"GAP_KINDS"}:
        assert getattr(likely.evaluation, name).__name__ == name


def test_no_file_is_above_500_lines() -> None:
    for path in SOURCE.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 500, path


def test_importing_likely_is_lazy() -> None:
    code = "import sys, likely; sys.exit(any(m in sys.modules for m in ('torch', 'pandas', 'numpy', 'matplotlib')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_scoring_loads_only_what_it_needs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    columns = {"a": rng.normal(size=60), "b": rng.choice(list("xyz"), 60), "c": rng.integers(0, 4, 60)}
    frame = pd.DataFrame(columns)
    frame.head(10).to_csv(tmp_path / "ten.csv", index=False)
    likely.fit(frame, steps=2, out=tmp_path / "run")
    code = (
        "import sys; from likely.cli import main; assert not main(['score', *sys.argv[1:]]); "
        "spared = {'sklearn', 'scipy', 'PIL', 'matplotlib', 'sympy', 'zuko'} & set(sys.modules); "
        "sys.exit(str(spared) if spared else 0)"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "run"), str(tmp_path / "ten.csv")]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert not done.stderr, done.stderr


@pytest.mark.parametrize(("words", "code"), [(["parts", "prior"], 0), (["parts", "nonsense"], 2)])
def test_the_module_is_the_command_line(words: list[str], code: int) -> None:
    done = subprocess.run([sys.executable, "-m", "likely", *words], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert ("vamp" in done.stdout) == (code == 0)
