"""What tells how far to trust a fit is shown when it is given, as it is given, and is absent when it is not."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pytest

import fakes_for_report as fakes
from likely.report import Findings, render
from likely.report.figures_trust import MAX_PANELS, beside, gap_split, merged, pit
from likely.report.sections import SECTIONS
from likely.report.theme import svg

TRUST = ("known", "evidence", "baselines", "calibration")


def _text(html: str) -> str:
    return re.sub(r"<[^>]+>", "", re.sub(r"<(style|svg).*?</\1>", "", html, flags=re.DOTALL))


def _section(html: str, anchor: str) -> str:
    found = re.search(rf'<section id="{anchor}">.*?</section>', html, flags=re.DOTALL)
    assert found, f"no section {anchor}"
    return found[0]


def _written(html: str, value: float) -> bool:
    return f'value="{value!r}"' in html


def _alone(findings: Findings, *anchors: str) -> str:
    """The page, with these of its sections."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("likely.report.page.SECTIONS", [one for one in SECTIONS if one.anchor in anchors])
        return render(findings)


@pytest.fixture(scope="module")
def page() -> str:
    return render(fakes.trusted())


@pytest.mark.parametrize(
    ("mark", "absent"),
    [
        ('class="headline"', {"headline": ""}),
        ('id="known"', {"sentences": (), "problems": 0}),
        ('id="baselines"', {"baselines": ()}),
        ('id="calibration"', {"pit": (), "pit_counts": ()}),
        ("Where the gap comes from", {"ledger": fakes.ledger()}),
        ("How was annealed", {"annealing": ""}),
        ("Can these numbers be relied on?", {"verdicts": {}}),
    ],
)
def test_each_part_is_there_when_given_and_absent_when_not(page: str, mark: str, absent: dict[str, object]) -> None:
    assert mark in page
    assert mark not in _alone(fakes.trusted(**absent), *TRUST)


def test_the_headline_stands_under_the_title_and_may_warn(page: str) -> None:
    after = _text(page[page.index("</h1>") :])
    assert after.startswith("beats the best baseline")
    assert 'class="headline bad"' not in page
    assert 'class="headline bad"' in _alone(fakes.trusted(headline_bad=True))


def test_problems_come_first_and_are_called_so(page: str) -> None:
    items = re.findall(r"<li.*?</li>", _section(page, "known"), flags=re.DOTALL)
    assert ["Problem:" in item for item in items] == [True, True, False, False]
    assert ['class="problem"' in item for item in items] == [True, True, False, False]
    assert "<code>--objective free-bits:0.1</code>" in items[0]
    assert page.index('id="known"') < page.index('id="evidence"')


def test_baselines_are_sorted_and_shown_with_their_numbers(page: str) -> None:
    section = _section(page, "baselines")
    for entry in fakes.baselines():
        for name in ("nats", "bits_per_dim", "difference"):
            assert entry[name] is None or _written(section, float(entry[name])), entry
    names = re.findall(r"<td><b>(.*?)</b>", section)
    assert names[:2] == ["this model", "mixture of Gaussians"]
    assert names[-3:] == ["xz", "gzip", "PNG"]
    assert _written(section, fakes.ledger()[3]["nats"])


def test_without_baselines_a_note_says_why() -> None:
    html = _alone(fakes.trusted(baselines=(), baselines_note="the training rows are gone"), "baselines")
    assert "the training rows are gone" in _section(html, "baselines")


def test_the_ledger_has_the_annealed_bound_and_the_split(page: str) -> None:
    section = _section(page, "evidence")
    for entry in fakes.assessed():
        assert _written(section, entry["nats"])
    assert "log P(x) &nbsp;≥&nbsp; AIS" in _text(section)
    assert section.count('class="chain"') == 1
    assert "kind fewer" not in section
    assert "unstable: Pareto k-hat" in section
    assert section.count("class=problem") == 1
    assert "92% accepted" in section


def test_entries_of_fewer_rows_say_so_and_have_a_line_of_their_own() -> None:
    annealed = {
        "rows": 50,
        "elbo": -153.1,
        "iwae": -150.9,
        "ais": -149.8,
        "se_elbo": 0.1,
        "se_iwae": 0.1,
        "se_ais": 0.2,
    }
    section = _section(_alone(fakes.trusted(ledger=fakes.assessed(50), annealed=annealed), "evidence"), "evidence")
    assert section.count("on 50 of 180 rows") == 5
    assert section.count('class="chain"') == 2
    first, second = dict.fromkeys(re.findall(r'aria-label="(A line of nats.*?)"', section))
    assert "annealed" not in first
    assert "-154.7" in first
    assert "ELBO at -153.1, importance-weighted bound at -150.9, annealed bound at -149.8" in second
    assert "mean of 50 rows" in section


def test_an_exact_sum_makes_the_identity_exact() -> None:
    html = _alone(fakes.trusted(ledger=fakes.summed()), "evidence")
    text = "".join(_text(html).split())
    elbo = -154.6534
    assert "logP(x)−151.204evidence" in text
    assert _written(html, -151.2041 - elbo)
    assert "logP(x)perrow,exactly" in text
    assert "log P(x) at -151.2." in html


