"""Some of the mutated inputs of the benchmark: read as other libraries read them, the untouched result, or one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from likely.files import MAX_BYTES
from mutations import GOOD, Bench, make

INPUTS = 100


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    make(folder / "made", ("table", "ensemble"))
    return folder / "made"


def test_mutated_inputs_are_read_rightly_or_refused_in_one_line(
    originals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MAX_BYTES, str(2**30))
    bench = Bench(originals, tmp_path, None, ("table", "ensemble"))
    found = [bench.tried(7, index) for index in range(INPUTS)]
    assert [one for one in found if one.became not in GOOD] == []
    assert len({one.became for one in found}) >= 3
