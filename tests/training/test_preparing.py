"""What training knows of rows beforehand: the same numbers as without it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import likely
from likely.data import EncodedRows, ResidentRows, encode
from likely.likelihoods import Atoms, Categorical, Columns, Listed, Resolutions, Warped
from likely.objectives import ELBO, Loss
from likely.training import preparing
from likely.training.preparing import with_step_constants


def table(rows: int = 400) -> pd.DataFrame:
    """Columns of every form that a table has: a real, an atom, listed and rounded numbers, few and many categories."""
    draw = np.random.default_rng(0)
    z = draw.normal(size=rows)
    tens = draw.random(rows) < 0.5
    return pd.DataFrame(
        {
            "real": z + draw.normal(size=rows),
            "atom": np.where(draw.random(rows) < 0.4, 0.0, np.exp(z)),
            "listed": np.choose(draw.integers(0, 3, rows), [0.5, 1.0, 4.0]),
            "rounded": np.where(tens, (300 + 90 * z).round(-1), (300 + 90 * z).round()),
            "few": draw.choice(["a", "b", "c"], rows),
            "many": [f"town {one}" for one in draw.integers(0, 40, rows)],
            "missing": np.where(draw.random(rows) < 0.3, np.nan, z.round(1)),
        }
    )


@pytest.fixture(scope="module")
def run() -> likely.Run:
    return likely.fit(table(), steps=30)


def families(likelihood: object) -> set[type]:
    if isinstance(likelihood, Columns):
        return set().union(*(families(one) for one in likelihood.families))
    return {type(likelihood)} | (families(likelihood.base) if isinstance(likelihood, Atoms) else set())


def both(run: likely.Run, rows: EncodedRows) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """The loss and its gradients without and with what is known beforehand."""
    index, found = torch.randperm(len(rows))[:64], []
    for one in (rows, with_step_constants(run.model, rows)):
        run.model.zero_grad()
        generator = torch.Generator().manual_seed(0)
        loss, _ = Loss(run.model, ELBO())(one.training_batch(index), 1.0, generator)
        loss.backward()
        weights = run.model.parameters()
        found.append([loss.detach(), *(w.grad.clone() for w in weights if w.grad is not None)])
    return found[0], found[1]


def test_loss_and_gradients_are_those_of_rows_that_nothing_is_known_of(run: likely.Run) -> None:
    assert families(run.model.p_x_z) >= {Atoms, Categorical, Listed, Resolutions, Warped}
    rows = run.encoded(table())
    assert rows.observed is not None
    for plain, known in zip(*both(run, rows), strict=True):
        torch.testing.assert_close(plain, known, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_rows_that_training_never_saw_are_known_too(run: likely.Run) -> None:
    frame = table(80)
    frame.loc[0, "few"], frame.loc[1, "many"], frame.loc[2, "listed"] = "never", "never", 2.25
    frame.loc[3, "rounded"], frame.loc[4, "atom"] = 1e6, 1e3
    rows = encode(run.schema, frame)
    batch = with_step_constants(run.model, rows).evaluation_batch(torch.arange(80))
    assert batch.prepared is not None
    with torch.no_grad():
        z = run.model.prior().sample(torch.Size((3, 80)))
        torch.testing.assert_close(
            run.model.log_px_z(batch, z), run.model.log_px_z(replace(batch, prepared=None), z), rtol=1e-5, atol=1e-5
        )


def test_rows_that_are_taken_or_moved_are_known_no_more(run: likely.Run) -> None:
    rows = with_step_constants(run.model, run.encoded(table()))
    assert isinstance(rows, ResidentRows)
    assert rows.prepared is not None
    assert rows.take(torch.arange(5)).prepared is None
    assert rows.to("cpu").prepared is None


def test_large_tables_and_pictures_are_not_known_beforehand(run: likely.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = run.encoded(table())
    monkeypatch.setattr(preparing, "MAX_CELLS", 100)
    assert with_step_constants(run.model, rows) is rows
    bytes_ = ResidentRows(torch.zeros(5, 2, dtype=torch.uint8))
    assert with_step_constants(run.model, bytes_) is bytes_
