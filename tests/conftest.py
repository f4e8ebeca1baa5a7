from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

settings.register_profile("steady", derandomize=True)
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table, pictures, and a run fitted on each."""
    from likely.cli import main
    from refusals import STEPS, pictures, table

    made = tmp_path_factory.mktemp("stored")
    table().to_csv(made / "t.csv", index=False)
    np.save(made / "p.npy", pictures(40))
    assert main(["fit", str(made / "t.csv"), "-o", str(made / "run"), *STEPS]) == 0
    assert main(["fit", str(made / "p.npy"), "-o", str(made / "pics"), *STEPS]) == 0
    return made


@pytest.fixture
def run(stored: Path, tmp_path: Path) -> Path:
    """A copy of the table's run, to be damaged."""
    return Path(shutil.copytree(stored / "run", tmp_path / "run"))
