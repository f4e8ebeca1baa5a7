"""What docs/recipes.md says of options is what the program takes, and what it shows is executed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_digits
from typer.main import get_command

import likely
from likely.assembly import resolve
from likely.cli.app import application
from likely.config import Config

TEXT = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
OPTIONS = sorted({found for found in re.findall(r"`(--[^`]+)`", TEXT) if "COLUMN" not in found})
ROWS = [line.strip("| ").split(" | ") for line in TEXT.splitlines() if line.endswith((" yes |", " no |"))]


def told(words: str) -> dict[str, Any]:
    """The options as the command line reads them."""
    fit = get_command(application()).commands["fit"]  # type: ignore[attr-defined]
    made = fit.make_context("fit", ["digits.npz", "-o", "run", *shlex.split(words)])
    asked = {name for name in made.params if made.get_parameter_source(name).name == "COMMANDLINE"}
    return {name: made.params[name] for name in asked - {"data", "output"}}


@pytest.fixture(scope="module")
def schema() -> likely.Schema:
    return likely.inspect(load_digits().images[:100]).schema


def parts(words: str) -> dict[str, Any]:
    """Those that choose parts."""
    return {name: value for name, value in told(words).items() if name != "condition"}


def configured(words: str) -> Config:
    """What these options make of the defaults."""
    return Config().replace({"kind" if name == "model" else name: value for name, value in parts(words).items()})


@pytest.mark.parametrize("words", OPTIONS)
def test_every_option_in_the_text_is_one(words: str, schema: likely.Schema) -> None:
    resolved = resolve(configured(words), schema)
    for room, value in parts(words).items():
        assert str(resolved.parts[room]).startswith(value)
    assert resolved.build().latent >= 2


def test_the_table_says_what_is_a_bound_and_every_row_is_executed(schema: likely.Schema) -> None:
    assert len(ROWS) == 16
    for model, _, options, bound in ROWS:
        words = options.partition("`")[2].partition("`")[0]
        resolved = resolve(configured(words), schema)
        assert bound == ("no" if "no bound" in resolved.objective_text else "yes"), model
        for name, value in told(words).items():
            shown = f'condition={{"{value[0]}"' if name == "condition" else f'"{value}"'
            assert re.search(rf"^(>>>|\.\.\.) .*{re.escape(shown)}", TEXT, re.MULTILINE), model
