"""Every write fails once: one line says so, what was there loads, and nothing foreign changes."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import likely
from likely.cli import main
from refusals import Capture, pictures, snapshot
from small import table

COMMANDS: dict[str, list[str]] = {
    "fit": ["fit", "t.csv", "-o", "new", "--set", "steps=2", "--latent", "2"],
    "overwrite": ["fit", "t.csv", "-o", "run", "--overwrite", "--set", "steps=2", "--latent", "2"],
    "continue": ["fit", "--continue", "run", "--set", "steps=2", "-o", "run"],
    "score": ["score", "run", "t.csv", "--samples", "2", "-o", "out.csv", "--overwrite"],
    "pictures": ["sample", "pics", "-n", "2", "-o", "drawn", "--overwrite"],
}
FAILING = {"fsync": os, "rename": Path, "replace": Path, "mkdir": Path, "chmod": Path}
SYNC = os.fsync
REASONS = (errno.ENOSPC, errno.EROFS, errno.ENOENT)
MAX_CALLS = 100  # more than any of the commands makes
STRIDE = 3  # of the calls every third fails, from another one for each command


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("failing")
    table().to_csv(folder / "t.csv", index=False)
    likely.fit(folder / "t.csv", out=folder / "run", latent=2, width=8, steps=3)
    likely.fit(pictures(), out=folder / "pics", latent=2, width=8, steps=2)
    for place in (folder / "thesis", folder / "drawn.old", folder / ".run.newer", folder / "run.old"):
        place.mkdir()
        (place / "config.json").write_text("{}")
    (folder / "out.csv").write_text("before")
    return folder


@pytest.fixture
def place(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(shutil.copytree(stored, tmp_path / "work"))
    monkeypatch.chdir(folder)
    return folder


def failing(monkeypatch: pytest.MonkeyPatch, at: int) -> list[int]:
    """The nth call of a function of the disk raises; how many calls there were."""
    calls = [0]

    def failing_one(real: Callable[..., Any]) -> Callable[..., Any]:
        def fails(*words: Any, **more: Any) -> Any:
            if real is SYNC and stat.S_ISDIR(os.fstat(words[0]).st_mode):  # which may fail, and says nothing
                return real(*words, **more)
            calls[0] += 1
            if calls[0] == at:
                reason = REASONS[at % len(REASONS)]
                raise OSError(reason, os.strerror(reason))
            return real(*words, **more)

        return fails

    for name, owner in FAILING.items():
        monkeypatch.setattr(owner, name, failing_one(getattr(owner, name)))
    return calls


def foreign(folder: Path) -> dict[str, bytes]:
    """What likely did not write."""
    ours = ("run/", "pics/", "new/", "drawn/", ".run.new/", ".run.old/", ".likely-", "out.csv")
    return {name: content for name, content in snapshot(folder).items() if not name.startswith(ours)}


def loaded(place: Path) -> likely.Run:
    """A run, beside which a new one may lie."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return likely.load(place)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_write_that_fails_loses_nothing(
    command: str, place: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = Path(shutil.copytree(place, place.with_name("stored")))
    before, score = foreign(place), likely.load(stored / "run").score(table(), samples=2)
    for at in range(1 + list(COMMANDS).index(command) % STRIDE, MAX_CALLS, STRIDE):
        with monkeypatch.context() as patched:
            calls = failing(patched, at)
            code = main(COMMANDS[command])
        err = capsys.readouterr().err
        assert foreign(place) == before
        if calls[0] < at:
            assert code == 0, err
            return
        if code:
            assert code == 2, err
            assert err.splitlines()[-1].startswith("likely: ")
            same = loaded(place / "run").score(table(), samples=2).equals(score)
            assert same or "the new run is complete" in err  # and loading it has put it in its place
        shutil.rmtree(place)
        shutil.copytree(stored, place)
        os.chdir(place)
    pytest.fail(f"{command} calls the disk more than {MAX_CALLS} times")
