"""What a fit takes where nobody says so."""

import numpy as np
import pandas as pd
import pytest

import likely
from likely.assembly import resolve
from likely.config import Config
from likely.data import infer_schema
from likely.data.source import Rows


def resolved(rows: int, columns: int, **options: object) -> Config:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(rows, columns)))
    return resolve(Config().replace(options), infer_schema(Rows(frame), "table")).config


@pytest.mark.parametrize(
    ("rows", "columns", "latent", "width", "blocks", "prior", "steps"),
    [
        (20, 3, 3, 64, 2, "mixture:2", 200),
        (100, 3, 3, 64, 2, "mixture:10", 200),
        (140, 3, 3, 64, 2, "mixture:14", 280),
        (150, 3, 3, 64, 2, "mixture:15", 1837),
        (900, 9, 9, 128, 2, "mixture:50", 2200),
        (20_000, 10, 10, 128, 1, "mixture:50", 3000),
        (20_000, 15, 15, 256, 1, "mixture:50", 5400),
    ],
)
def test_a_table_s_sizes_follow_its_rows_and_columns(
    rows: int, columns: int, latent: int, width: int, blocks: int, prior: str, steps: int
) -> None:
    found = resolved(rows, columns)
    assert (found.model.latent, found.model.width, found.model.blocks) == (latent, width, blocks)
    assert (found.model.prior, found.training.max_steps) == (prior, steps)


@pytest.mark.parametrize(
    ("rows", "side", "width"), [(499, 8, 64), (500, 8, 192), (4999, 8, 192), (5000, 8, 256), (600, 23, 256)]
)
def test_pictures_of_few_rows_have_a_wider_network_than_tables(rows: int, side: int, width: int) -> None:
    pictures = np.random.default_rng(0).integers(0, 2, (rows, side, side))
    found = resolve(Config(), infer_schema(Rows(pictures), "images")).config
    assert found.model.width == width


def test_a_batch_is_an_eighth_of_the_rows_and_a_sixteenth_of_few() -> None:
    sizes = [resolved(rows, 3).training.batch_size for rows in (100, 400, 499, 500, 900, 3000, 20_000)]
    assert sizes == [32, 32, 32, 64, 128, 512, 512]
    assert [resolved(20_000, columns).training.batch_size for columns in (12, 13)] == [512, 256]


def test_few_rows_are_learnt_at_twice_the_rate() -> None:
    assert [resolved(rows, 3).training.learning_rate for rows in (149, 150)] == [8e-3, 4e-3]


@pytest.mark.parametrize(("share", "steps"), [(0.0, 2200), (0.04, 2200), (0.4, 4400)])
def test_missing_cells_are_given_more_steps(share: float, steps: int) -> None:
    cells = np.random.default_rng(0).normal(size=900 * 9)
    cells[: round(share * len(cells))] = np.nan
    frame = pd.DataFrame(np.random.default_rng(1).permutation(cells).reshape(900, 9))
    found = resolve(Config(), infer_schema(Rows(frame), "table")).config
    assert found.training.max_steps == steps


def test_what_is_told_stands() -> None:
    found = resolved(900, 9, latent=2, width=8, prior="normal", learning_rate=1e-3, max_steps=50)
    assert (found.model.latent, found.model.width, found.model.prior) == (2, 8, "normal")
    assert (found.training.learning_rate, found.training.max_steps) == (1e-3, 50)


def test_an_objective_that_takes_the_kl_by_its_dimensions_keeps_the_standard_normal() -> None:
    assert resolved(900, 9, objective="free-bits:0.1").model.prior == "normal"
    assert resolved(900, 9, objective="iwae:5").model.prior == "mixture:50"


def test_pictures_and_conditions_keep_the_standard_normal() -> None:
    draw = np.random.default_rng(0)
    assert likely.fit(draw.normal(size=(200, 3, 3)), steps=1).config.model.prior == "normal"
    frame = pd.DataFrame({"x": draw.normal(size=200), "y": draw.choice(["a", "b"], 200)})
    assert likely.fit(frame, condition="y", steps=1).config.model.prior == "normal"


def test_the_most_steps_of_a_fit_without_a_budget() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 2)))
    assert likely.fit(frame, max_steps=20, width=8).facts["steps"] <= 20
