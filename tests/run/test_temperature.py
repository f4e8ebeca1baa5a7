"""Draws at a temperature: the normal numbers behind z are scaled, nothing else."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

import likely
from likely.assembly import resolve
from likely.cli import main
from likely.config import Config
from likely.data import Column, Schema
from likely.distributions import DiagonalNormal, LatentMixture
from likely.distributions.members import Members, member_of
from likely.run.tempering import tempered

FRAME = pd.DataFrame({"a": np.arange(80.0) % 7 + 0.25, "b": np.tile([0.5, 1.25, 2.5, 9.75], 20)})


def mixture() -> LatentMixture:
    means = torch.tensor([[-50.0, 0.0], [50.0, 0.0]])
    return LatentMixture(torch.tensor([1.0, 3.0]).log(), DiagonalNormal(means, torch.zeros(2, 2)))


def test_the_spread_within_a_component_is_scaled_and_not_which_component_it_is() -> None:
    torch.manual_seed(0)
    z = tempered(mixture(), 4000, 0.25)
    right = z[:, 0] > 0
    assert right.float().mean().item() == pytest.approx(0.75, abs=0.03)
    for side, mean in ((z[right], 50.0), (z[~right], -50.0)):
        assert side[:, 0].mean().item() == pytest.approx(mean, abs=0.05)
        np.testing.assert_allclose(side.std(0), [0.25, 0.25], rtol=0.1)


def test_the_member_of_an_ensemble_is_chosen_as_before() -> None:
    torch.manual_seed(0)
    z = tempered(Members([mixture(), mixture()]), 4000, 0.0)
    assert member_of(z, 2).float().mean().item() == pytest.approx(0.5, abs=0.03)
    assert z[:, 0].std().item() == pytest.approx(1, abs=0.05)
    assert (z[:, 1] > 0).float().mean().item() == pytest.approx(0.75, abs=0.03)
    assert z[:, 1].abs().unique().tolist() == [50.0]


@pytest.mark.parametrize("prior", ["normal", "diagonal", "flow:2", "ladder:2", "mixture:3", "vamp:3"])
def test_zero_is_the_middle_and_one_is_the_prior(prior: str) -> None:
    column = Column("x", "float64", "real", "", 0.0, 1.0, low=-9.0, high=9.0)
    schema = Schema("array", (3,), (column,), 20, cells_alike=True)
    torch.manual_seed(0)
    model = resolve(Config().replace({"prior": prior, "latent": 4, "width": 8}), schema).build().eval()
    with torch.no_grad():
        p = model.prior()
        middle = tempered(p, 50, 0.0)
        assert len(middle.unique(dim=0)) <= 3
        torch.manual_seed(1)
        drawn = tempered(p, 5, 1.0)
        torch.manual_seed(1)
        torch.testing.assert_close(drawn, p.sample(torch.Size((5,))))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> likely.Run:
    return likely.fit(FRAME, prior="normal", steps=20, width=16, out=tmp_path_factory.mktemp("t") / "run")


def test_rows_say_that_they_are_no_draws_of_p_x(run: likely.Run) -> None:
    with pytest.warns(UserWarning, match=r"temperature 0\.5: these rows are no draws of P\(x\)"):
        cold = run.sample(5, temperature=0.5)
    assert cold.attrs["temperature"]["temperature"] == 0.5
    assert "no draws of P(x)" in cold.attrs["temperature"]["meaning"]
    assert "temperature" not in run.sample(5, temperature=1.0).attrs
    pd.testing.assert_frame_equal(run.sample(5, temperature=1.0), run.sample(5))


def test_an_arrow_table_says_it_in_its_metadata() -> None:
    run = likely.fit(pa.Table.from_pandas(FRAME, preserve_index=False), prior="normal", steps=1, width=8)
    with pytest.warns(UserWarning, match=r"no draws of P\(x\)"):
        cold = run.sample(5, temperature=0.5)
    assert cold.schema.metadata[b"temperature"] == b"0.5"
    assert b"no draws of P(x)" in cold.schema.metadata[b"meaning"]
    assert not run.sample(5).schema.metadata


@pytest.mark.filterwarnings("always")
def test_the_command_says_so_too(run: likely.Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", str(run.directory), "-n", "3", "--temperature", "0.5"]) == 0
    out, err = capsys.readouterr()
    assert "no draws of P(x)" in err
    assert len(out.splitlines()) == 4
    assert main(["sample", str(run.directory), "-n", "3", "--temperature", "0.5", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["temperature"]
    assert told["temperature"] == 0.5
    assert "no draws of P(x)" in told["meaning"]
    assert main(["sample", str(run.directory), "-n", "3", "--json"]) == 0
    assert "temperature" not in json.loads(capsys.readouterr().out)


def test_where_it_means_nothing_it_is_refused(run: likely.Run) -> None:
    for told in (-1.0, float("nan"), float("inf")):
        with pytest.raises(likely.ConfigError, match="temperature must be a number from 0 on"):
            run.sample(2, temperature=told)
    with pytest.raises(likely.ConfigError, match="leave one out"):
        run.sample(2, temperature=0.5, given=["a>2"])
    shapes: list[dict[str, Any]] = [{"prior": "sphere"}, {"prior": "categorical:2:3"}]
    for shape in shapes:
        other = likely.fit(FRAME, steps=1, width=8, **shape)
        with pytest.raises(likely.ConfigError, match="a unit vector, a code or one of a list"):
            other.sample(2, temperature=0.5)
