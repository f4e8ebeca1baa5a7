from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from refusals import STEPS, pictures, table

from likely.cli import main


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("stored")
    table().to_csv(made / "t.csv", index=False)
    np.save(made / "p.npy", pictures(40))
    assert main(["fit", str(made / "t.csv"), "-o", str(made / "run"), *STEPS]) == 0
    assert main(["fit", str(made / "p.npy"), "-o", str(made / "pics"), *STEPS]) == 0
    return made


@pytest.fixture
def run(stored: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stored / "run", tmp_path / "run"))
