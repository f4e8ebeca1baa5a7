"""Baselines: normalised in the schema's measure, exact where there is a closed form, the true family first."""

from __future__ import annotations

import gzip
import itertools
import lzma
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch
from PIL import Image, features

from likely.data import Column, EncodedRows, Form, ResidentRows, Rows, Schema, SchemaOptions, encode, infer_schema
from likely.evaluation import Baselines, compress, fit_baselines
from likely.evaluation.baselines.cells import NumericCells
from likely.evaluation.baselines.gaussian import Training, full, ppca

LAWS = ("marginals", "gaussian", "gaussian_mixture", "ppca")
OF_TABLES = (*LAWS, "gaussian_mixture_warped")


def rows_of(values: np.ndarray) -> EncodedRows:
    return ResidentRows(torch.as_tensor(np.asarray(values, dtype=np.float64)))


def fitted(values: pd.DataFrame | np.ndarray, form: Form = "table", latent: int = 1) -> tuple[Schema, Baselines]:
    kinds = {"level": "levels"} if isinstance(values, pd.DataFrame) and "level" in values.columns else {}
    schema = infer_schema(Rows(values), form, SchemaOptions(kinds=kinds))
    return schema, fit_baselines(schema, encode(schema, values), latent=latent)


def nats(baselines: Baselines, rows: EncodedRows) -> dict[str, np.ndarray]:
    return {made.name: made.nats for made in baselines.score(rows) if made.nats is not None}


def totals(baselines: Baselines, every: np.ndarray) -> dict[str, float]:
    return {name: float(np.exp(found).sum()) for name, found in nats(baselines, rows_of(every)).items()}


def mixed(rng: np.random.Generator, rows: int = 150) -> pd.DataFrame:
    """Levels, a grid, two categories and three, reals: all of them dependent."""
    z = rng.standard_normal(rows)
    return pd.DataFrame(
        {
            "level": np.clip(np.round(2 * z + rng.standard_normal(rows) + 4), 0, 8).astype(int),
            "flag": np.where(z + rng.standard_normal(rows) > 0.5, "yes", "no"),
            "grid": np.round(30 * z + 40 * rng.standard_normal(rows), 1),
            "real": z + 0.3 * rng.standard_normal(rows),
            "colour": rng.choice(["red", "green", "blue"], rows, p=[0.6, 0.3, 0.1]),
        }
    )


def beyond(column: Column) -> list[float]:
    """Every value of a counted column: the known ones, and those outside up to a mass of 1e-4 of the reserve."""
    if column.kind == "categorical":
        return [-1.0, *range(len(column.categories))]
    low, high = int(column.low or 0), int(column.high or 0)
    return [float(value) for value in range(low - 200, high + 201)]


def test_masses_of_a_table_sum_to_one(rng: np.random.Generator) -> None:
    frame = mixed(rng)[["level", "flag", "colour"]]
    schema, baselines = fitted(frame)
    every = np.array(list(itertools.product(*(beyond(column) for column in schema.modelled))))
    lost = schema.modelled[0].reserve / 201  # farther than 200 levels outside
    assert totals(baselines, every) == pytest.approx(dict.fromkeys(OF_TABLES, 1 - lost), abs=1e-9)


def test_masses_of_bits_and_of_hard_levels_sum_to_one(rng: np.random.Generator) -> None:
    bits = (rng.random((80, 3)) < [0.02, 0.5, 0.7]).astype(np.uint8)
    bits[:, 2] |= bits[:, 1]
    bits[:2] = [[0, 1, 1], [1, 0, 0]]
    schema, baselines = fitted(bits, "array")
    every = np.array(list(itertools.product((0, 1), repeat=3)))
    assert schema.columns[0].kind == "binary"
    assert totals(baselines, every) == pytest.approx(dict.fromkeys(LAWS, 1.0), abs=1e-12)
    pairs = np.clip(rng.normal([40, 250], 9, (60, 2)).round(), 0, 255).astype(np.uint8)
    pairs[:, 1] = np.maximum(pairs[:, 1], pairs[:, 0])
    schema, baselines = fitted(pairs, "array")
    every = np.array(list(itertools.product(range(256), repeat=2)))
    assert schema.columns[0].hard
    assert totals(baselines, every) == pytest.approx(dict.fromkeys(LAWS, 1.0), abs=1e-10)


