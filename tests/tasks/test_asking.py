"""P(event|observed cells): against closed forms, honest errors, and the verb's promises."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch

import likely
from likely.cli import main
from likely.data import ResidentRows
from likely.data.events import Event
from likely.errors import ConfigError
from likely.tasks.ask import ask, mean_and_error
from linear_gaussian import Oblique

ROWS, DIMS, LATENT = 300, 4, 2


def closed(exact: Oblique, x: torch.Tensor, seen: torch.Tensor, place: int, bound: float) -> np.ndarray:
    """P(x_j > bound|x_observed) of the normal law with covariance W Wᵀ + σ² I."""
    whole = exact.w @ exact.w.T + exact.sigma**2 * torch.eye(DIMS, dtype=torch.float64)
    found = []
    for row, cells in zip(x, seen, strict=True):
        slope = torch.linalg.solve(whole[cells][:, cells], whole[cells, place])
        mean = exact.b[place] + slope @ (row - exact.b)[cells]
        sd = (whole[place, place] - slope @ whole[cells, place]).sqrt()
        found.append(scipy.stats.norm.sf(bound, float(mean), float(sd)))
    return np.array(found)


@pytest.mark.parametrize(("shift", "widen"), [(0.0, 1.0), (0.2, 1.3), (0.1, 0.8)])
def test_answers_are_those_of_the_closed_form_within_their_errors(shift: float, widen: float) -> None:
    exact = Oblique(DIMS, LATENT)
    torch.manual_seed(0)
    x, seen = exact.sample(ROWS), torch.rand(ROWS, DIMS) > 0.3
    seen[:, 1] = False
    bound = float(exact.b[1]) + 0.4
    rows = ResidentRows(torch.where(seen, x, 0.0), observed=seen)
    found = ask(exact.vae_with_missing(shift, widen), rows, [Event(1, low=bound)], like=exact.b, samples=200)
    right = closed(exact, x, seen, 1, bound)
    z = (found.probability.numpy() - right) / found.se.numpy()
    middle = (right > 0.05) & (right < 0.95)
    assert 0.85 < np.sqrt((z[middle] ** 2).mean()) < 1.3
    assert abs(z[middle].mean()) < 4 / np.sqrt(middle.sum())
    assert np.abs(z).max() < 5
    assert found.se.median() < 0.05


def test_two_events_are_asked_together_not_one_by_one() -> None:
    exact = Oblique(DIMS, LATENT)
    x, seen = exact.sample(40), torch.ones(40, DIMS, dtype=torch.bool)
    seen[:, :2] = False
    rows = ResidentRows(torch.where(seen, x, 0.0), observed=seen)
    whole = exact.w @ exact.w.T + exact.sigma**2 * torch.eye(DIMS, dtype=torch.float64)
    slope = torch.linalg.solve(whole[2:, 2:], whole[2:, :2])
    covariance = (whole[:2, :2] - whole[:2, 2:] @ slope).numpy()
    means = (exact.b[:2] + (x - exact.b)[:, 2:] @ slope).numpy()
    bounds = exact.b[:2].numpy()
    events = [Event(0, high=float(bounds[0])), Event(1, high=float(bounds[1]))]
    found = ask(exact.vae_with_missing(0.1, 1.2), rows, events, like=exact.b, samples=2000)
    right = [scipy.stats.multivariate_normal(mean, covariance).cdf(bounds) for mean in means]
    assert (np.abs(found.probability.numpy() - right) < 4.5 * found.se.numpy()).all()


def test_one_draw_with_nearly_all_the_weight_has_an_error() -> None:
    values = torch.tensor([[0.9], [0.1], [0.1], [0.1]], dtype=torch.float64)
    log_weight = torch.tensor([[40.0], [0.0], [0.0], [0.0]], dtype=torch.float64)
    value, se = mean_and_error(values, log_weight)
    assert value.item() == pytest.approx(0.9)
    assert se.item() > 0.5


def test_equal_weights_give_the_error_of_a_mean() -> None:
    values = torch.rand(500, 3, dtype=torch.float64)
    value, se = mean_and_error(values, torch.zeros_like(values))
    torch.testing.assert_close(value, values.mean(0))
    torch.testing.assert_close(se, (values.var(0) / 500 + 1 / 501**2).sqrt())


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[likely.Run, pd.DataFrame, Path]:
    made = tmp_path_factory.mktemp("asking")
    rng = np.random.default_rng(0)
    a = rng.normal(size=600)
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta((30 * a + 20 * rng.normal(size=600)).round() + 100, unit="D")
    frame = pd.DataFrame(
        {
            "a": a.round(1),
            "s": np.where(a + 0.3 * rng.normal(size=600) > 0, "r & d", "other"),
            "n": rng.poisson(np.exp(a)),
            "day": day,
            "flag": a > 0.5,
            "r": rng.normal(size=600) + a,
        }
    )
    frame.to_parquet(made / "t.parquet")
    run = likely.fit(made / "t.parquet", out=made / "run", steps=300, latent=2, width=32, seed=0)
    return run, frame, made


@pytest.mark.filterwarnings("ignore:.*effective draws of z")
def test_what_the_row_says_of_the_event_itself_is_not_looked_at(
    fitted: tuple[likely.Run, pd.DataFrame, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("likely.tasks.draws.MAX_SAMPLES", 200)
    run, frame, _ = fitted
    rows = frame.iloc[:40]
    events = ["s=r & d", "a>0.5", "n>=2", "day>2024-04-09", "flag=True", "r<0", "a>0 & a<=1 & s=r & d"]
    found = run.ask(rows, events)
    assert found.columns.tolist() == [name for word in events for name in (word, f"{word} se_mc")]
    assert found[events].to_numpy().min() >= 0
    assert (found["s=r & d"][rows["a"] > 1].mean(), found["s=r & d"][rows["a"] < -1].mean()) > (0.8, 0.0)
    assert found["s=r & d"][rows["a"] < -1].mean() < 0.2
    both = run.ask(rows, ["a<=0", "a>0"])
    np.testing.assert_allclose(both["a<=0"] + both["a>0"], 1, atol=0.02)
    for word, name in zip(events[:6], ["s", "a", "n", "day", "flag", "r"], strict=True):
        for other in (rows.assign(**{name: rows[name].iloc[0]}), rows.drop(columns=name), rows.assign(**{name: None})):
            pd.testing.assert_frame_equal(run.ask(other, word), found[[word, f"{word} se_mc"]])


def test_a_row_has_its_number_whatever_its_neighbours(fitted: tuple[likely.Run, pd.DataFrame, Path]) -> None:
    run, frame, _ = fitted
    rows = frame.iloc[[5, 2, 9]]
    whole, alone = run.ask(rows, "s=other"), run.ask(rows.iloc[[1]], "s=other")
    assert whole.index.tolist() == [5, 2, 9]
    np.testing.assert_allclose(whole.iloc[[1]], alone, atol=1e-6)


def test_the_command_line_says_the_same(
    fitted: tuple[likely.Run, pd.DataFrame, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run, frame, made = fitted
    frame.iloc[:7].drop(columns="s").to_csv(made / "new.csv", index=False)
    words = ["ask", str(made / "run"), str(made / "new.csv"), "s=r & d", "n>1", "-o", str(made / "p.csv")]
    assert main(words) == 0
    found = pd.read_csv(made / "p.csv")
    assert found.columns.tolist() == ["row", "s=r & d", "s=r & d se_mc", "n>1", "n>1 se_mc"]
    np.testing.assert_allclose(found["s=r & d"], run.ask(frame.iloc[:7], "s=r & d")["s=r & d"], rtol=1e-5)
    capsys.readouterr()


def test_what_has_no_probability_is_refused(fitted: tuple[likely.Run, pd.DataFrame, Path]) -> None:
    run, frame, _ = fitted
    with pytest.raises(ConfigError, match="single number has probability 0"):
        run.ask(frame, "r=0.5")
    with pytest.raises(ConfigError, match="did you mean"):
        run.ask(frame, "flagg=True")
    with pytest.raises(ConfigError, match="ask about an event"):
        run.ask(frame, [])
    given = likely.fit(frame, condition="s", steps=5, latent=2)
    with pytest.raises(ConfigError, match="fit without --condition s"):
        given.ask(frame, "s=other")
