from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import likely
from likely.cli import main, show
from likely.files import LOCK
from likely.run.directory import CHECKPOINTS, RIVALS, RUN_FILES, START
from quick import quick_reports
from refusals import STEPS, Capture, refused, snapshot, table


def kept(capsys: Capture, folder: Path, data: Path, out: Path | str) -> str:
    """What `fit --overwrite` says when it must not replace anything; nothing was touched."""
    before = snapshot(folder)
    message = refused(capsys, "fit", data, "-o", out, "--overwrite", *STEPS)
    assert snapshot(folder) == before
    return message


def test_a_run_is_replaced(stored: Path, run: Path) -> None:
    (run / "report.html").write_text("old")
    assert main(["fit", str(stored / "t.csv"), "-o", str(run), "--overwrite", *STEPS]) == 0
    assert not (run / "report.html").exists()
    assert not list(run.parent.glob(".*"))


def test_all_that_likely_writes_into_a_run_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = table().assign(group=np.arange(len(table())) % 2)
    frame.loc[::7, "a"] = np.nan
    run = likely.fit(frame, condition="group", out=tmp_path / "run", steps=3)
    quick_reports(monkeypatch)
    run.report()
    assert {file.name for file in (tmp_path / "run").iterdir()} == {*RUN_FILES, CHECKPOINTS} - {LOCK, START, RIVALS}
    likely.fit(frame, out=tmp_path / "run", steps=3, overwrite=True)


def test_a_run_of_the_version_before_is_replaced(stored: Path, run: Path) -> None:
    facts = json.loads((run / "run.json").read_text())
    told = {name: facts[name] for name in ("digest", "origin", "notices", "versions")}
    (run / "run.json").write_text(json.dumps(told))
    with pytest.raises(likely.errors.RunError, match=r"written by likely 0.*, whose runs this version does not read"):
        likely.load(run)
    (run / "holes.safetensors").write_bytes(b"")
    assert main(["fit", str(stored / "t.csv"), "-o", str(run), "--overwrite", *STEPS]) == 0


def test_an_unfinished_run_is_replaced(stored: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from likely.run import settling

    stopped: dict[str, bytes] = {}

    def stop(*_: object) -> None:
        stopped.update(snapshot(run.parent / "other"))
        stopped.pop(LOCK)
        raise RuntimeError

    monkeypatch.setattr(settling, "learn", stop)
    with pytest.raises(RuntimeError):
        likely.fit(table(), out=run.parent / "other")
    monkeypatch.undo()
    shutil.rmtree(run)
    run.mkdir()
    for name, content in {**stopped, ".likely-0123abcd": b"half"}.items():
        (run / name).write_bytes(content)
    with pytest.raises(likely.errors.RunError, match="did not finish"):
        likely.load(run)
    assert main(["fit", str(stored / "t.csv"), "-o", str(run), "--overwrite", *STEPS]) == 0
    assert len(likely.load(run).sample(2)) == 2


def test_an_empty_folder_is_taken(stored: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    assert main(["fit", str(stored / "t.csv"), "-o", str(tmp_path / "new"), "--overwrite", *STEPS]) == 0


@pytest.mark.parametrize("name", ["notes.txt", ".git", "checkpoints.old", "Config.json", ".config.json.swp"])
def test_a_run_that_holds_anything_else_is_kept(
    name: str, stored: Path, run: Path, tmp_path: Path, capsys: Capture
) -> None:
    if name in (".git", "checkpoints.old"):
        (run / name).mkdir()
    else:
        (run / name).write_text("mine")
    assert repr(name) in kept(capsys, tmp_path, stored / "t.csv", run)


def test_our_names_for_other_things_are_kept(stored: Path, run: Path, tmp_path: Path, capsys: Capture) -> None:
    (run / "report.html").mkdir()
    (run / "report.html" / "thesis.tex").write_text("mine")
    (run / "baselines.safetensors").symlink_to(stored / "t.csv")
    message = kept(capsys, tmp_path, stored / "t.csv", run)
    assert "'baselines.safetensors', 'report.html'" in message


@pytest.mark.parametrize("facts", [None, "", "[]", "{}", '{"versions": {"torch": "2"}}', '{"versions": 3}'])
def test_another_programs_configuration_and_schema_are_kept(
    facts: str | None, stored: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = tmp_path / "bert"
    folder.mkdir()
    for name in ("config.json", "schema.json"):
        (folder / name).write_text("{}")
    if facts is not None:
        (folder / "run.json").write_text(facts)
    assert "run.json" in kept(capsys, tmp_path, stored / "t.csv", folder)


def test_the_data_of_the_fit_are_kept(run: Path, tmp_path: Path, capsys: Capture) -> None:
    table().to_csv(run / "data.csv", index=False)
    np.savez(run / "data.npz", a=np.zeros((20, 2)))
    for data in ("data.csv", "data.npz:a"):
        assert "'data.csv', 'data.npz'" in kept(capsys, tmp_path, run / data, run)
    (run / "data.csv").unlink()
    (run / "data.npz").unlink()
    table().to_csv(run / "history.csv", index=False)
    (tmp_path / "link.csv").symlink_to(run / "history.csv")
    (tmp_path / "alias").symlink_to(run)
    around = f"{run}/../run/history.csv"
    for data in (run / "history.csv", Path(around), tmp_path / "link.csv", tmp_path / "alias" / "history.csv"):
        for out in (run, tmp_path / "alias", f"{tmp_path}/alias/../run"):
            assert "holds the data" in kept(capsys, tmp_path, data, out)


@pytest.mark.parametrize("out", [".", "../run", "run"])
def test_the_current_folder_is_kept(
    out: str, stored: Path, run: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path if out == "run" else run)
    if out == "run":
        assert main(["fit", str(stored / "t.csv"), "-o", out, "--overwrite", *STEPS]) == 0
    else:
        assert "current folder" in kept(capsys, tmp_path, stored / "t.csv", out)


def test_a_link_to_a_run_stays_a_link(stored: Path, run: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(run)
    assert main(["fit", str(stored / "t.csv"), "-o", str(tmp_path / "alias"), "--overwrite", *STEPS]) == 0
    assert (tmp_path / "alias").is_symlink()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["alias", "run"]
    assert len(likely.load(run).sample(2)) == 2


def test_the_demonstration_can_be_given_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = likely.fit
    monkeypatch.setattr(likely, "fit", lambda data, **options: fit(data, **{**options, "steps": 2, "width": 8}))
    monkeypatch.setattr(likely.Run, "evaluate", lambda _: None)
    monkeypatch.setattr(show, "ledger", lambda *_, **__: None)
    monkeypatch.setattr(likely.Run, "report", lambda run, **_: (run.directory / "report.html").write_text("page"))
    for _ in range(2):
        assert main(["demo", "-o", str(tmp_path / "demo"), "--overwrite"]) == 0
    assert (tmp_path / "demo" / "report.html").exists()
