"""What the program says of itself."""

from __future__ import annotations

import pytest

import likely
from likely.cli import main
from likely.cli.arguments import FORMS
from likely.data.sources.formats import FORMATS


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"likely {likely.__version__}\n"


def test_every_command_is_listed_with_a_whole_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    listed = " ".join(out.partition("Commands:")[2].split())
    for sentence in ("Learn P(X) from DATA and store the run.", "its Monte Carlo error and the ELBO, in nats."):
        assert sentence in listed
    assert "..." not in listed
    assert "`tail`" not in listed


def test_anomalies_explains_its_tail(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["anomalies", "--help"]) == 0
    assert "`tail`" in capsys.readouterr().out


@pytest.mark.parametrize("word", ["csv", "parquet", "npy", "npz", "zip", "tar", "idx"])
def test_what_the_help_of_data_gives_as_examples_is_read(word: str) -> None:
    assert word in FORMS.lower().replace(",", " ").replace("(", " ").split()
    assert any(word == form.name.lower() or f".{word}" in form.endings for form in FORMATS)
