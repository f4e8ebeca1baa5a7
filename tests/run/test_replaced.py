"""A run that takes the place of another: nothing is lost without a word, and after a kill all can be brought back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import likely
from likely.cli import main
from likely.errors import OutputError, RunError
from likely.files import release_lock, take_lock
from likely.run import continuing
from likely.run.checksums import ChecksummedFiles
from likely.run.directory import run_copy, unfinished_fit
from likely.run.stopping import Stopped
from likely.training import Monitor, Outcome
from small import table
from stopped import Signal

KILLED = """
import os, sys
from pathlib import Path
import likely

real, done = Path.rename, []

def replace(place, what, at):
    def rename(self, other):
        if self.parent == place.parent:
            if len(done) == at:
                os._exit(9)
            done.append(self)
        return real(self, other)

    Path.rename = rename
    if what == "continue":
        likely.load(place).continue_training(steps=2, out=place)
    else:
        likely.fit(place.with_name("t.csv"), out=place, overwrite=True, latent=2, width=8, steps=7)
    os._exit(0)

likely.fit, likely.load  # imported once, before any of the forks
codes = []
for words in sys.argv[1:]:
    place, what, at = words.rsplit(":", 2)
    child = os.fork() or replace(Path(place), what, int(at))
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(codes)
"""


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replaced")
    table().to_csv(folder / "t.csv", index=False)
    likely.fit(folder / "t.csv", out=folder / "run", latent=2, width=8, steps=3)
    return folder / "run"


@pytest.fixture
def place(fitted: Path, tmp_path: Path) -> Path:
    shutil.copy(fitted.with_name("t.csv"), tmp_path)
    return Path(shutil.copytree(fitted, tmp_path / "run"))


def held(place: Path) -> dict[str, object]:
    """What lies in a run's directory; of `run.json` what it says."""
    made = {str(file.relative_to(place)): file.read_bytes() for file in place.rglob("*") if file.is_file()}
    return {name: json.loads(content) if name == "run.json" else content for name, content in made.items()}


