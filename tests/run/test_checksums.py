"""Run directories, format 2: what is read is what was written, or one line says what is damaged."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

import likely
from likely.errors import RunError
from likely.run.checksums import FORMAT, ChecksummedFiles, read_with_checksum
from small import table

SEALED = sha256(b'{"files":{"config.json":3},"format":2}').hexdigest()
WRITTEN = (
    "config.json",
    "history.csv",
    "rows.safetensors",
    "run.json",
    "schema.json",
    "seen.safetensors",
    "weights.safetensors",
)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checksummed") / "run"
    run = likely.fit(table(), out=folder, latent=2, width=8, steps=3)
    run.evaluate(samples=2, anneal=0)
    return folder


@pytest.fixture
def place(fitted: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fitted, tmp_path / "run"))


def test_run_json_says_what_it_is(place: Path) -> None:
    facts = json.loads((place / "run.json").read_text())
    assert facts["format"] == FORMAT == 2
    assert facts["id"] == likely.load(place).record.id
    assert len(bytes.fromhex(facts["id"])) == 16
    assert sorted([*facts["files"], "run.json"]) == sorted(WRITTEN)
    for name, known in facts["files"].items():
        content = (place / name).read_bytes()
        assert known == {"bytes": len(content), "sha256": sha256(content).hexdigest()}


def test_two_fits_of_one_seed_are_two_runs(place: Path) -> None:
    again = likely.fit(table(), out=place.with_name("again"), latent=2, width=8, steps=3)
    assert again.record.id != likely.load(place).record.id
    copy = again.save(place.with_name("copy"))
    assert likely.load(copy).record.id == again.record.id
    longer = again.continue_training(steps=1)
    assert longer.record.id != again.record.id


def loaded(place: Path) -> object:
    """The record of a run, or the line that says why there is none."""
    try:
        return likely.load(place).record
    except RunError as error:
        return str(error)


@pytest.mark.parametrize("name", [name for name in WRITTEN if name != "run.json"])
def test_a_flipped_bit_anywhere_is_told(name: str, place: Path) -> None:
    content = bytearray((place / name).read_bytes())
    for at in range(5, len(content), max(1, len(content) // 25)):
        content[at] ^= 1
        (place / name).write_bytes(content)
        with pytest.raises(RunError, match=name) as raised:
            likely.load(place)
        assert len(str(raised.value)) <= 300
        content[at] ^= 1
    (place / name).write_bytes(content)
    assert likely.load(place).steps == 3


def test_a_flipped_bit_of_run_json_is_told_or_changes_nothing(place: Path) -> None:
    content, record = bytearray((place / "run.json").read_bytes()), likely.load(place).record
    for at in range(0, len(content), 11):
        content[at] ^= 1
        (place / "run.json").write_bytes(content)
        outcome = loaded(place)
        assert outcome == record or len(str(outcome)) <= 300
        content[at] ^= 1


@pytest.mark.parametrize("name", WRITTEN)
def test_a_file_of_another_run_is_told(name: str, place: Path) -> None:
    other = likely.fit(table()[::-1], latent=3, width=8, steps=2, seed=1, out=place.with_name("other"))
    shutil.copy(place.with_name("other") / name, place / name)
    with pytest.raises(RunError, match="damaged"):
        likely.load(place)
    assert other.steps == 2


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"format": 3}, "was written by a later version of likely .format 3; this one reads 2.; update likely"),
        ({"versions": {"likely": "0.1.0"}}, "was written by likely 0.1.0, whose runs this version does not read"),
        ({"format": 2}, "run.json is damaged"),
        ({"model": "bert"}, "is not a run directory"),
        ([], "run.json is damaged"),
        ({"format": 2, "files": {"config.json": 3}, "sha256": SEALED}, "run.json is damaged"),
    ],
)
def test_runs_of_other_versions_and_programs_are_told_so(facts: object, message: str, place: Path) -> None:
    (place / "run.json").write_text(json.dumps(facts))
    with pytest.raises(RunError, match=message):
        likely.load(place)


def test_weights_that_are_no_numbers_are_told_even_where_their_checksum_fits(place: Path) -> None:
    weights, checksummed = load_tensors((place / "weights.safetensors").read_bytes()), ChecksummedFiles.of(place)
    name = next(name for name, _ in likely.load(place).model.named_parameters())
    weights[name].flatten()[0] = torch.nan
    checksummed.write({"weights.safetensors": save_tensors(weights)}, checksummed.facts)
    with pytest.raises(RunError, match="some weights are not finite"):
        likely.load(place)


def test_what_is_added_carries_its_own_checksum(place: Path) -> None:
    path = place / "baselines.safetensors"
    likely.load(place).evaluate(table(), samples=2, anneal=0)
    content = bytearray(path.read_bytes())
    content[-3] ^= 16
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"baselines.safetensors is damaged or of another run; remove it"):
        likely.load(place).evaluate(table(), samples=2, anneal=0)
    with pytest.raises(RunError, match="damaged or of another run"):
        read_with_checksum(path, "other")


def test_a_report_ends_in_its_own_checksum(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("likely.report.collect.collect", lambda _: None)
    monkeypatch.setattr("likely.report.render", lambda _: "<html>μ</html>\n")
    run = likely.load(place)
    said = run.report().read_text()
    digest = sha256("<html>μ</html>\n".encode()).hexdigest()
    assert said == f"<html>μ</html>\n<!-- of run {run.record.id}; SHA-256 of all before this line: {digest} -->\n"


def test_a_kill_among_the_writes_leaves_no_file_that_contradicts_run_json(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from likely.run import checksums

    real, left = checksums.write, [2]

    def killed(path: Path, content: bytes | str, *, last: bool = True) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        real(path, content, last=last)

    monkeypatch.setattr(checksums, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        ChecksummedFiles.of(place).write({"config.json": "{}", "history.csv": ""}, {"finished": True})
    found = ChecksummedFiles.of(place)
    assert "config.json" not in found
    assert found.read("schema.json") == (place / "schema.json").read_bytes()
