"""What a run and an inspection look like in a prompt and in a notebook, and bars of progress."""

from __future__ import annotations

import sys
import types
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import likely
from likely.data.summary import percent
from likely.errors import DataError
from likely.run import progress


def wide() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    numbers = {f"c{i}": rng.normal(size=60) for i in range(40)}
    return pd.DataFrame({"<b>": rng.choice(["x", "y"], 60), "note": [f"{'w' * 5000} {i}" for i in range(60)]} | numbers)


def test_a_run_and_an_inspection_take_at_most_25_lines() -> None:
    frame = wide()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run, found = likely.fit(frame, steps=3, latent=2), likely.inspect(frame)
    for made in (run, found):
        assert len(repr(made).splitlines()) <= 25
        assert max(map(len, repr(made).splitlines())) <= 250
        assert made._repr_html_().count("<tr>") <= 25
    assert "3 steps" in repr(run)
    assert "train 48, validation 6, test 6" in repr(run)
    assert "24 more columns" in repr(found)
    assert "&lt;b&gt;" in found._repr_html_()
    assert '<td style="text-align:left"><b>' not in found._repr_html_()


def test_an_error_of_one_cell_does_not_quote_all_of_it() -> None:
    frame = pd.DataFrame({"a": np.arange(50.0) ** 1.5, "b": np.arange(50) % 7}).astype({"a": object})
    frame.loc[3, "a"] = "q" * 5000
    with pytest.raises(DataError, match=r"5,000 characters") as caught:
        likely.fit(frame, steps=3, column={"a": "real"})
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.00023, "0.023%"), (0.045, "4.5%"), (0.37, "37%"), (0.999, ">99%"), (1.0, "100%"), (0.0999, "10%")],
)
def test_shares_are_written_as_people_write_them(share: float, text: str) -> None:
    assert percent(share) == text


class Handle:
    def __init__(self, texts: list[str]) -> None:
        self.texts = texts

    def update(self, text: str) -> None:
        self.texts.append(text)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    texts: list[str] = []

    def display(text: str, *, display_id: bool) -> Handle:
        assert display_id
        texts.append(text)
        return Handle(texts)

    shell = types.SimpleNamespace(kernel=object())
    ipython, shown = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    ipython.get_ipython = lambda: shell
    shown.HTML, shown.display = str, display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    monkeypatch.setattr(progress, "PATIENCE", -1.0)
    return texts


def test_a_notebook_has_a_bar_that_goes_away(notebook: list[str]) -> None:
    with progress.bar("fitting") as tick:
        tick(3, 10, -1.5)
    assert "fitting 3/10" in notebook[0]
    assert "validation ELBO -1.50" in notebook[0]
    assert notebook[-1] == ""


def test_bars_can_be_switched_off(notebook: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).normal(size=(60, 2))
    run = likely.fit(x, steps=3, latent=2, progress=False)
    run.score(x)
    assert notebook == []
    replace(run, progress=True).score(x)
    assert notebook
    assert capsys.readouterr().err == ""


def test_no_terminal_has_no_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "PATIENCE", -1.0)
    with progress.bar("fitting") as tick:
        tick(3, 10)
    assert capsys.readouterr() == ("", "")
