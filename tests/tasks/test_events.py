"""Rows given events: against closed forms, against rejection by hand, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch

import likely
from likely.data.events import Event
from likely.errors import ConfigError, DataError
from likely.tasks.condition import conditional
from linear_gaussian import Oblique

DIMS, LATENT, N = 4, 2, 20_000


def joint() -> tuple[Oblique, torch.Tensor]:
    exact = Oblique(DIMS, LATENT)
    return exact, exact.w @ exact.w.T + exact.sigma**2 * torch.eye(DIMS, dtype=torch.float64)


@pytest.mark.parametrize("deviations", [0.5, 3.6])
def test_rows_above_a_bound_are_those_of_the_truncated_normal(deviations: float) -> None:
    exact, whole = joint()
    centre, sd = float(exact.b[1]), math.sqrt(float(whole[1, 1]))
    bound = centre + deviations * sd
    found = conditional(exact.vae_with_missing(), [Event(1, low=bound)], N, None, like=exact.b)
    tail = scipy.stats.norm.sf(deviations)
    assert abs(found.probability - tail) < 4 * found.se
    assert (found.effective is None) == (tail > 1e-3)
    count = N if found.effective is None else 1 / (1 / N + 1 / found.effective)
    x = found.values
    assert x[:, 1].min() >= bound
    law = scipy.stats.truncnorm(deviations, np.inf, loc=centre, scale=sd)
    assert abs(float(x[:, 1].mean()) - law.mean()) < 4 * law.std() / math.sqrt(count)
    if found.effective is None:
        assert scipy.stats.kstest(x[:, 1].numpy(), law.cdf).pvalue > 1e-3
    slope = whole[0, 1] / whole[1, 1]
    mean = float(exact.b[0] + slope * (law.mean() - centre))
    spread = math.sqrt(float(whole[0, 0] - slope * whole[0, 1] + slope**2 * law.var()))
    assert abs(float(x[:, 0].mean()) - mean) < 4 * spread / math.sqrt(count)
    assert abs(float(x[:, 0].std()) / spread - 1) < 4 / math.sqrt(2 * count)


def test_a_number_without_mass_is_given_by_its_density() -> None:
    exact, whole = joint()
    value = float(exact.b[2]) + 0.8
    found = conditional(exact.vae_with_missing(), [Event(2, low=value, high=value)], N, None, like=exact.b)
    density = scipy.stats.norm.pdf(value, float(exact.b[2]), math.sqrt(float(whole[2, 2])))
    assert abs(found.probability - density) < 4 * found.se
    assert found.effective is not None
    slope = whole[:, 2] / whole[2, 2]
    mean = exact.b + slope * 0.8
    spread = (whole.diagonal() - slope * whole[:, 2]).clamp_min(1e-12).sqrt()
    errors = (found.values.mean(0) - mean).abs() / (spread * math.sqrt(1 / found.effective + 1 / N))
    assert errors[[0, 1, 3]].max() < 4
    assert (found.values[:, 2] == value).all()


def test_an_impossible_event_is_an_error() -> None:
    exact, _ = joint()
    with pytest.raises(DataError, match="practically impossible"):
        conditional(exact.vae_with_missing(), [Event(0, low=60.0)], 5, None, like=exact.b)


def table(rows: int = 1500) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    a = draw.normal(size=rows)
    return pd.DataFrame(
        {
            "price": (100 + 20 * a).round(1),
            "rooms": np.clip(np.round(4 + a + 0.5 * draw.normal(size=rows)), 1, 8).astype(int),
            "town": np.where(a + draw.normal(size=rows) > 0, " Bath", "York"),
            "sold": a + 0.5 * draw.normal(size=rows) > 0,
            "size": pd.Categorical(np.select([a < -0.5, a < 0.5], ["S", "M"], "L"), ["S", "M", "L"], ordered=True),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.round(100 + 30 * a).astype(int), "D"),
            "weight": a * 3 + draw.normal(size=rows),
            "note": [f"row {i} of a long list" for i in range(rows)],
            "a=b": draw.integers(0, 40, rows),
        }
    )


@pytest.fixture(scope="module")
def run() -> likely.Run:
    return likely.fit(table(), steps=250, width=64)


ASKED: dict[str, tuple[str, ...]] = {
    "category": ("town=Bath",),
    "not a category": ("town!=Bath",),
    "truth": ("sold=True",),
    "order": ("size>=M",),
    "either": ("size=S|L",),
    "whole numbers": ("rooms>4", "rooms<=6"),
    "between": ("price >= 95.05", "price<110"),
    "one cell": ("rooms=4",),
    "dates": ("day<2020-03-20",),
    "reals": ("weight>1.5",),
    "a name with a sign": ("a=b>=20",),
    "many": ("town=York", "rooms<4", "sold=False"),
}


@pytest.mark.parametrize("case", ASKED)
def test_every_kind_of_column_keeps_to_what_is_asked(run: likely.Run, case: str) -> None:
    holds = {
        "category": lambda x: x["town"] == " Bath",
        "not a category": lambda x: x["town"] == "York",
        "truth": lambda x: x["sold"],
        "order": lambda x: x["size"] != "S",
        "either": lambda x: x["size"] != "M",
        "whole numbers": lambda x: x["rooms"].isin([5, 6]),
        "between": lambda x: (x["price"] >= 95.1) & (x["price"] <= 109.9),
        "one cell": lambda x: x["rooms"] == 4,
        "dates": lambda x: x["day"] <= pd.Timestamp("2020-03-19"),
        "reals": lambda x: x["weight"] > 1.5,
        "a name with a sign": lambda x: x["a=b"] >= 20,
        "many": lambda x: (x["town"] == "York") & (x["rooms"] < 4) & ~x["sold"],
    }[case]
    found = run.sample(2000, given=list(ASKED[case]), beyond_range=True, seed=1)
    assert holds(found).all()
    plain = run.sample(40_000, beyond_range=True, seed=2)
    kept = plain[holds(plain)]
    told = found.attrs["given"]
    share = len(kept) / len(plain)
    assert abs(told["probability"] - share) < 4 * math.hypot(told["se"], math.sqrt(share * (1 - share) / len(plain)))
    assert told["effective_draws"] is None
    for name in ("price", "rooms", "weight"):
        error = math.hypot(kept[name].std() / math.sqrt(len(kept)), found[name].std() / math.sqrt(len(found)))
        assert abs(kept[name].mean() - found[name].mean()) <= 4 * error
    assert (found.dtypes == plain.dtypes).all()


def test_python_says_it_by_values_too(run: likely.Run) -> None:
    found = run.sample(50, given={"size": ["S", "M"], "rooms": 4})
    assert set(found["size"]) <= {"S", "M"}
    assert set(found["rooms"]) == {4}
    pd.testing.assert_frame_equal(found, run.sample(50, given=["rooms=4", "size=S|M"]))


REFUSED: dict[str, tuple[list[str], str]] = {
    "no column": (["prise>3"], "did you mean 'price'"),
    "no operator": (["price"], "a condition is COLUMN=VALUE"),
    "no value": (["price="], "a condition is COLUMN=VALUE"),
    "no number": (["price>dear"], "'dear' is none"),
    "no category": (["town=Bahth"], "did you mean 'Bath'"),
    "no order": (["town>Bath"], "without an order"),
    "no date": (["day>soon"], "is no date such as"),
    "not listed": (["rooms=2.5"], "holds 7 numbers, and 2.5 is none"),
    "not equal": (["price!=3"], "holds numbers"),
    "left out": (["note=x"], "is left out of the model"),
    "nothing is more": (["size>L"], "no category of 'size' is > L"),
    "apart": (["town=Bath", "town=York"], "exclude each other"),
    "no values between": (["price>100", "price<90"], "exclude each other"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_meant_is_refused(run: likely.Run, case: str) -> None:
    words, said = REFUSED[case]
    with pytest.raises(ConfigError, match=said):
        run.sample(3, given=words)


def test_what_the_model_never_draws_is_refused(run: likely.Run) -> None:
    with pytest.raises((ConfigError, DataError), match=r"practically impossible|outside what training rows had"):
        run.sample(3, given=["price>900"])
    with pytest.raises(ConfigError, match="leave mean out"):
        run.sample(3, given=["price>100"], mean=True)


def test_conditions_of_the_model_and_events_go_together() -> None:
    run = likely.fit(table()[["price", "rooms", "town", "sold"]], condition="town", steps=250, width=32)
    towns = ["York", " Bath"] * 300
    found = run.sample(600, given={"town": towns, "sold": True})
    assert found["town"].tolist() == towns
    assert found["sold"].all()
    same = run.sample(300, given=["town=York", "price>110"])
    assert set(same["town"]) == {"York"}
    assert same["price"].min() > 110
    with pytest.raises(ConfigError, match="give it one value, by ="):
        run.sample(3, given=["town=York", "town= Bath", "sold=True"])


def test_rows_with_missing_cells_keep_what_was_given() -> None:
    rows = table()[["price", "rooms", "town"]]
    incomplete = rows.mask(np.random.default_rng(0).random(rows.shape) < 0.3)
    run = likely.fit(incomplete, steps=50, width=32)
    found = run.sample(200, given=["town=York"], with_missing=True)
    assert (found["town"] == "York").all()
    assert 0.1 < found["price"].isna().mean() < 0.5


def test_what_is_kept_below_counts_and_amounts_is_never_drawn() -> None:
    rng = np.random.default_rng(0)
    counts, paid = rng.poisson(rng.gamma(0.5, 400, 60)), np.exp(rng.normal(size=60)).round(1) + 0.1
    frame = pd.DataFrame({"n": counts, "paid": paid})
    run = likely.fit(frame, steps=3, column={"n": "count", "paid": "positive"}, width=8)
    assert run.sample(2000, given=["n<=3"], beyond_range=True)["n"].between(0, 3).all()
    assert (run.sample(2000, given=["paid<0.4"], beyond_range=True)["paid"] > 0.05).all()
    for impossible in ("n<0", "paid<0.1", "paid<=0"):
        with pytest.raises(ConfigError, match="outside what training rows had"):
            run.sample(1, given=[impossible])
    for column, below in (("n", -1 - np.arange(3000)), ("paid", -0.1 * np.arange(3000))):
        with torch.no_grad():
            law = run.model.likelihood(torch.zeros(1, run.model.latent))
        row = torch.from_numpy(frame.to_numpy(float)[:1]).repeat(3000, 1)
        place = frame.columns.get_loc(column)
        row[:, place] = torch.from_numpy(below)
        assert float(law.log_prob(row)[:, place].exp().sum()) == pytest.approx(1 / 49, rel=2e-3)
