"""Values of a grid that many rows hold have a mass of their own in every baseline, as they have in the model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from likely.data import Rows, Schema, encode, infer_schema
from likely.evaluation.baselines.fitted import Baselines, fit_baselines

RNG = np.random.default_rng(0)


def fitted(frame: pd.DataFrame) -> tuple[Schema, Baselines]:
    schema = infer_schema(Rows(frame), "table")
    return schema, fit_baselines(schema, encode(schema, frame), latent=1)


@pytest.mark.parametrize("kind", ["count", "levels"])
def test_masses_of_all_cells_sum_to_one(kind: str) -> None:
    other = 3 + RNG.negative_binomial(2, 0.02, 400) if kind == "count" else RNG.integers(3, 60, 400)
    numbers = np.where(RNG.random(400) < 0.5, 0, other)
    schema, baselines = fitted(pd.DataFrame({"x": numbers}))
    assert (schema.columns[0].kind, schema.columns[0].spikes) == (kind, (0.0,))
    every = encode(schema, pd.DataFrame({"x": np.arange(-20_000, 20_000)}))
    for one in baselines.score(every):
        p = np.exp(one.nats)
        assert p.sum() == pytest.approx(1, abs=1e-6 + 1 / 400 / 20_000), one.name
        if one.name == "marginals" and kind == "count":
            assert p[20_000] == pytest.approx((numbers == 0).mean(), abs=0.02)


def test_a_spike_of_a_grid_counts_as_an_atom_of_reals_does() -> None:
    zero = RNG.random(3000) < 0.6
    other = RNG.normal(size=3000) + 2 * zero
    x = np.where(zero, 0.0, RNG.normal(500, 100, 3000).round(2))
    grid = pd.DataFrame({"x": x, "other": other})
    reals = grid.assign(x=np.where(zero, 0.0, x + RNG.uniform(-0.005, 0.005, 3000)))
    means = []
    for frame in (grid, reals):
        schema, baselines = fitted(frame[:2000])
        found = schema.columns[0]
        assert (found.spikes or found.atoms) == (0.0,)
        scores = baselines.score(encode(schema, frame[2000:]))
        means.append({one.name: float(one.nats.mean()) for one in scores})
    in_cells = (~zero[2000:]).mean() * np.log(0.01)  # a density in cells of 0.01
    for name, nats in means[0].items():
        assert nats == pytest.approx(means[1][name] + in_cells, abs=0.15), name
