"""Figures bear awkward data without a warning, and draw what they were given."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import fakes_for_report as fakes
from fakes_for_report import history
from likely.report.figures_columns import bins_for, marginal
from likely.report.figures_fit import bounds, kl_per_dim, learning, terms
from likely.report.figures_latent import codes, polar_colours, prior_walk
from likely.report.theme import svg


def test_learning_draws_only_what_was_measured() -> None:
    frame = history()
    main = learning(frame, 3400).axes[0]
    lengths = {line.get_label(): len(line.get_xdata()) for line in main.lines}
    assert lengths["training rows"] == len(frame)
    assert lengths["validation rows"] == frame["val_elbo"].notna().sum()
    assert lengths["weights kept here"] == 2


@pytest.mark.parametrize(
    "frame",
    [
        history()[:1],
        history().assign(val_elbo=np.nan, epoch=np.nan),
        history()[["step", "train_elbo"]],
        history().assign(train_elbo=-3.0, val_elbo=-3.0, learning_rate=0.0),
        history().assign(beta=np.nan, learning_rate=np.nan),
    ],
)
def test_learning_bears_short_and_incomplete_histories(frame: pd.DataFrame) -> None:
    assert "<svg" in svg(learning(frame), "curves")
    for title, figure in terms(frame):
        assert "<svg" in svg(figure, title)


def test_the_weight_of_the_kl_has_a_panel_of_its_own_where_it_changes() -> None:
    frame = history()
    drawn = dict(terms(frame))
    assert list(drawn)[-2:] == ["learning rate", "β, the weight of the KL"]
    assert all(len(figure.axes) == 1 for figure in drawn.values())
    assert "β, the weight of the KL" not in dict(terms(frame.assign(beta=1.0)))


@pytest.mark.parametrize(("elbo", "iwae"), [(-10.0, -8.0), (-10.0, -10.0), (-10.0, -10.1), (1e6, 1e6 + 1)])
@pytest.mark.parametrize("third", [{}, {"ais": (-7.0, 0.1)}, {"ais": (-8.05, 0.2)}, {"exact": (-7.9, 0.0)}])
def test_bounds_lie_in_the_frame_and_their_names_apart(
    elbo: float, iwae: float, third: dict[str, tuple[float, float]]
) -> None:
    figure = bounds({"elbo": (elbo, 0.1), "iwae": (iwae, 0.2), **third}, 500)
    low, high = figure.axes[0].get_xlim()
    for place in (elbo, iwae, *(value for value, _ in third.values())):
        assert low < place < high
    fakes.assert_no_overlap(figure)


@pytest.mark.parametrize(
    "nats", [np.zeros(3), np.array([2.0]), np.array([1e-9, 5.0, np.nan]), np.geomspace(1e-6, 3, 300)]
)
def test_kl_is_sorted_from_the_largest(nats: np.ndarray) -> None:
    figure = kl_per_dim(nats)
    drawn = np.concatenate([line.get_ydata() for line in figure.axes[0].lines[:2]])
    assert len(drawn) == len(nats)
    assert (np.diff(drawn) <= 0).all()
    assert "<svg" in svg(figure, "kl")


def _column(values: object, **style: object) -> pd.DataFrame:
    return pd.DataFrame({"a column with a rather long name $x_1$": pd.Series(values, **style)})


def _marginal(real: pd.DataFrame, sampled: pd.DataFrame) -> Figure:
    name = real.columns[0]
    return marginal(real[name], sampled[name])[0]


@pytest.mark.parametrize(
    "frame",
    [
        _column([1.0]),
        _column([np.nan, np.nan]),
        _column([1e-300, 1e300, np.inf, -np.inf]),
        _column([3, 3, 3]),
        _column([10**17, 10**17 + 1]),
        _column([True, False, True]),
        _column([True, None, False], dtype="boolean"),
        _column([1, None, 250], dtype="Int64"),
        _column(["a", None, "東京 🚲"]),
        _column([f"a long category name {number}" for number in range(40)], dtype="category"),
        _column(pd.to_datetime(["2020-01-01", "2021-05-05", None])),
        _column(pd.to_datetime(["2020-01-01 10:00", "2020-01-01 10:01"]).tz_localize("Europe/Zurich")),
        _column(pd.to_datetime(["1700-01-01", "2200-05-05"])),
        _column([None, None], dtype="object"),
    ],
)
def test_marginals_bear_any_column(frame: pd.DataFrame) -> None:
    assert "<svg" in svg(_marginal(frame, frame), "column")


def test_marginals_show_shares_on_shared_bins() -> None:
    rng = np.random.default_rng(0)
    real, sampled = pd.DataFrame({"x": rng.normal(size=400)}), pd.DataFrame({"x": rng.normal(size=900)})
    first, second = (patch.get_data() for patch in _marginal(real, sampled).axes[0].patches)
    np.testing.assert_array_equal(first.edges, second.edges)
    inside = real["x"].between(first.edges[0], first.edges[-1]).mean()
    assert first.values.sum() == pytest.approx(inside)


def test_marginals_say_what_lies_outside() -> None:
    real = pd.DataFrame({"x": np.linspace(0, 1, 200)})
    assert "outside 0 % / 7" in marginal(real["x"], 4 * real["x"])[1]


def test_the_smaller_sample_decides_how_many_bins() -> None:
    rng = np.random.default_rng(0)
    few, many = pd.DataFrame({"x": rng.normal(size=17)}), pd.DataFrame({"x": rng.normal(size=4000)})
    for real, sampled in ((few, many), (many, few)):
        assert len(_marginal(real, sampled).axes[0].patches[0].get_data().values) == bins_for(17) == 6
    assert len(_marginal(many, many).axes[0].patches[0].get_data().values) == 30


def test_years_have_no_halves() -> None:
    years = pd.DataFrame({"year": np.random.default_rng(0).integers(2001, 2006, 500)})
    ticks = _marginal(years, years).axes[0].get_xticks()
    assert (ticks == np.round(ticks)).all()


def test_codes_share_grey_among_the_rarest_classes() -> None:
    labels = np.array([f"class {number}" for number in range(15) for _ in range(15 - number)])
    axes = codes(np.random.default_rng(0).normal(size=(len(labels), 2)), labels).axes[0]
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert len(names) == 10
    assert names[-1] == "other"
    assert sum(len(part.get_offsets()) for part in axes.collections) == len(labels)


def test_codes_order_numbers_by_size() -> None:
    axes = codes(np.zeros((3, 2)), np.array([10, 2, 1])).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["1", "2", "10"]


def test_codes_put_many_numbers_on_a_scale() -> None:
    assert codes(np.zeros((30, 2)), np.arange(30.0)).axes[0].get_legend() is None


def test_colours_turn_with_the_angle_and_fade_to_the_centre() -> None:
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    ring = polar_colours(2 * np.stack([np.cos(angles), np.sin(angles)], axis=1))
    assert ((ring >= 0) & (ring <= 1)).all()
    assert np.linalg.norm(ring[:, None] - ring[None], axis=-1)[~np.eye(12, dtype=bool)].min() > 0.05
    assert np.ptp(polar_colours(np.zeros((1, 2)))) < 0.01


def test_prior_walk_has_a_panel_for_each_layer() -> None:
    z = np.random.default_rng(0).normal(size=(50, 2))
    drawn = prior_walk(z, [(f"layer {number}", np.zeros((50, 2))) for number in range(6)])
    assert [name for name, _ in drawn][1:] == [f"layer {number}" for number in range(6)]
    assert all("<svg" in svg(figure, name) for name, figure in drawn)


def test_figures_leave_the_users_settings_alone() -> None:
    names = ("font.size", "text.parse_math", "axes.grid", "svg.fonttype", "text.color")
    before = [mpl.rcParams[name] for name in names]
    svg(bounds({"elbo": (-2.0, 0.0), "iwae": (-1.0, 0.0)}), "bounds")
    assert [mpl.rcParams[name] for name in names] == before
