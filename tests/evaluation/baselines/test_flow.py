"""The flow that is trained as long as the model: its bound, its seed, what it is refused for, and its arrays."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from likely.data import EncodedRows, Rows, Schema, encode, infer_schema
from likely.errors import RunError
from likely.evaluation.baselines import flow as flows
from likely.evaluation.baselines.boxes import Boxes
from likely.evaluation.baselines.flow import Budget, FlowRival, fit_flow, refusal

QUICK = Budget(0.5)


def grid(rng: np.random.Generator, rows: int = 400) -> pd.DataFrame:
    z = rng.standard_normal(rows)
    return pd.DataFrame({"a": np.round(8 * z), "b": np.round(6 * np.abs(z) + 2 * rng.standard_normal(rows))})


def encoded(frame: pd.DataFrame) -> tuple[Schema, EncodedRows]:
    schema = infer_schema(Rows(frame), "table")
    return schema, encode(schema, frame)


def exact(rival: FlowRival, values: torch.Tensor, cuts: int = 40) -> np.ndarray:
    """log of the integral of the density over the boxes of rows of two cells, by the midpoint rule."""
    boxes = Boxes.of(rival.cells.read(values))
    assert len(boxes.lower) == 1
    middle = (torch.arange(cuts, dtype=torch.float64) + 0.5) / cuts
    u = torch.cartesian_prod(middle, middle).unsqueeze(1).expand(-1, len(values), -1)
    with torch.no_grad():
        log_f = rival.flow().log_prob(boxes.at(u, u).flatten(0, 1).float()).double().view(cuts**2, -1)
    return (torch.logsumexp(log_f, 0) - np.log(cuts**2) + boxes.log_volume).numpy()


def test_the_bound_is_below_quadrature_in_the_mean_and_near_it(rng: np.random.Generator) -> None:
    schema, rows = encoded(grid(rng))
    rival = fit_flow(schema, rows, None, QUICK)
    rows = rows.take(torch.arange(100))
    assert "lower bound" in rival.kind
    nothing = np.full(len(rows), -np.inf)
    fine = exact(rival, rows.stored().values) + np.log1p(-1 / (rival.rows + 1))
    off = np.stack([rival.score(rows, nothing, seed=seed).nats - fine for seed in range(4)])
    assert off.mean() < 3 * off.mean(0).std() / np.sqrt(len(rows)) + 1e-6
    assert off.mean() == pytest.approx(0, abs=0.01)
    assert rival.score(rows, nothing).bound


def test_masses_of_all_cells_are_at_most_one(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "POINTS", 16)
    schema, rows = encoded(grid(rng))
    rival = fit_flow(schema, rows, None, QUICK)
    every = pd.DataFrame([(a, b) for a in range(-70, 70) for b in range(-30, 60)], columns=["a", "b"])
    nats = rival.score(encode(schema, every), np.full(len(every), -np.inf)).nats
    assert nats is not None
    assert 0.97 < np.exp(nats).sum() < 1.01


def test_no_row_is_impossible_and_a_row_does_not_depend_on_others(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows, "POINTS", 16)
    schema, rows = encoded(grid(rng))
    rival = fit_flow(schema, rows, None, QUICK)
    marginals = np.linspace(-20, -5, len(rows))
    far = encode(schema, pd.DataFrame({"a": [1e9, 0.0], "b": [-1e9, 4.0]}))
    assert rival.score(far, np.array([-50.0, -9.0])).nats[0] == pytest.approx(-50 - np.log(len(rows) + 1), abs=1e-6)
    found, index = rival.score(rows, marginals).nats, rng.permutation(len(rows))
    again = rival.score(rows.take(torch.as_tensor(index)), marginals[index]).nats
    np.testing.assert_allclose(again, found[index], rtol=1e-5)
    other = rival.score(rows, marginals, seed=1).nats
    assert (other != found).any()


def test_steps_and_the_seed_decide_everything(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    schema, rows = encoded(grid(rng))
    monkeypatch.setattr(flows, "_steps", lambda *_: 30)
    monkeypatch.setattr(flows, "POINTS", 16)
    state = torch.random.get_rng_state()
    first, again, other = (fit_flow(schema, rows, rows, Budget(1.0, seed)) for seed in (0, 0, 1))
    assert (torch.random.get_rng_state() == state).all()
    marginals = np.full(len(rows), -9.0)
    np.testing.assert_array_equal(first.score(rows, marginals).nats, again.score(rows, marginals).nats)
    assert (first.score(rows, marginals).nats != other.score(rows, marginals).nats).any()
    assert first.kind == again.kind
    assert "30 steps" in first.kind


def test_training_takes_about_the_seconds_and_tells_its_steps(rng: np.random.Generator) -> None:
    schema, rows = encoded(grid(rng))
    told: list[tuple[int, int]] = []
    budget = Budget(2.0, clock=time.process_time, progress=lambda done, total: told.append((done, total)))
    started = time.process_time()
    fit_flow(schema, rows, rows, budget)
    assert 1.0 < time.process_time() - started < 4.5
    assert told[-1][0] == told[-1][1] == len(told)


def test_held_out_rows_keep_the_weights_that_they_like_best(rng: np.random.Generator) -> None:
    schema, rows = encoded(grid(rng, 40))
    held = encode(schema, grid(rng, 200))
    made = fit_flow(schema, rows, held, Budget(2.0))
    last = fit_flow(schema, rows, None, Budget(2.0))
    nothing = np.full(len(held), -60.0)
    assert made.score(held, nothing).nats.mean() > last.score(held, nothing).nats.mean()


def test_resolutions_and_two_values_are_in_its_boxes(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "POINTS", 16)
    z = rng.standard_normal(600)
    step = rng.choice([1, 10], 600, p=[0.1, 0.9])
    frame = pd.DataFrame({"a": np.round(100 * z / step) * step, "flag": np.where(z > 0, "yes", "no")})
    schema, rows = encoded(frame)
    assert schema.columns[0].resolutions
    rival = fit_flow(schema, rows, None, Budget(2.0))
    every = pd.DataFrame([(a, f) for a in range(-700, 700) for f in ("yes", "no")], columns=["a", "flag"])
    nats = rival.score(encode(schema, every), np.full(len(every), -np.inf)).nats
    assert nats is not None
    assert 0.9 < np.exp(nats).sum() < 1.02


def test_what_cannot_be_fitted_is_refused_in_words(rng: np.random.Generator) -> None:
    z = rng.standard_normal(300)
    town = pd.DataFrame({"town": rng.choice(list("abc"), 300), "z": z})
    assert refusal(*encoded(town)) == "they need numeric columns, and 'town' is categorical"
    rain = pd.DataFrame({"rain": np.where(z < 0, 0.0, z), "z": z})
    assert "no masses at single numbers, as column 'rain' has at 0" in refusal(*encoded(rain))
    gaps = pd.DataFrame({"a": np.where(z < -1, np.nan, z), "b": z})
    assert "missing cells" in refusal(*encoded(gaps))
    assert "for tables" in refusal(replace(encoded(grid(rng))[0], cells_alike=True))
    assert not refusal(*encoded(grid(rng)))


def test_it_comes_back_from_arrays_and_other_arrays_are_refused(rng: np.random.Generator) -> None:
    schema, rows = encoded(grid(rng))
    rival = fit_flow(schema, rows, None, QUICK)
    arrays = {name: array.copy() for name, array in rival.to_arrays().items()}
    again = FlowRival.from_arrays(schema, arrays)
    marginals = np.full(len(rows), -9.0)
    np.testing.assert_array_equal(again.score(rows, marginals).nats, rival.score(rows, marginals).nats)
    assert (again.kind, again.rows) == (rival.kind, 400)
    for name in ("facts", next(name for name in arrays if name.startswith("flow."))):
        with pytest.raises(RunError, match=r"rivals\.safetensors"):
            FlowRival.from_arrays(schema, {key: array for key, array in arrays.items() if key != name})
