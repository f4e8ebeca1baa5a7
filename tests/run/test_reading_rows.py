from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import likely
from likely.run import reading


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    x = np.random.default_rng(0).normal(size=(60, 2))
    np.savez(tmp_path / "some.npz", first=x, second=x + 1)
    return tmp_path / "some.npz"


def test_verbs_that_print_no_origin_hash_no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).normal(size=(60, 2))
    incomplete = np.where(np.arange(60)[:, None] % 7 == [0, 8], np.nan, x)
    run = likely.fit(incomplete, steps=2)
    monkeypatch.setattr(reading, "digest", lambda *_, **__: pytest.fail("the data were hashed"))
    run.score(x, samples=2)
    run.encode(x)
    run.reconstruct(x)
    run.impute(incomplete, samples=2)
    run.sample(3)
    run.anomalies(x, samples=2)
    with pytest.raises(pytest.fail.Exception, match="hashed"):
        run.evaluate(x, samples=2)


def test_a_member_of_an_archive_is_read_again(archive: Path, tmp_path: Path) -> None:
    run = likely.fit(f"{archive}:second", steps=2, out=tmp_path / "run")
    again = likely.load(tmp_path / "run").evaluate(samples=2, anneal=0)
    assert again.rows == len(run.division.test)


def test_a_member_of_a_lost_archive_is_told(archive: Path, tmp_path: Path) -> None:
    likely.fit(f"{archive}:second", steps=2, out=tmp_path / "run")
    archive.unlink()
    with pytest.raises(likely.DataError, match="is gone"):
        likely.load(tmp_path / "run").evaluate(samples=2)