def test_what_is_given_is_escaped() -> None:
    evil = "<script>alert('&')</script>"
    entry = {**fakes.baselines()[0], "name": evil, "kind": evil}
    html = _alone(
        fakes.trusted(
            headline=evil,
            sentences=[evil, f"`{evil}`"],
            annealing=evil,
            verdicts={evil: evil},
            baselines=[entry],
            pit=[(evil, np.full(20, 0.05), evil)],
        ),
        *TRUST,
    )
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 9
    assert "<script" not in render(Findings(title="t", form="table", baselines_note=evil))


def test_the_worst_column_comes_first_and_what_is_hidden_is_counted() -> None:
    histograms, counts = fakes.pit(MAX_PANELS + 6)
    section = _section(_alone(fakes.trusted(pit=histograms, pit_counts=counts), "calibration"), "calibration")
    labels = re.findall(r'aria-label="Histogram of u: (.*?)"', section)
    assert len(labels) == MAX_PANELS
    assert labels[0] == f"column {MAX_PANELS + 5} (too narrow)"
    assert f"{MAX_PANELS} columns are shown; 6 that are nearer to flat are not" in section


def test_deviations_are_judged_by_the_numbers_behind_them() -> None:
    off = np.full(20, 0.05)
    off[0], off[1] = 0.07, 0.03
    few, many = ("few", off[::-1] * 1.0, ""), ("many", 0.5 * (off + 0.05), "")
    section = _section(_alone(fakes.trusted(pit=[few, many], pit_counts=[100, 10_000]), "calibration"), "calibration")
    assert section.index("Histogram of u: many") < section.index("Histogram of u: few")


def test_pit_draws_shares_the_flat_line_and_its_band() -> None:
    shares = np.full(20, 0.05)
    shares[:2] = 0.08, 0.02
    axes = pit(shares, 1900, wrong=True).axes[0]
    assert [bar.get_height() for bar in axes.patches[:20]] == pytest.approx(shares)
    band = axes.patches[20].get_extents().transformed(axes.transData.inverted())
    assert (band.y0, band.y1) == pytest.approx((0.03, 0.07))
    colours = [bar.get_facecolor() for bar in axes.patches[:20]]
    assert colours[0] == colours[1] != colours[2]


def test_bars_are_orange_only_where_words_say_that_something_is_wrong() -> None:
    shares = np.full(20, 0.05)
    shares[:2] = 0.06, 0.04
    colours = {bar.get_facecolor() for bar in pit(shares, 40_000, wrong=False).axes[0].patches[:20]}
    assert len(colours) == 1
    html = _alone(fakes.trusted(pit=[("a", shares, "")], pit_counts=[40_000]), "calibration")
    assert "not flat, by too little to matter" in html


@pytest.mark.parametrize(("count", "bins"), [(17, 4), (60, 5), (120, 10), (200, 20), (10_000, 20)])
def test_few_numbers_have_few_bins(count: int, bins: int) -> None:
    shares = np.random.default_rng(0).dirichlet(np.ones(20))
    together = merged(shares, count)
    assert len(together) == bins
    assert together.sum() == pytest.approx(1)


def test_that_few_cells_show_little_is_said() -> None:
    html = _alone(fakes.trusted(pit=[("a", np.full(20, 0.05), "")], pit_counts=[17]), "calibration")
    assert "17 cells: only gross errors would show" in html


def test_the_split_adds_up() -> None:
    figure = gap_split((1.25, 0.02), (-0.25, 0.01), "50 rows")
    first, second, total = figure.axes[0].patches[:3]
    assert first.get_x() + first.get_width() == second.get_x() == 1.25
    assert second.get_x() + second.get_width() == total.get_width() == 1.0
    fakes.assert_no_overlap(figure)


def test_bars_begin_at_the_models_own_line() -> None:
    laws, coders = [("a", -160.0, 1.0), ("b", -150.0, math.nan)], [("gzip", 4.5, math.nan)]
    figure = beside(laws, coders, -152.0, 3.5)
    ends = [patch.get_x() + patch.get_width() for axes in figure.axes for patch in axes.patches]
    assert ends == [-160.0, -150.0, 4.5]
    assert [axes.lines[-1].get_xdata()[0] for axes in figure.axes] == [-152.0, 3.5]
    fakes.assert_no_overlap(figure)


def test_awkward_numbers_are_borne() -> None:
    entries = [
        {**fakes.baselines()[0], "nats": -math.inf, "se": math.nan, "difference": math.inf, "difference_se": math.nan},
        {"name": "gzip", "nats": None, "bits_per_dim": math.nan, "kind": ""},
    ]
    ledger = [{**entry, "nats": math.nan} if entry["name"] == "ais" else entry for entry in fakes.assessed()]
    html = _alone(fakes.trusted(baselines=entries, ledger=ledger, pit_counts=[0]), *TRUST)
    assert "−∞" in _section(html, "baselines")
    assert "<svg" not in _section(html, "baselines")
    assert 'id="calibration"' not in html
    assert "nan" not in _text(html)
    assert "<svg" in svg(gap_split((0.0, math.nan), (0.0, 0.0), "rows"), "split")
    bare = dataclasses.replace(fakes.trusted(), ledger=())
    assert "this model</b>" not in _section(_alone(bare, "baselines"), "baselines")
