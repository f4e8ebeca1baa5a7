"""The rivals of the benchmark of tables: normalised, and each parameter of the masked network with its own cell."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import likely
import tables_rivals
from likely.data import encode
from likely.evaluation.baselines import warped
from tables_rivals import NAMES, Autoregressive, kernels, owners, rivals


def test_rivals_score_the_test_rows_and_those_with_masses_sum_to_one(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warped, "COUNTS", (1, 2))
    monkeypatch.setattr(tables_rivals, "WIDTHS", (0.2, 0.5))
    z = rng.standard_normal(300)
    held = np.where(z < -0.5, 0, np.round(20 * np.exp(0.5 * z))).astype(int)
    frame = pd.DataFrame({"a": np.round(9 * z + 3 * rng.standard_normal(300)).astype(int), "b": held})
    run = likely.fit(frame, steps=2, width=32, blocks=1)
    assert [column.spikes for column in run.schema.modelled] == [(), (0.0,)]
    marginals = run.assess(samples=5, anneal=0).frame()["marginals"].to_numpy()
    found = rivals(run, marginals, 0.5)
    assert all(np.isfinite(found[name]).all() and len(found[name]) == len(run.division.test) for name in NAMES)
    source = run.training_source()
    train, validation = (run.encoded(run.division.rows(source, part)) for part in ("train", "validation"))
    values = train.stored().values
    owner = owners(run.model.p_x_z, values)
    assert len(owner) == run.model.p_x_z.parameter_shape.numel()
    assert set(owner.tolist()) == {0, 1}
    every = pd.DataFrame([(a, b) for a in range(-55, 55) for b in range(-20, 130)], columns=["a", "b"])
    rows = encode(run.schema, every).stored().values
    law, _ = kernels(run, train, validation)
    network = Autoregressive.trained(run, train, validation, 0.5)
    for log_p in (law.log_prob(law.seen(rows)), network.log_prob(rows)):
        assert abs(float(log_p.double().exp().sum()) - 1) < 1e-3
