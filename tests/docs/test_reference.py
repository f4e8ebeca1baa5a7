"""Every command and every public name has a page."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

import command_pages
import likely

DOCS = Path(__file__).parents[2] / "docs"
PYTHON = DOCS / "reference" / "python"
ROOMS = (*likely._ROOMS, "errors")
COMMANDS = command_pages.program().commands


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return command_pages.pages()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_a_page_with_all_it_takes(pages: dict[str, str], name: str) -> None:
    text = pages[name]
    for parameter in COMMANDS[name].params:
        if parameter.param_type_name == "option":
            assert f"{{option}} {', '.join(parameter.opts)}" in text
            assert parameter.help, f"likely {name} {parameter.opts[0]} has no help"
    assert f"\n{name}\n" in pages["index"]
    assert f"likely {name}" in text.splitlines()[0]


def test_a_page_of_a_command_says_what_may_be_left_out(pages: dict[str, str]) -> None:
    assert "likely score RUN DATA [OPTIONS]" in pages["score"]
    assert "likely evaluate RUN [DATA] [OPTIONS]" in pages["evaluate"]
    assert "likely compare RUN RUN... [OPTIONS]" in pages["compare"]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_a_page_with_all_its_names(room: str) -> None:
    text = (PYTHON / f"{room}.md").read_text()
    assert f".. automodule:: likely.{room}\n   :members:\n" in text
    assert ":exclude-members:" not in text
    assert f"\n{room}\n" in (PYTHON / "index.md").read_text()
    module = importlib.import_module(f"likely.{room}")
    for name in module.__all__:
        value = getattr(module, name)
        if not (inspect.isclass(value) or inspect.isfunction(value)):  # what automodule has no docstring of
            assert f".. py:data:: {name}\n   :module: likely.{room}\n" in text
        assert name in dir(module)


def test_names_of_likely_are_on_its_page() -> None:
    text = (PYTHON / "index.md").read_text()
    described = text.partition(":members: ")[2].partition("\n")[0].split(", ")
    for name in set(likely.__all__) - set(likely._ROOMS):
        room = likely._WHERE.get(name, "")
        assert name in described or f"`~{room}.{name}`" in text or f"py:data:: {name}\n" in text
