"""A run that takes the place of another: nothing is lost without a word, and after a kill all can be brought back."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import likely
from likely.cli import main
from likely.errors import OutputError, RunError
from likely.files import left_beside
from likely.run.directory import renewed
from small import table

KILLED = """
import os, sys
from pathlib import Path
from likely.files import copied_folder

real, done = Path.replace, []

def replace(self, other):
    if len(done) == int(sys.argv[2]):
        os._exit(9)
    done.append(self)
    return real(self, other)

Path.replace = replace
with copied_folder(Path(sys.argv[1]), without=()) as folder:
    (folder / "new.txt").touch()
"""


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replaced")
    table().to_csv(folder / "t.csv", index=False)
    likely.fit(folder / "t.csv", out=folder / "run", latent=2, width=8, steps=3)
    return folder / "run"


@pytest.fixture
def place(fitted: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fitted, tmp_path / "run"))


def held(place: Path) -> dict[str, object]:
    """What lies in a run's directory; of `run.json` what it says."""
    made = {str(file.relative_to(place)): file.read_bytes() for file in place.rglob("*") if file.is_file()}
    return {name: json.loads(content) if name == "run.json" else content for name, content in made.items()}


def killed(place: Path, at: int) -> None:
    """Renew a run in a process that ends at once at its nth rename."""
    words = [sys.executable, "-c", KILLED, str(place), str(at)]
    path = {**os.environ, "PYTHONPATH": str(Path(likely.__file__).parents[1])}
    assert subprocess.run(words, check=False, env=path).returncode == 9


def test_after_a_kill_between_the_renames_the_next_command_says_how_each_run_comes_back(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    killed(place, 1)
    assert not place.exists()
    assert main(["sample", str(place), "-n", "2"]) == 2
    said = capsys.readouterr().err
    before, after = re.findall(r"mv (\S+) " + re.escape(str(place)), said)
    assert ".run.replaced-" in before
    assert (Path(after) / "new.txt").exists()
    with pytest.warns(UserWarning, match=r"the run that stood at .*run before lies in"):
        likely.fit(table(), out=place, steps=1, width=8, latent=2)
    with pytest.warns(UserWarning, match="else remove it"):
        assert likely.load(place).steps == 1
    shutil.rmtree(place)
    Path(before).rename(place)
    shutil.rmtree(after)
    assert likely.load(place).steps == 3


def test_a_kill_before_the_first_rename_changes_nothing(place: Path) -> None:
    killed(place, 0)
    assert likely.load(place).steps == 3


def test_an_unfinished_fit_names_the_run_that_it_was_to_replace(place: Path) -> None:
    place.rename(place.with_name(".run.replaced-7"))
    place.mkdir()
    with pytest.raises(RunError, match=r"not a run directory.*; the run that stood at .* lies in .*\.run\.replaced-7"):
        likely.load(place)
    assert left_beside(place.with_name("other")) == ""
    assert left_beside(place.with_name(".run.replaced-7")) == ""


def test_a_run_saved_over_itself_keeps_what_was_made_of_it(place: Path) -> None:
    run = likely.load(place)
    for name in ("report.html", "baselines.safetensors"):
        (place / name).write_text("of this model")
    before = held(place)
    with pytest.raises(OutputError, match="exists already"):
        run.save(place)
    run.save(place, overwrite=True)
    assert held(place) == before
    assert not list(place.parent.glob(".*"))
    run.save(place.with_name("copy"))
    assert (place.with_name("copy") / "report.html").read_bytes() == before["report.html"]


def test_what_is_of_another_model_goes_with_it_and_that_is_said(place: Path) -> None:
    run = likely.load(place)
    likely.load(place).continue_training(steps=2, out=place)
    (place / "report.html").write_text("of the lengthened one")
    with pytest.warns(UserWarning, match=r"held another model .*: its checkpoints and report.html went with it"):
        run.save(place, overwrite=True)
    assert not (place / "report.html").exists()
    again = likely.load(place)
    assert again.steps == 3
    np.testing.assert_array_equal(again.score(table(), samples=3), run.score(table(), samples=3))


def test_a_failure_while_a_run_is_saved_over_itself_leaves_it(place: Path) -> None:
    with pytest.raises(KeyboardInterrupt), renewed(place):
        raise KeyboardInterrupt
    assert likely.load(place).steps == 3
    assert not list(place.parent.glob(".*"))