def test_masses_of_grids_and_a_density_sum_to_one(rng: np.random.Generator) -> None:
    z = rng.standard_normal(200)
    frame = pd.DataFrame(
        {"grid": np.round(3 * z + rng.standard_normal(200)).astype(int), "real": z + 0.5 * rng.standard_normal(200)}
    )
    schema = infer_schema(Rows(frame), "table", SchemaOptions(kinds={"grid": "grid"}))
    baselines = fit_baselines(schema, encode(schema, frame), latent=1)
    assert [column.kind for column in schema.modelled] == ["grid", "real"]
    edges = np.linspace(-10, 10, 1601)
    every = np.array(list(itertools.product(np.arange(-40, 41), edges)))
    found, whole = totals(baselines, every), 1 / (edges[1] - edges[0])
    assert found.pop("gaussian_mixture_warped") == pytest.approx(whole, rel=1e-2)  # its density has steps at the knots
    assert found == pytest.approx(dict.fromkeys(LAWS, whole), rel=1e-6)


def test_real_columns_have_scipys_density_in_data_units(rng: np.random.Generator) -> None:
    shape = np.array([[3.0, 0, 0], [200.0, 80, 0], [0.02, -0.01, 0.004]])
    x = rng.standard_normal((400, 3)) @ shape.T + [5, -1000, 0.1]
    schema, baselines = fitted(pd.DataFrame(x, columns=list("abc")), latent=2)
    scale = np.array([column.scale for column in schema.modelled])
    found, given = nats(baselines, rows_of(x[:50])), baselines.gaussians["gaussian"]
    ridge = np.diag(given.factors[0].numpy() @ given.factors[0].numpy().T - np.cov((x / scale).T, bias=True))
    assert np.allclose(ridge, ridge[0])
    assert ridge[0] > 0
    law = scipy.stats.multivariate_normal(x.mean(0), np.cov(x.T, bias=True) + np.diag(ridge * scale**2))
    assert np.allclose(found["gaussian"], law.logpdf(x[:50]), atol=1e-8)


def test_a_mixture_is_the_sum_of_its_components(rng: np.random.Generator) -> None:
    x = np.concatenate([rng.normal([0, 0], [1, 0.2], (300, 2)), rng.normal([6, 3], [0.3, 1], (200, 2))])
    _, baselines = fitted(pd.DataFrame(x, columns=["a", "b"]))
    law = baselines.gaussians["gaussian_mixture"]
    cells = law.cells
    dense = sum(
        weight
        * scipy.stats.multivariate_normal(
            (mean * cells.scale + cells.shift).numpy(), np.outer(cells.scale, cells.scale) * (factor @ factor.T).numpy()
        ).pdf(x[:40])
        for weight, mean, factor in zip(law.log_weights.exp().numpy(), law.means, law.factors, strict=True)
    )
    assert len(law.means) >= 2
    assert np.allclose(nats(baselines, rows_of(x[:40]))["gaussian_mixture"], np.log(dense), atol=1e-8)


def test_pca_of_all_but_one_dimension_is_the_full_gaussian(rng: np.random.Generator) -> None:
    x = rng.standard_normal((500, 4)) @ rng.standard_normal((4, 4)) + 0.1 * rng.standard_normal((500, 4))
    schema = infer_schema(Rows(pd.DataFrame(x, columns=list("abcd"))), "table")
    training = Training.of(NumericCells.of(schema, lambda _: True), torch.from_numpy(x))
    seen = training.cells.read(torch.from_numpy(x[:200]))
    exact = full(training)[0].log_prob(seen)
    distance = [float((ppca(training, latent).log_prob(seen) - exact).abs().mean()) for latent in (1, 2, 3, 9)]
    assert distance[0] > 10 * distance[2]
    assert distance[1] > 2 * distance[2]
    assert distance[2] < 0.05
    assert distance[3] == distance[2]


def test_a_gaussian_beats_its_marginals_by_the_mutual_information(rng: np.random.Generator) -> None:
    rho, rows = 0.8, 2000
    z = rng.standard_normal((2 * rows, 2))
    x = np.stack([z[:, 0], rho * z[:, 0] + math.sqrt(1 - rho**2) * z[:, 1]], 1)
    for step in (0.0, 0.05):
        values = np.round(x / step) * step if step else x
        frame = pd.DataFrame(values.round(2) if step else values, columns=["a", "b"])
        schema = infer_schema(Rows(frame[:rows]), "table")
        baselines = fit_baselines(schema, encode(schema, frame[:rows]), latent=1)
        found = nats(baselines, encode(schema, frame[rows:]))
        gain = found["gaussian"] - found["marginals"]
        error = 4 * gain.std() / math.sqrt(rows) + 0.01
        assert baselines.measure == ("mass" if step else "density")
        assert gain.mean() == pytest.approx(-0.5 * math.log(1 - rho**2), abs=error)
        assert abs((found["gaussian_mixture"] - found["gaussian"]).mean()) < 0.02


