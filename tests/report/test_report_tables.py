"""The sections about columns show what they were given, missing cells and odd columns included."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fakes_for_report as fakes
from likely.data import Column, Kind
from likely.data.summary import summarise
from likely.evaluation import chance_fidelity, column_fidelity, pair_fidelity
from likely.report import Findings, render
from likely.report.axes import amount
from likely.report.examples import marked_frame
from likely.report.figures_cells import MAX_LINES, explained
from likely.report.figures_columns import MAX_CATEGORIES, MAX_COLUMNS, marginal
from likely.report.figures_inspected import column
from likely.report.figures_pairs import joint
from likely.report.heat import FULL, STRONGEST, heat_map
from likely.report.tables import columns, pairs
from likely.report.theme import svg


def _spiked(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    gain = np.where(rng.random(rows) < 0.92, 0, rng.lognormal(8.5, 1, rows).round())
    return pd.DataFrame({"gain": gain, "hours": np.where(rng.random(rows) < 0.5, 40.0, rng.integers(10, 80, rows))})


def _explained(count: int = 4) -> pd.DataFrame:
    names = [f"column {i}" for i in range(count)]
    return pd.DataFrame({"given_z": np.linspace(-3, 1, count), "alone": np.linspace(-4, 2, count)}, names)


def _findings(**parts: Any) -> Findings:
    return Findings(title="t", form="table", **parts)


def _section(html: str, anchor: str) -> str:
    found = re.search(rf'<section id="{anchor}">.*?</section>', html, flags=re.DOTALL)
    assert found, f"no section {anchor}"
    return re.sub(r"<svg.*?</svg>", "", found[0], flags=re.DOTALL)


def test_spikes_are_cut_and_told_and_the_rest_is_seen() -> None:
    real, sampled = _spiked(3000, 0), _spiked(3000, 1)
    figure, _ = marginal(real["gain"], sampled["gain"])
    gain = figure.axes[0]
    assert gain.get_xscale() == "symlog"
    share = (real["gain"] == 0).mean()
    assert gain.get_ylim()[1] < share / 5
    assert f"{100 * share:.2g} % / " in " ".join(text.get_text() for text in gain.texts)
    fakes.assert_no_overlap(figure)


def test_each_panel_says_its_fidelity_beside_that_of_chance() -> None:
    real, sampled = fakes.people(300, 3), fakes.people(500, 4)
    fidelity, chance = column_fidelity(real, sampled), chance_fidelity(real, sampled)[0]
    html = columns(_findings(real=real, sampled=sampled))
    told = re.findall(r"</b><span>(.*?)</span>", html)
    assert told == [f"{fidelity[name]:.3f}, chance {chance[name]:.3f}" for name in real.columns]


def test_bars_add_up_and_the_rest_is_one_bar() -> None:
    rng = np.random.default_rng(0)
    real = pd.DataFrame({"c": rng.choice([f"v{i}" for i in range(40)], 500)})
    axes = marginal(real["c"], real["c"])[0].axes[0]
    assert sum(patch.get_width() for patch in axes.patches) == pytest.approx(2)
    assert len(axes.patches) == 2 * (MAX_CATEGORIES + 1)
    assert [label.get_text() for label in axes.get_yticklabels()][-1] == "28 others"


def test_columns_without_a_panel_are_named_and_the_worst_have_one() -> None:
    rng = np.random.default_rng(0)
    real = pd.DataFrame(rng.normal(size=(200, MAX_COLUMNS + 3)), columns=[f"c{i}" for i in range(MAX_COLUMNS + 3)])
    html = columns(_findings(real=real, sampled=real.assign(c26=real["c26"] + 2, c3=real["c3"] + 1)))
    note = re.search(r'<p class="note">(.*?)</p>', html)
    assert note
    assert note[1].count("1.000") == 3
    assert "c26" not in note[1]


def test_the_heat_map_is_blank_where_chance_explains_all() -> None:
    rng = np.random.default_rng(0)
    names = list("abcdef")
    real = pd.DataFrame(rng.normal(size=(300, 6)), columns=names)
    sampled = pd.DataFrame(rng.normal(size=(900, 6)), columns=names)
    sampled["b"] = sampled["a"]
    found, chance = pair_fidelity(real, sampled), chance_fidelity(real, sampled)[1]
    assert chance.loc["a", "b"] - found.loc["a", "b"] > FULL
    html = heat_map(found.fillna(1.0), chance.fillna(1.0))
    depths = sorted(float(depth) for depth in re.findall(r'<td style="--depth: (\d+)%', html))
    assert len(depths) == 21
    assert depths[-1] == STRONGEST
    assert depths[-2] < 0.4 * STRONGEST


def test_missing_cells_are_called_so_in_pairs() -> None:
    real = pd.DataFrame({"a": ["x", None, "y", "y"] * 20, "b": [1.0, 2.0, 3.0, 4.0] * 20})
    figure, _ = joint(real, real, "a", "b")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["y", "x", "missing"]


def test_any_two_columns_are_drawn_side_by_side() -> None:
    real, sampled = fakes.people(300, 3).assign(gain=_spiked(300, 0)["gain"]), fakes.people(500, 4)
    sampled["gain"] = -_spiked(500, 1)["gain"]
    names = list(real.columns)
    chosen = list(zip(names, names[1:] + names[:1], strict=True))
    for vertical, horizontal in chosen:
        figure, _ = joint(real, sampled, vertical, horizontal)
        assert len(figure.axes) == 2
        assert "<svg" in svg(figure, "pair")


def test_the_worst_pair_is_drawn_first() -> None:
    rng = np.random.default_rng(0)
    real = pd.DataFrame(rng.normal(size=(400, 3)), columns=list("abc"))
    html = pairs(_findings(real=real, sampled=real.assign(c=real["a"])))
    drawn = re.search(r'aria-label="(\w by \w), held-out beside sampled', html)
    assert drawn
    assert drawn[1] == "c by a"


def test_sections_bear_holes_odd_columns_and_columns_of_one_value() -> None:
    real = fakes.people(60, 3).assign(empty=np.nan, mixed=pd.Series([1, "a", None] * 20, dtype="object"))
    html = render(_findings(real=real, sampled=real.iloc[::-1].reset_index(drop=True)))
    assert "Mean: 1.000" in _section(html, "columns")
    assert 'id="pairs"' in html


def test_one_column_makes_no_pairs() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0]})
    assert 'id="pairs"' not in render(_findings(real=frame, sampled=frame))


def test_what_z_adds_is_drawn_from_the_most_on() -> None:
    figure = explained(_explained())
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[:4] == ["with z", "z adds", "−3.00", "+1.00"]
    html = _section(render(_findings(explained=_explained())), "explained")
    assert "0.00 nats" in html
    fakes.assert_no_overlap(figure)


def test_columns_are_explained_without_marginals_and_without_observed_cells() -> None:
    frame = _explained().assign(alone=np.nan)
    frame.loc["column 1", "given_z"] = np.nan
    html = render(_findings(explained=frame))
    assert "what z adds" not in _section(html, "explained")
    assert "column 1" not in html
    assert "7 more columns" in render(_findings(explained=_explained(MAX_LINES + 7)))


def test_the_costliest_cells_are_marked_and_in_front() -> None:
    rows = pd.DataFrame({"a": [1, 2], "b": ["<x>", "y"], "y given": [0, 1], "c": [np.nan, 2.5]})
    excess = pd.DataFrame({"a": [0.2, 1.5], "b": [7.25, -1.0], "c": [np.nan, 3.0]})
    html = marked_frame(rows, np.array([-20.0, -15.0]), excess, np.array([0.0, 2.0]))
    assert html.index("<th>b</th>") < html.index(">c</th>") < html.index(">a</th>")
    assert re.findall(r"data-cost>([^<]*) <small>\+([\d.]+)<", html) == [
        ("&lt;x&gt;", "7.2"),
        ("", "2.0"),
        ("2.5", "3.0"),
        ("2", "1.5"),
    ]
    assert 'title="missing"' in html


def test_both_ends_of_the_ranking_show_the_same_columns() -> None:
    names = [f"c{i}" for i in range(20)]
    rows, log_px = pd.DataFrame(np.zeros((2, 20)), columns=names), np.zeros(2)
    excess = pd.DataFrame(np.zeros((2, 20)), columns=names).assign(c17=5.0, c3=2.0)
    ends = {"least_likely": rows, "least_likely_log_px": log_px, "most_likely": rows, "most_likely_log_px": log_px}
    html = _section(render(_findings(**ends, least_likely_excess=excess, least_likely_code=np.zeros(2))), "extremes")
    least, most = (re.findall(r"<th[^>]*>(c\d+)</th>", part) for part in html.split("<h3>")[1:])
    assert least == most
    assert least[:2] == ["c17", "c3"]


@pytest.mark.parametrize(("copies", "said"), [((52, 4000, 3, 300), "1.3 %"), ((0, 4000, 0, 300), "None of 4,000")])
def test_copies_are_told_beside_those_of_chance(copies: tuple[int, int, int, int], said: str) -> None:
    html = _section(render(_findings(samples=fakes.people(4, 3), copies=copies)), "samples")
    assert said in html
    assert "300 held-out rows" in html
    assert ("by heart" in html) == (copies[0] > 100)


def test_many_copies_are_called_what_they_are() -> None:
    html = _section(render(_findings(samples=fakes.people(4, 3), copies=(520, 4000, 3, 300))), "samples")
    assert "learned rows by heart" in html


def test_of_many_columns_the_costliest_are_shown() -> None:
    names = [f"c{i}" for i in range(30)]
    rows = pd.DataFrame(np.zeros((2, 30)), columns=names)
    excess = pd.DataFrame(np.zeros((2, 30)), columns=names).assign(c29=5.0)
    html = marked_frame(rows, np.zeros(2), excess, np.zeros(2))
    assert ">c29</th>" in html
    assert "and 16 more columns" in html


def test_marks_are_of_the_least_likely_rows_alone() -> None:
    rows = fakes.people(5, 3)
    excess, log_px = pd.DataFrame(np.full(rows.shape, 2.0), columns=rows.columns), np.linspace(-60, -50, 5)
    ends = {"least_likely": rows, "least_likely_log_px": log_px, "most_likely": rows, "most_likely_log_px": log_px}
    marked = _findings(**ends, least_likely_excess=excess, least_likely_code=np.zeros(5))
    html = _section(render(marked), "extremes")
    assert html.count("data-cost>") == excess.size
    assert "Marked are the parts" in html


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.01, "0.01"), (950, "950"), (20000, "20k"), (-3e6, "−3M"), (1e12, "1e+12"), (1500, "1500")],
)
def test_ticks_are_short(value: float, text: str) -> None:
    assert amount(value) == text


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("grid", _spiked(500, 0)["gain"]),
        ("real", pd.Series(np.random.default_rng(0).lognormal(0, 3, 300))),
        ("date", pd.Series(pd.date_range("2001-01-01", periods=50, freq="40D"))),
        ("categorical", pd.Series([f"$x_{i % 11}$" for i in range(60)])),
        ("constant", pd.Series([4.0] * 6)),
    ],
)
def test_every_kind_of_column_has_a_picture(kind: Kind, values: pd.Series) -> None:
    coded = kind in ("categorical", "constant")
    categories = tuple(values.unique().tolist()) if coded else ()
    figure = column(summarise(Column("x", str(values.dtype), kind, "why", categories=categories), values))
    assert figure is not None
    fakes.assert_no_overlap(figure)
    heights = figure.axes[0].patches
    assert len(heights) == (min(len(categories), 9) if coded else 1)
