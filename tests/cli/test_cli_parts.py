from __future__ import annotations

import json
from pathlib import Path

import pytest

from likely.assembly import PARTS
from likely.cli import main
from quick import quick_reports
from refusals import Capture, refused

PAGE = Path(__file__).parents[2] / "docs" / "parts.md"
SHORT = ["--set", "steps=3", "--latent", "2"]


def test_every_part_is_listed_with_one_line_and_its_source(capsys: Capture) -> None:
    assert main(["parts"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines if not line.startswith(" ")] == list(PARTS)
    for room, entries in PARTS.items():
        parts = {name: part for name, part in entries.items() if not part.alias}
        start = next(i for i, line in enumerate(lines) if line.startswith(f"{room}:"))
        listed = lines[start + 1 : start + 1 + len(parts)]
        for line, (name, part) in zip(listed, parts.items(), strict=True):
            assert line.startswith(f"  {part.written(name)} ")
            assert line.endswith(f"  {part.source}")
            assert part.what in line
            assert part.source.rpartition(" ")[2].isdigit()
            assert line.isascii()
        assert len({line.rindex(part.source) for line, part in zip(listed, parts.values(), strict=True)}) == 1


def test_one_room_alone(capsys: Capture) -> None:
    assert main(["parts", "prior"]) == 0
    out = capsys.readouterr().out
    assert "  vamp[:K]  " in out
    assert "(K 500)" in out
    assert "iwae" not in out
    assert main(["parts", "objective", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (iwae,) = (part for part in document["objective"] if part["name"] == "iwae")
    assert iwae["written"] == "iwae:K[:plain|stl|dreg]"
    assert [argument["required"] for argument in iwae["arguments"]] == [True, False]
    assert "did you mean 'prior'?" in refused(capsys, "parts", "priors")


def test_the_page_of_parts_shows_what_is_listed(capsys: Capture) -> None:
    assert main(["parts", "prior"]) == 0
    assert f"$ likely parts prior\n{capsys.readouterr().out}$ " in PAGE.read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--prior", "vmap:50"], "did you mean 'vamp'?"),
        (["--posterior", "flow:2:maf"], "iaf or coupling, got 'maf'"),
        (["--objective", "iwae:50:drag"], "did you mean 'dreg'?"),
        (["--network", "mpl"], "did you mean 'mlp'?"),
        (["--model", "hierarchi:mlp:3"], "did you mean 'hierarchy'?"),
        (["--model", "hierarchy:mlp:3", "--prior", "vamp"], "tell one of them alone"),
        (["--set", "prior=vmap"], "did you mean 'vamp'?"),
        (["--set", "objective=beta"], "write beta:B"),
        (["--set", "prior=3"], "prior must be str"),
        (["--likelihood", "gamma"], "needs values above 0"),
    ],
)
def test_parts_that_cannot_be_used(
    words: list[str], message: str, stored: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert message in refused(capsys, "fit", stored / "t.csv", "-o", tmp_path / "run", *words)
    assert not list(tmp_path.iterdir())


def test_a_fit_says_its_parts_and_its_objective(
    stored: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_reports(monkeypatch)
    words = ["--prior", "vamp:5", "--objective", "iwae:3:dreg", "--set", "posterior=flow:1:coupling"]
    assert main(["fit", str(stored / "t.csv"), "-o", str(tmp_path / "run"), *SHORT, *words]) == 0
    out = capsys.readouterr().out
    parts = "prior vamp:5, posterior flow:1:coupling, likelihood by the form of x, objective iwae:3:dreg, network mlp"
    assert parts in out
    assert "training maximised iwae:3:dreg, a lower bound on log P(x); what is called ELBO here is always" in out
    assert main(["report", str(tmp_path / "run")]) == 0
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Training maximised iwae:3:dreg, a lower bound on log P(x). What is drawn is the ELBO all the same" in page
    assert "training maximises: ELBO" not in page
    assert "latent dimensions are active" not in page  # that KL is no sum over dimensions


def test_a_plain_fit_says_nothing_of_another_objective(
    stored: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_reports(monkeypatch)
    assert main(["fit", str(stored / "t.csv"), "-o", str(tmp_path / "run"), *SHORT, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["objective"] == "the ELBO"
    assert main(["fit", str(stored / "t.csv"), "-o", str(tmp_path / "again"), *SHORT, "--objective", "beta-tc:2"]) == 0
    out = capsys.readouterr().out
    assert "beta-tc:2, no bound on log P(x), which couples the rows of a batch" in out
    assert main(["report", str(tmp_path / "run")]) == 0
    assert "training maximises: ELBO" in (tmp_path / "run" / "report.html").read_text()