def test_a_mixture_beats_a_gaussian_where_rows_come_in_groups(rng: np.random.Generator) -> None:
    group = rng.integers(0, 3, 3000)
    x = rng.standard_normal((3000, 4)) + 8 * np.eye(4)[group]
    frame = pd.DataFrame(x, columns=list("abcd"))
    schema = infer_schema(Rows(frame[:2000]), "table")
    found = nats(fit_baselines(schema, encode(schema, frame[:2000]), latent=2), encode(schema, frame[2000:]))
    truth = scipy.special.logsumexp([scipy.stats.norm.logpdf(x[2000:] - 8 * np.eye(4)[k]).sum(1) for k in range(3)], 0)
    assert (truth - math.log(3) - found["gaussian_mixture"]).mean() == pytest.approx(0, abs=0.06)
    assert (found["gaussian_mixture"] - found["gaussian"]).mean() > 1


def test_many_cells_share_one_covariance_within_components(rng: np.random.Generator) -> None:
    group = rng.integers(0, 2, 1500)
    level = 8 + np.where(group, 4, -4)[:, None] * np.where(np.arange(40) % 2, 1, -1) + rng.normal(0, 1.5, (1500, 40))
    values = np.clip(level.round(), 0, 16).astype(np.uint8)
    schema = infer_schema(Rows(values[:1000]), "array")
    baselines = fit_baselines(schema, encode(schema, values[:1000]), latent=1)
    found = nats(baselines, encode(schema, values[1000:]))
    law = baselines.gaussians["gaussian_mixture"]
    assert law.factors.shape == (1, 40, 40)
    assert len(law.means) > 1
    assert (found["gaussian_mixture"] - found["marginals"]).mean() > 15
    assert (found["gaussian_mixture"] - found["gaussian"]).mean() > 0


def test_a_row_does_not_depend_on_its_neighbours(rng: np.random.Generator) -> None:
    frame = mixed(rng)
    schema, baselines = fitted(frame)
    together, index = nats(baselines, encode(schema, frame)), rng.permutation(len(frame))
    for part in (frame.iloc[index[:1]], frame.iloc[index[:7]]):
        for name, alone in nats(baselines, encode(schema, part)).items():
            assert np.allclose(alone, together[name][index[: len(part)]], rtol=1e-12, atol=1e-10)


def test_arrays_give_back_the_same_laws(rng: np.random.Generator) -> None:
    frame = mixed(rng)
    schema, baselines = fitted(frame)
    arrays = {name: array.copy() for name, array in baselines.to_arrays().items()}
    assert all(array.dtype.kind in "fu" for array in arrays.values())
    again = Baselines.from_arrays(Schema.from_dict(schema.to_dict()), arrays)
    rows = encode(schema, frame)
    for one, other in zip(baselines.score(rows), again.score(rows), strict=True):
        assert (one.nats == other.nats).all()
        assert one.kind == other.kind
        assert one.bits_per_dim == other.bits_per_dim


def test_values_never_seen_have_the_schemas_reserve(rng: np.random.Generator) -> None:
    frame = mixed(rng)
    schema, baselines = fitted(frame)
    odd = frame.iloc[:4].assign(level=[10**6, -3, 4, 4], flag=["yes", "yes", "perhaps", "no"], grid=[0, 0, 0, 1e9])
    odd["colour"] = ["red", "red", "violet", "red"]
    found = nats(baselines, encode(schema, odd))
    assert all(np.isfinite(scores).all() for scores in found.values())
    near = nats(baselines, encode(schema, odd.assign(level=[9, 9, 9, 9])))
    reserve, high = schema.modelled[0].reserve, schema.modelled[0].high or 0
    shares = [math.log(reserve / 2 / (d * (d + 1))) for d in (10**6 - high, 9 - high)]
    for name in LAWS:
        assert found[name][0] - near[name][0] == pytest.approx(shares[0] - shares[1], abs=1e-9)


def test_two_rows_are_enough(rng: np.random.Generator) -> None:
    for rows in (2, 3, 7):
        schema, baselines = fitted(mixed(rng, rows))
        found = nats(baselines, encode(schema, mixed(rng, 20)))
        assert all(np.isfinite(scores).all() for scores in found.values())


def test_levels_made_bits_are_scored_as_bits(rng: np.random.Generator) -> None:
    levels = rng.integers(0, 256, (200, 5, 5)).astype(np.uint8)
    schema = infer_schema(Rows(levels), "images", SchemaOptions(binarize="dynamic"))
    rows = encode(schema, levels)
    found = nats(fit_baselines(schema, rows, latent=2), rows.binarised_once(1))
    assert all(scores.mean() == pytest.approx(-25 * math.log(2), abs=3) for scores in found.values())


