"""The page stands alone, escapes what it is given, leaves out what is absent and shows the numbers it was given."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import fakes_for_report as fakes
from likely.report import Findings, render

_ANCHORS = (
    "evidence",
    "samples",
    "reconstructions",
    "columns",
    "latent-map",
    "codes",
    "prior",
    "dimensions",
    "extremes",
)
_VOID = {"meta", "img", "br", "link", "input", "hr"}


class _Checker(HTMLParser):
    """Collect tags and ids, and fail where tags do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _check(html: str) -> _Checker:
    checker = _Checker()
    checker.feed(html)
    assert checker.open == []
    return checker


def _text(html: str) -> str:
    return re.sub(r"<[^>]+>", "", re.sub(r"<(style|svg).*?</\1>", "", html, flags=re.DOTALL))


@pytest.fixture(scope="module")
def picture_page() -> str:
    return render(fakes.make_picture_findings())


@pytest.fixture(scope="module")
def table_page() -> str:
    return render(fakes.make_table_findings())


@pytest.mark.parametrize("page", ["picture_page", "table_page"])
def test_stands_alone(page: str, request: pytest.FixtureRequest) -> None:
    html = request.getfixturevalue(page)
    checker = _check(html)
    assert not re.search(r"https?://|@import|url\((?!#)", html)
    for tag, attributes in checker.tags:
        assert tag not in {"script", "link", "iframe"}
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/png;base64,"))


