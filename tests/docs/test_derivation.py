"""The two derivations say the same, their numbers are those that were computed, and the pages are made of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jupytext
import pytest
import torch

import computed
import drawn
import make_pages

LEARN = Path(__file__).parents[2] / "docs" / "learn"
TERMS = (
    *("证据下界", "先验", "后验", "似然", "重参数化", "变分自编码器", "隐变量", "重要性采样", "蒙特卡罗", "KL 散度"),
    *("边缘似然", "近似后验", "摊销", "编码器", "解码器"),
)
LANGUAGES = ("en", "zh")
TEXTS = {language: (LEARN / f"derivation.{language}.md").read_text(encoding="utf-8") for language in LANGUAGES}
NUMBERS = json.loads((LEARN / "numbers.json").read_text())
NAMED = re.compile(r"(−?[\d.,]+%?)<!-- (.+?) -->")


def sections(language: str) -> list[str]:
    return re.split(r"^## ", TEXTS[language], flags=re.MULTILINE)


def prose(section: str) -> str:
    """Without code and what stands between dollars."""
    return re.sub(r"```.*?```|\$\$.*?\$\$|\$.*?\$", "", section, flags=re.DOTALL)


def formulas(section: str) -> tuple[list[str], set[str]]:
    words = re.sub(r"```.*?```", "", section, flags=re.DOTALL)
    apart = re.findall(r"\$\$(.*?)\$\$", words, flags=re.DOTALL)
    return apart, set(re.findall(r"\$([^$\n]+)\$", re.sub(r"\$\$.*?\$\$", "", words, flags=re.DOTALL)))


def words(page: str) -> str:
    """What a page says, with its formulas as TeX: the tags around it differ between versions of libraries."""
    written = re.sub(r'<math [^>]*alttext="([^"]*)".*?</math>', r"\1", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", written, flags=re.DOTALL).split())


def test_both_have_the_same_sections_in_the_same_order() -> None:
    numbers = [[one.partition(".")[0] for one in sections(language)[1:]] for language in LANGUAGES]
    assert numbers[0] == numbers[1] == [str(number) for number in range(1, len(numbers[0]) + 1)]
    assert len(numbers[0]) >= 15


def test_both_have_the_same_cells() -> None:
    cells = [
        [(cell.source, cell.metadata) for cell in jupytext.reads(text, fmt="md:myst").cells if cell.cell_type == "code"]
        for text in TEXTS.values()
    ]
    assert cells[0] == cells[1]


@pytest.mark.parametrize("place", range(17))
def test_each_section_has_the_same_formulas_and_numbers(place: int) -> None:
    en, zh = (sections(language)[place] for language in LANGUAGES)
    assert formulas(en) == formulas(zh)
    assert sorted(NAMED.findall(en)) == sorted(NAMED.findall(zh))
    assert sorted(re.findall(r"\]\((.+?)\)", en)) == sorted(re.findall(r"\]\((.+?)\)", zh))


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_number_in_the_text_is_the_one_that_was_computed(language: str) -> None:
    assert make_pages.renewed(TEXTS[language], NUMBERS) == TEXTS[language]
    unnamed = NAMED.sub("", "".join(map(prose, sections(language)[1:])))
    assert not re.findall(r"\d\.\d", re.sub(r"\(http.*?\)", "", unnamed))


def test_the_chinese_text_has_the_terms_of_the_field() -> None:
    assert [term for term in TERMS if term not in TEXTS["zh"]] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_made_of_the_text(language: str) -> None:
    page = make_pages.page_of(language).read_text(encoding="utf-8")
    made = make_pages.rendered(language, make_pages.kept("en"))
    assert words(page) == words(made), "run python docs/learn/make_pages.py --words"
    assert make_pages.OUTPUT.findall(page) == make_pages.OUTPUT.findall(made)
    assert len(page) < 1e6
    assert not re.search(r'<script|<link|src="(?!data:)|url\((?!#)|@import', page)
    assert page.count("<h2") == len(sections(language)) - 1
    assert "$$" not in re.sub(r"<pre.*?</pre>", "", page, flags=re.DOTALL)


def test_links_within_the_docs_lead_to_files() -> None:
    for target in re.findall(r"\]\(((?!http).+?)\)", TEXTS["en"]):
        assert (LEARN / target).is_file(), target


def test_the_identity_holds_row_by_row_for_a_short_fit_and_in_the_numbers_of_the_text() -> None:
    found = computed.identity(computed.digits_run(steps=100), most=20)
    assert float((found.log_px - found.gap - (found.reconstruction - found.kl)).abs().max()) < 1e-3
    assert float((found.kl - found.kl_closed).abs().max()) < 1e-3
    assert bool((found.gap > 0).all())
    for row in ("typical", "bad"):
        log_px, gap, elbo, part, kl = (
            NUMBERS[f"{row} {term}"] for term in ("log_px", "gap", "elbo", "reconstruction", "kl")
        )
        assert log_px - gap == pytest.approx(elbo, abs=1e-4)
        assert part - kl == pytest.approx(elbo, abs=1e-4)


def test_sums_over_points_and_the_misprint_are_as_told() -> None:
    errors = computed.shortfall(2, 16384)
    for kind in computed.KINDS:
        assert errors[kind] == pytest.approx(NUMBERS[f"{kind} 2 16384"], rel=0.3)
    assert errors["quasi"] < errors["prior"] / 5
    assert computed.shortfall(10, 256)["prior"] > 20 * computed.shortfall(10, 256)["posterior"]
    assert computed.total_mass(0.1, misprint=False) == pytest.approx(1, abs=1e-6)
    assert computed.total_mass(0.1, misprint=True) == pytest.approx(0.1**-0.5, abs=1e-6)


def test_figures_are_drawn_without_words(monkeypatch: pytest.MonkeyPatch) -> None:
    run = computed.digits_run(steps=100)
    found = computed.identity(run, most=20)
    monkeypatch.setattr(computed, "digits_run", lambda: run)
    monkeypatch.setattr(computed, "digits_identity", lambda: found)
    monkeypatch.setattr(computed, "monte_carlo", lambda: {64: {d: computed.shortfall(d, 64) for d in (1, 3)}})
    for draw, panels in ((drawn.pixels, 3), (drawn.bells, 2), (drawn.posteriors, 4), (drawn.monte_carlo, 1)):
        made = draw()._repr_html_()
        assert made.count("<svg") == panels
        said = " ".join(re.findall(r"<text [^>]*>([^<]*)</text>", made))
        assert said
        assert set(re.findall(r"[^\W\d_]{3,}", said)) <= {"log", "dim", "Sobol"}


def test_the_loss_by_hand_is_that_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    run = computed.digits_run(steps=100)
    monkeypatch.setattr(computed, "digits_run", lambda: run)
    values = computed.unseen_rows(run, 20).values
    noise = torch.randn(1, 20, 2, generator=torch.Generator().manual_seed(0))[0]
    by_hand, of_package = computed.loss_by_hand(values, noise), computed.loss_of_package(values)
    assert by_hand.item() == pytest.approx(of_package.item(), abs=1e-4)
