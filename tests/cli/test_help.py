"""What the program says of itself."""

from __future__ import annotations

import pytest

import likely
from likely.cli import main
from likely.cli.arguments import FORMS
from likely.data.sources.format import Format, Holds
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


READ = {form.name: form for form in FORMATS if form.holds in (Holds.ROWS, Holds.FOLDER)}


@pytest.mark.parametrize("form", READ.values(), ids=READ)
def test_the_help_of_data_names_every_format_that_is_read(form: Format) -> None:
    words = FORMS.lower().replace(",", " ").split()
    assert form.name in words or any(ending[1:] in words for ending in form.endings)