@pytest.fixture(scope="module")
def killed(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], Path]:
    """Runs, each of which a process was to replace that ended at once at its nth rename of a folder."""
    made = {}
    for what, at in ((what, at) for what in ("fit", "continue") for at in (0, 1)):
        folder = tmp_path_factory.mktemp("killed")
        shutil.copy(fitted.with_name("t.csv"), folder)
        made[what, at] = Path(shutil.copytree(fitted, folder / "run"))
    words = [sys.executable, "-c", KILLED, *(f"{place}:{what}:{at}" for (what, at), place in made.items())]
    path = {**os.environ, "PYTHONPATH": str(Path(likely.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    found = subprocess.run(words, check=True, env=path, stdout=subprocess.PIPE, text=True)
    assert found.stdout == "[9, 9, 9, 9]\n"
    return made


@pytest.mark.parametrize(("what", "steps"), [("fit", 7), ("continue", 5)])
def test_a_kill_between_the_renames_is_mended_by_the_next_command(
    what: str, steps: int, killed: dict[tuple[str, int], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    place = killed[what, 1]
    assert not place.exists()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main(["sample", str(place), "-n", "2"]) == 0
    assert "a command was killed while it replaced" in capsys.readouterr().err
    with pytest.warns(UserWarning, match=r"\.run\.old holds a run .* a kill kept it from being removed"):
        assert likely.load(place).steps == steps
    shutil.rmtree(place.with_name(".run.old"))
    assert likely.load(place).steps == steps
    assert sorted(entry.name for entry in place.parent.iterdir()) == ["run", "t.csv"]


@pytest.mark.parametrize("what", ["fit", "continue"])
def test_a_kill_before_the_first_rename_leaves_the_run_and_what_was_to_replace_it_is_named(
    what: str, killed: dict[tuple[str, int], Path]
) -> None:
    place = killed[what, 0]
    with pytest.warns(UserWarning, match=r"was killed that was to replace .*; what it wrote lies in .*\.run\.new"):
        assert likely.load(place).steps == 3
    new = place.with_name(".run.new")
    with (
        pytest.warns(UserWarning, match="was killed that was to replace"),
        pytest.raises(OutputError, match=r"lies in .*\.run\.new; likely fit --resume .* finishes it; to give it up"),
    ):
        likely.load(place).continue_training(steps=1, out=place)
    for told in ({"overwrite": True}, {}):
        with pytest.raises(OutputError, match=r"--resume .* finishes it" if told else "exists already"):
            likely.fit(place.with_name("t.csv"), out=place, latent=2, width=8, steps=4, **told)
    shutil.rmtree(new / "checkpoints")
    with pytest.warns(UserWarning, match="it is removed"):
        likely.fit(place.with_name("t.csv"), out=place, overwrite=True, latent=2, width=8, steps=4)
    assert likely.load(place).steps == 4
    assert sorted(entry.name for entry in place.parent.iterdir()) == ["run", "t.csv"]


def test_a_stopped_fit_that_was_to_replace_a_run_that_is_gone_is_not_begun_anew(place: Path) -> None:
    csv, told = place.with_name("t.csv"), {"latent": 2, "width": 8, "steps": 9}
    with pytest.raises(Stopped):
        likely.fit(csv, out=place, overwrite=True, monitors=[Signal(4)], **told)
    shutil.rmtree(place)
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="to give it up, remove"):
            likely.fit(csv, out=place, overwrite=overwrite, **told)
    assert likely.fit(resume=place).steps == 9
    assert likely.load(place).steps == 9


def test_what_is_put_into_a_run_while_it_is_lengthened_stays(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "mine").mkdir()
    (place / "mine/notes.txt").write_text("before")
    save = continuing.save

    def slow(directory: Path, run: likely.Run) -> None:
        save(directory, run)
        (place / "mine/later.txt").write_text("meanwhile")

    monkeypatch.setattr(continuing, "save", slow)
    with pytest.warns(UserWarning, match=r"files that were put into .* meanwhile lie in .*\.run\.old"):
        likely.load(place).continue_training(steps=1, out=place)
    assert [file.name for file in (place / "mine").iterdir()] == ["notes.txt"]
    old = place.with_name(".run.old")
    assert [str(file.relative_to(old)) for file in old.rglob("*") if file.is_file()] == ["mine/later.txt"]
    with pytest.warns(UserWarning, match=r"\.run\.old holds"):
        assert likely.load(place).steps == 4


def test_what_is_not_ours_beside_a_run_is_not_removed(place: Path) -> None:
    aside = place.with_name(".run.new")
    aside.mkdir()
    (aside / "thesis.tex").write_text("mine")
    with pytest.raises(OutputError, match=r"\.run\.new is not a run directory, .*: it holds 'thesis.tex'"):
        likely.fit(table(), out=place, overwrite=True, steps=1)
    assert (aside / "thesis.tex").exists()
    assert len(held(place)) > 5


def test_a_folder_that_is_removed_or_filled_with_other_things_during_a_fit_is_an_error(place: Path) -> None:
    class Meddler(Monitor):
        def on_end(self, _: Outcome) -> None:
            if what == "remove":
                shutil.rmtree(place.with_name("fresh"), ignore_errors=True)
            else:
                (place / "notes.txt").write_text("mine")

    what = "remove"
    with pytest.raises(OutputError, match=r"cannot write .*fresh|was removed or replaced"):
        likely.fit(table(), out=place.with_name("fresh"), steps=2, latent=2, width=8, monitors=[Meddler()])
    assert not place.with_name("fresh").exists()
    what = "meddle"
    with pytest.raises(OutputError, match=r"it holds 'notes.txt'.* the new run is complete and lies in .*\.run\.new"):
        likely.fit(table(), out=place, overwrite=True, steps=2, latent=2, width=8, monitors=[Meddler()])
    assert (place / "notes.txt").read_text() == "mine"
    with pytest.warns(UserWarning, match="what it wrote lies in"):
        assert likely.load(place).steps == 3
    assert likely.load(place.with_name(".run.new")).steps == 2


def test_two_fits_into_one_place_are_not_begun(place: Path) -> None:
    class Second(Monitor):
        def on_end(self, _: Outcome) -> None:
            for out in (place, place.with_name("fresh")):
                with pytest.raises(OutputError, match=r"belongs to process \d+, which still runs"):
                    likely.fit(table(), out=out, overwrite=True, steps=1)

    for out in (place, place.with_name("fresh")):
        monitors = [Second()] if out == place else []
        if monitors:
            place.with_name("fresh").mkdir()
            take_lock(place.with_name("fresh"))
        likely.fit(table(), out=out, overwrite=True, steps=1, latent=2, width=8, monitors=monitors)
        if monitors:
            release_lock(place.with_name("fresh"))
    assert likely.load(place).steps == 1


def test_an_unfinished_fit_is_named_as_such(place: Path) -> None:
    ChecksummedFiles.of(place).write({}, {**ChecksummedFiles.of(place).facts, "finished": False})
    with pytest.raises(RunError, match=r"its fit did not finish; likely fit --resume \S+ finishes it"):
        likely.load(place)
    with pytest.raises(OutputError, match="holds a fit that was not finished"):
        likely.fit(table(), out=place, steps=1)
    likely.fit(table(), out=place, overwrite=True, steps=1, latent=2, width=8)


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
    with pytest.raises(KeyboardInterrupt), run_copy(place):
        raise KeyboardInterrupt
    assert likely.load(place).steps == 3
    assert not list(place.parent.glob(".*"))


def test_a_copy_that_was_cut_short_is_no_run_and_is_not_offered(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = held(place)

    def cut(source: Path, target: Path, **_: object) -> None:
        shutil.copy(source / "config.json", target)
        assert unfinished_fit(place) is None
        raise MemoryError

    monkeypatch.setattr("likely.run.directory.shutil.copytree", cut)
    with pytest.raises(MemoryError), run_copy(place):
        pytest.fail("it was copied")
    assert held(place) == before
    assert not place.with_name(".run.new").exists()


def test_a_run_beside_another_that_is_gone_is_not_overwritten_unasked(place: Path) -> None:
    new, old = place.with_name(".run.new"), place.with_name(".run.old")
    shutil.copytree(place, new)
    place.rename(old)
    with (
        pytest.warns(UserWarning, match="the new run has its place now"),
        pytest.raises(OutputError, match="exists already"),
    ):
        likely.fit(table(), out=place, steps=1)
    assert old.exists()
    assert ChecksummedFiles.of(place).facts["finished"] is True


def test_half_a_run_takes_no_place(place: Path) -> None:
    new, old = place.with_name(".run.new"), place.with_name(".run.old")
    new.mkdir()
    place.rename(old)
    with (
        pytest.warns(UserWarning, match="the earlier run is back"),
        pytest.warns(UserWarning, match="what it wrote lies in"),
    ):
        assert likely.load(place).steps == 3


def test_what_is_foreign_under_the_name_of_the_old_run_is_kept(place: Path) -> None:
    old = place.with_name(".run.old")
    old.mkdir()
    (old / "thesis.txt").write_text("mine")
    run = likely.load(place.rename(place.with_name("moved")))
    run.home.directory.rename(place)
    run.home.directory = place
    with pytest.raises(OutputError, match=r"\.run\.old .*holds 'thesis.txt'"):
        run.save(place, overwrite=True)
    told = {"out": place, "steps": 1, "monitors": [Signal(1)]}  # which would stop what has begun
    with pytest.raises(OutputError, match=r"\.run\.old .*holds 'thesis.txt'"):
        run.continue_training(**told)
    with pytest.raises(OutputError, match=r"\.run\.old .*holds 'thesis.txt'"):
        likely.fit(table(), overwrite=True, **told)
    assert (old / "thesis.txt").exists()