@pytest.mark.parametrize("page", ["picture_page", "table_page"])
def test_every_figure_is_described_and_every_reference_lands(page: str, request: pytest.FixtureRequest) -> None:
    html = request.getfixturevalue(page)
    checker = _check(html)
    assert len(checker.ids) == len(set(checker.ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', html)) <= set(checker.ids)
    images = [attributes.get("alt") for tag, attributes in checker.tags if tag == "img"]
    drawings = [attributes.get("aria-label") for tag, attributes in checker.tags if tag == "svg"]
    assert all(images)
    assert all(drawings)
    assert len(drawings) >= 4


def test_escapes_titles_facts_notices_and_column_names() -> None:
    evil = "<script>alert('&')</script>"
    frame = pd.DataFrame({evil: [1.0, 2.0, 3.0], "text": [evil] * 3})
    findings = Findings(
        title=evil,
        form="table",
        facts={evil: evil},
        notices=[evil],
        ledger=[{"name": evil, "nats": 1.0, "kind": evil}],
        ledger_split=evil,
        measure=evil,
        originals=frame,
        reconstructions=frame,
        samples=frame,
        real=frame,
        sampled=frame,
        codes=np.eye(3)[:, :2],
        codes_labels=np.array([evil, evil, "b"]),
        codes_note=evil,
        prior_z=np.eye(3)[:, :2],
        layers=[(evil, np.eye(3)[:, :2])],
    )
    html = render(findings)
    _check(html)
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_dollars_are_not_formulas(table_page: str) -> None:
    assert "income $" in table_page
    assert "mathdefault" not in table_page


def test_bare_findings_make_a_page_without_sections() -> None:
    html = render(Findings(title="nothing yet", form="table"))
    _check(html)
    assert "nothing yet" in html
    assert "<section" not in html
    assert "<nav" not in html


@pytest.mark.parametrize(
    ("anchor", "absent"),
    [
        ("evidence", {"ledger": ()}),
        ("samples", {"samples": None}),
        ("reconstructions", {"reconstructions": None}),
        ("nearest", {"nearest": None}),
        ("interpolation", {"interpolated": None}),
        ("groups", {"regrouped": None, "groups_kept": ()}),
        ("latent-map", {"latent_map": None}),
        ("codes", {"codes": np.empty((0, 2))}),
        ("prior", {"layers": ()}),
        ("dimensions", {"kl_per_dim": None}),
        ("extremes", {"least_likely": None, "most_likely": None}),
        ("fit", {"history": fakes.history()[:0]}),
    ],
)
def test_a_part_that_is_absent_has_no_section(picture_page: str, anchor: str, absent: dict[str, object]) -> None:
    kept = {"form": "images", "title": "t"}
    full = fakes.make_picture_findings()
    present = {field: getattr(full, field) for field in absent}
    assert f'id="{anchor}"' in picture_page
    extra = {"prior_z": full.prior_z} if anchor == "prior" else {"originals": full.originals}
    assert f'id="{anchor}"' in render(Findings(**kept, **extra, **present))
    assert f'id="{anchor}"' not in render(Findings(**kept, **extra, **absent))


def test_sections_follow_the_form(picture_page: str, table_page: str) -> None:
    assert 'id="columns"' in table_page
    assert 'id="columns"' not in picture_page
    assert 'id="latent-map"' not in table_page


def test_shows_the_numbers_it_was_given(picture_page: str) -> None:
    text = _text(picture_page)
    for row in fakes.ledger():
        assert f'value="{row["nats"]!r}"' in picture_page
        assert f"{row['nats']:.3f}".replace("-", "−") in text
    for number in ("0.033", "1.9", "3.4244", "180 test rows", "−230.3", "12 of 16", "step 3,400", "83,472"):
        assert number in text
    assert "Measure: mass" in text


def test_identity_stands_above_its_numbers(picture_page: str) -> None:
    text = _text(picture_page)
    formula = "log P(x)≥ −151.913evidence−D[Q(z|x) ‖ P(z|x)]≥ 2.741variational gap=EQ[log P(x|z)]−133.402reconstruction"
    assert "".join(formula.split()) in "".join(text.split()).replace("whatwewant,lesswhatQcostsus", "")
    assert "ELBO &nbsp;≤&nbsp; LK &nbsp;≤&nbsp; log P(x)" in text


def test_says_when_the_rows_chose_the_weights(picture_page: str, table_page: str) -> None:
    assert "These rows chose the weights" in table_page
    assert "These rows chose the weights" not in picture_page


def test_ledger_bears_infinite_and_unknown_numbers() -> None:
    rows = [
        {"name": "elbo", "nats": -3.0, "se": np.float64(0.1), "se_mc": None, "bits_per_dim": None, "kind": "bound"},
        {"name": "iwae", "nats": np.float32(-2.5), "se": np.nan, "se_mc": 0.0, "bits_per_dim": np.nan, "kind": "bound"},
        {"name": "prior_sampling", "nats": -np.inf, "se": np.nan, "se_mc": np.nan, "kind": "bound", "samples": 500},
    ]
    html = render(Findings(title="t", form="table", ledger=rows, ledger_split="test", ledger_rows=1))
    assert "−∞" in html
    assert "nan" not in _text(html)


def test_missing_cells_are_dots_and_wide_tables_are_cut() -> None:
    frame = pd.DataFrame({f"c{place}": [1.5, np.nan] for place in range(20)})
    html = render(Findings(title="t", form="array", samples=frame))
    assert 'title="missing">·<' in html
    assert "and 6 more columns" in html
    assert ">c13<" in html
    assert ">c14<" not in html


@pytest.mark.parametrize("shape", [(12, 8, 8), (12, 6, 9, 3), (1, 28, 28)])
def test_pictures_of_any_shape(shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).random(shape)
    html = render(
        Findings(
            title="t",
            form="images",
            originals=images,
            reconstructions=images,
            samples=images,
            sample_means=images,
            latent_map=np.stack([images, images]),
            most_likely=images[:1],
            most_likely_log_px=np.array([-5.0]),
        )
    )
    _check(html)
    assert html.count("<img") == 5


def test_what_examples_are_decides_how_they_are_shown() -> None:
    images, frame = np.zeros((3, 4, 4)), pd.DataFrame({"x0": [0.25, 0.5]})
    assert "<img" in render(Findings(title="t", form="array", samples=images, most_likely=images))
    assert "0.25</td>" in render(Findings(title="t", form="images", samples=frame, most_likely=frame))


def test_rendering_is_a_function_of_the_findings(picture_page: str) -> None:
    assert render(fakes.make_picture_findings()) == picture_page


def test_findings_are_frozen() -> None:
    findings = Findings(title="t", form="table")
    with pytest.raises(dataclasses.FrozenInstanceError):
        findings.title = "other"  # type: ignore[misc]


def test_importing_the_room_loads_no_plotting_library() -> None:
    code = "import sys, likely.report; sys.exit('matplotlib' in sys.modules or 'PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
