"""Pages as a browser draws them: nothing is wider than a telephone, and words stand out from what is behind them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

import fakes_for_report as fakes
from browser import PROGRAM, Browser
from likely.report import render

TELEPHONE = 390
FOUND = (
    '<meta name="viewport" content="width=device-width"><body><div style="width: 500px; color: #999">wide</div>'
    '<svg><text y="9" fill="#aaa">faint</text></svg>'
)
WIDER = """[...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll") && !e.closest("svg *"))
  .filter(e => e.getClientRects().length && e.getBoundingClientRect().right > 391)
  .map(e => e.tagName + "." + e.className + ": " + e.textContent.slice(0, 60))"""
FAINT = """(() => {
  const numbers = colour => (colour.match(/[\\d.]+(?:e-?\\d+)?/g) || []).map(Number);
  const rgba = colour => { const c = numbers(colour), unit = colour.startsWith("color(") ? 255 : 1;
    return [c[0] * unit, c[1] * unit, c[2] * unit, c.length > 3 ? c[3] : 1]; };
  const over = (top, below) => [0, 1, 2].map(i => top[3] * top[i] + (1 - top[3]) * below[i]).concat(1);
  const behind = e => { const layers = [];
    for (; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]); };
  const light = c => { const v = c.slice(0, 3).map(x => x / 255)
      .map(x => x <= .04045 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4);
    return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
  const found = new Set();
  for (const e of document.querySelectorAll("body *")) {
    if (!e.getClientRects().length) continue;
    if (![...e.childNodes].some(n => n.nodeType == 3 && n.textContent.trim())) continue;
    const style = getComputedStyle(e), below = behind(e.closest("svg") ? e.closest("svg").parentElement : e);
    const colour = over(rgba(e.closest("svg") ? style.fill : style.color), below);
    const [a, b] = [light(colour), light(below)].sort((x, y) => y - x), ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) found.add(`${ratio.toFixed(2)} ${e.tagName}.${e.className}: ${e.textContent.slice(0, 40)}`);
  }
  return [...found];
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if PROGRAM is None:
        pytest.skip("no Chromium is installed")
    with Browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, written = tmp_path_factory.mktemp("pages"), []
    for name, findings in (
        ("pictures", fakes.make_picture_findings()),
        ("table", fakes.make_table_findings()),
        ("trusted", fakes.trusted()),
    ):
        written.append(folder / f"{name}.html")
        written[-1].write_text(render(findings), encoding="utf-8")
    return written


@pytest.mark.parametrize("number", [0, 1, 2])
def test_nothing_is_wider_than_a_telephone(browser: Browser, pages: list[Path], number: int) -> None:
    browser.open(pages[number], TELEPHONE)
    assert browser.run("document.documentElement.scrollWidth") <= TELEPHONE
    assert browser.run(WIDER) == []


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_words_stand_out(browser: Browser, pages: list[Path], number: int, dark: bool) -> None:
    for width in (TELEPHONE, 1400):
        browser.open(pages[number], width, dark=dark)
        assert browser.run(FAINT) == []


def test_what_is_wide_or_faint_is_found(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(FOUND, encoding="utf-8")
    browser.open(page, TELEPHONE)
    assert browser.run(WIDER)
    assert [words.rpartition(": ")[2] for words in browser.run(FAINT)] == ["wide", "faint"]


def _contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_colours_of_words_stand_out_without_a_browser() -> None:
    style = resources.files("likely.report").joinpath("style.css").read_text(encoding="utf-8")
    blocks = [dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block)) for block in style.split("prefers-color-scheme")[:2]]
    assert len(blocks) == 2
    for colours in blocks:
        for word in ("ink", "muted", "spoken"):
            for paper in ("paper", "panel"):
                assert _contrast(colours[word], colours[paper]) >= 4.5, (word, paper)
        assert _contrast(colours["ink"], colours["notice"]) >= 4.5