def test_a_condition_is_left_out_and_said(rng: np.random.Generator) -> None:
    frame = mixed(rng)
    schema = infer_schema(Rows(frame), "table", SchemaOptions(conditions=["colour"]))
    made = fit_baselines(schema, encode(schema, frame), latent=1).score(encode(schema, frame))
    assert all("without y" in baseline.kind for baseline in made)
    without = nats(fitted(frame.drop(columns="colour"))[1], encode(schema, frame))
    assert (made[0].nats == without["marginals"]).all()


def test_masses_keep_their_digits_far_out_and_in_narrow_cells() -> None:
    column = Column("x", "float64", "grid", "", mean=0.0, scale=1.0, per_unit=1000)
    cells = NumericCells.of(Schema("table", (1,), (column,), 10, cells_alike=False), lambda _: True)
    for x, deviation in itertools.product((0.0, 0.5, 3.0, 30.0, 300.0), (1e-4, 1e-2, 0.49, 0.51, 1.0, 50.0)):
        seen = cells.read(torch.tensor([[x]]))
        found = float(cells.log_mass(seen, seen.y / deviation, torch.tensor([deviation], dtype=torch.float64)))
        low, high = (x - 5e-4) / deviation, (x + 5e-4) / deviation
        node, weight = np.polynomial.legendre.leggauss(60)
        if high - low < 0.5:
            exact = np.log(np.sum(weight * np.exp(0.5 * low**2 - 0.5 * (low + (high - low) * (node + 1) / 2) ** 2)))
            exact += math.log((high - low) / 2) - 0.5 * low**2 - 0.5 * math.log(2 * math.pi)
        else:
            exact = scipy.special.log_ndtr(-low) + math.log1p(
                -math.exp(scipy.stats.norm.logsf(high) - scipy.special.log_ndtr(-low))
            )
        assert found == pytest.approx(exact, rel=1e-9, abs=1e-9)


def test_compressed_sizes_are_those_of_files(rng: np.random.Generator, tmp_path: Path) -> None:
    levels = np.cumsum(rng.integers(-3, 4, (20, 9, 12)), 2).clip(-99, 99).astype(np.int16).astype(np.uint8)
    schema = infer_schema(Rows(levels), "images")
    found = {made.name: made for made in compress(schema, encode(schema, levels))}
    with gzip.GzipFile(tmp_path / "x.gz", "wb", 9, mtime=0) as file:
        file.write(levels.tobytes())
    with lzma.open(tmp_path / "x.xz", "wb", preset=9 | lzma.PRESET_EXTREME) as file:
        file.write(levels.tobytes())
    Image.fromarray(levels.reshape(-1, 12)).save(tmp_path / "x.png", optimize=True)
    sizes = {"gzip": "x.gz", "xz": "x.xz", "png": "x.png"}
    if features.check("webp"):
        Image.fromarray(levels.reshape(-1, 12)).save(tmp_path / "x.webp", lossless=True, quality=100, method=4)
        sizes["webp"] = "x.webp"
        assert "1 sheet" in found["webp"].kind
    for name, file_name in sizes.items():
        own_name = 5 if name == "gzip" else 0  # gzip writes the name `x` and a zero, which a stream in memory lacks
        size = (tmp_path / file_name).stat().st_size
        assert abs(found[name].bits_per_dim * levels.size / 8 - size) < own_name + 1e-6
        assert found[name].nats is None


def test_bits_are_packed_and_tables_go_column_by_column(rng: np.random.Generator) -> None:
    bits = (rng.random((64, 8, 8)) < 0.5).astype(np.uint8)
    schema = infer_schema(Rows(bits), "images")
    found = {made.name: made.bits_per_dim for made in compress(schema, encode(schema, bits))}
    assert all(1 <= found[name] < 1.2 for name in ("gzip", "xz"))
    assert 1 <= found["png"] < 2.5  # every line of eight bits has a byte that names its filter
    frame = mixed(rng)[["level", "flag", "grid"]]
    schema = infer_schema(Rows(frame), "table", SchemaOptions(kinds={"level": "levels"}))
    found = {made.name: made.bits_per_dim for made in compress(schema, encode(schema, frame))}
    packed = np.packbits((frame["flag"] == "yes").to_numpy()).tobytes()
    tenths = np.round(frame["grid"].to_numpy() * 10).astype(np.int16).tobytes()
    data = frame["level"].to_numpy().astype(np.uint8).tobytes() + packed + tenths
    assert set(found) == {"gzip", "xz"}
    assert found["gzip"] == 8 * len(gzip.compress(data, 9, mtime=0)) / frame.size
    assert compress(*with_reals(rng)) == []


def with_reals(rng: np.random.Generator) -> tuple[Schema, EncodedRows]:
    frame = mixed(rng)
    schema = infer_schema(Rows(frame), "table")
    return schema, encode(schema, frame)
