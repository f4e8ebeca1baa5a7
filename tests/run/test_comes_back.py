"""Frames of columns drawn at random: what goes in comes back, and a row's number depends on the row alone."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import likely
from likely.errors import DataError

ROWS, COLUMNS, FRAMES = 44, 9, 4
SMALL: dict[str, Any] = {"steps": 2, "latent": 2, "width": 8}
PARTS = ("train", "val", "test")
START = pd.Timestamp("2024-03-25")
Draw = np.random.Generator
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*effective draws"),
    pytest.mark.filterwarnings("ignore:cells are missing"),
    pytest.mark.filterwarnings("ignore:.*off the recorded grid"),
    pytest.mark.filterwarnings("ignore:.*cannot tell from its neighbours"),
    pytest.mark.filterwarnings("ignore:.*none of the values was seen"),
    pytest.mark.filterwarnings("ignore:.*have more digits than float64 tells"),
]


def reals(draw: Draw) -> np.ndarray:
    return np.asarray(draw.normal(size=ROWS) * 10.0 ** draw.integers(-3, 4))


def cents(draw: Draw) -> np.ndarray:
    return np.asarray(draw.integers(-3000, 9000, ROWS) / 100)


def counts(draw: Draw) -> np.ndarray:
    return np.asarray(draw.integers(0, draw.choice([3, 40, 100]), ROWS))


def hours(draw: Draw) -> pd.Series:
    return pd.Series(START + pd.to_timedelta(draw.integers(0, 400, ROWS), "h"))


def words(draw: Draw) -> np.ndarray:
    return np.asarray(draw.choice(["01234", "90210", "a b", "it's", 'say "so"', "é,ü"], ROWS), dtype=object)


def decimals(draw: Draw) -> list[decimal.Decimal]:
    return [decimal.Decimal(f"{value:.2f}") for value in cents(draw)]


def amounts(draw: Draw) -> list[str]:
    return [f"${value:,.2f}" for value in draw.integers(100_000, 9_000_000, ROWS) / 100]


def cast(values: Callable[[Draw], Any], *dtypes: Any) -> Callable[[Draw], pd.Series]:
    return lambda draw: pd.Series(values(draw)).astype(dtypes[draw.integers(len(dtypes))])


# name: how it is drawn, whether its type has a word for missing cells
KINDS: dict[str, tuple[Callable[[Draw], pd.Series], bool]] = {
    "whole": (cast(counts, "int8", "uint8", "int16", "int64", "uint64", ">i4"), False),
    "nullable": (cast(counts, "Int8", "UInt16", "Int64", "int32[pyarrow]", "float64"), True),
    "cents": (cast(cents, "float64", "float32", "Float64", "double[pyarrow]"), True),
    "reals": (cast(reals, "float64", "float32", "Float32", "float[pyarrow]", ">f8"), True),
    "truths": (cast(lambda draw: draw.random(ROWS) < 0.4, "boolean", "bool[pyarrow]"), True),
    "words": (cast(words, "str", "object", "string[pyarrow]", "category"), True),
    "codes": (cast(lambda draw: draw.choice(["007", "012", "100"], ROWS), "str", "object"), True),
    "sizes": (cast(lambda draw: draw.choice(list("SML"), ROWS), pd.CategoricalDtype(list("SML"), ordered=True)), True),
    "hours": (cast(hours, "datetime64[s]", "datetime64[ns]", pd.ArrowDtype(pa.timestamp("ms"))), True),
    "days": (lambda draw: pd.Series(hours(draw).dt.date, dtype=object), True),
    "zoned": (lambda draw: hours(draw).dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin"), True),
    "late": (lambda draw: pd.Series(pd.to_timedelta(draw.integers(0, 9000, ROWS), "s")), True),
    "decimals": (lambda draw: pd.Series(decimals(draw), dtype=object), True),
    "arrow": (lambda draw: pd.Series(decimals(draw), dtype=pd.ArrowDtype(pa.decimal128(9, 2))), True),
    "amounts": (cast(amounts, "str", "object"), True),
    "sparse": (lambda draw: pd.Series(pd.arrays.SparseArray(draw.poisson(0.3, ROWS))), False),
}
STRAYS: dict[str, list[Any]] = {  # what no training row holds, or its type cannot
    "cents": [1e12, -0.005, 2**53 + 1],
    "reals": [-1e15, 10**19, np.float32(0.1)],
    "words": ["-", " a b", "nie gesehen"],
    "codes": ["7", "0012"],
    "late": [pd.Timedelta("400 days"), pd.Timedelta("-1us")],
    "days": [datetime.date(1900, 2, 28), datetime.date(2199, 12, 31)],
    "decimals": [decimal.Decimal("12345678901234567.01"), decimal.Decimal("0.001")],
    "amounts": ["$0.01", "$123,456,789.00"],
}
UNWRITTEN = ("Sparse", ">")  # types that parquet has no word for


def frame_of(draw: Draw) -> pd.DataFrame:
    """Some columns of random kinds and types, a third of them with missing cells."""
    made = {}
    for name in draw.choice(list(KINDS), COLUMNS, replace=False):
        make, knows_missing = KINDS[str(name)]
        values = make(draw)
        missing = draw.random(ROWS) < 0.2
        made[str(name)] = values.mask(missing) if knows_missing and draw.random() < 0.35 else values
    return pd.DataFrame(made)


def strange(draw: Draw, frame: pd.DataFrame) -> pd.DataFrame:
    """Rows with more missing cells, and observed ones that the fit never saw or its types do not hold."""
    made = frame.head(12).copy()
    if "whole" in made:
        made["whole"] = pd.Series([230.0, 33.5, np.nan, -0.0, *made["whole"].tolist()[4:]], made.index)
    if "nullable" in made:
        made["nullable"] = pd.array([2**60 + 1, None, *made["nullable"].astype("Int64").tolist()[2:]], dtype="Int64")
    for name, strays in STRAYS.items():
        if name in made:
            made[name] = pd.Series([*strays, *made[name].tolist()[len(strays) :]], made.index, dtype=object)
    for name in made:
        if KINDS[name][1] and name != "nullable":
            missing = draw.random(len(made)) < 0.3
            made[name] = made[name].mask(missing & (np.arange(len(made)) >= len(STRAYS.get(name, ()))))
    return made


def same_numbers(run: likely.Run, other: Any, wanted: pd.DataFrame) -> None:
    scores = run.score(other, samples=3)
    np.testing.assert_allclose(scores["log_px"].to_numpy(), wanted["log_px"].to_numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("seed", range(FRAMES))
def test_what_goes_in_comes_back(seed: int, tmp_path: Path) -> None:
    draw = np.random.default_rng(seed)
    frame = frame_of(draw)
    parts = draw.permutation(np.resize(["train", "train", "val", "train", "test"], ROWS))
    fitted = likely.fit(frame, seed=seed, out=tmp_path / "run", split=parts.tolist(), **SMALL)
    run = likely.load(tmp_path / "run")
    kept = [column.name for column in run.schema.modelled]
    for made in (run.sample(7), run.reconstruct(frame.head(7)), run.impute(frame.head(7), samples=1)):
        assert made[kept].dtypes.tolist() == frame[kept].dtypes.tolist()

    given = strange(draw, frame)
    filled = run.impute(given, samples=1)
    assert filled[kept].notna().all(axis=None)
    for name in given:
        seen = given[name].notna().to_numpy()
        assert filled[name][seen].tolist() == given[name][seen].tolist(), name

    single = run.score(frame, samples=3)["log_px"]
    run.model.double()  # single precision rounds sums of 50 nats by some 1e-6
    scores = run.score(frame, samples=3)
    np.testing.assert_allclose(single, scores["log_px"], rtol=1e-6, atol=1e-4)
    assert np.isfinite(scores["log_px"]).all()
    order = draw.permutation(ROWS)
    shuffled = pd.DataFrame({name: frame[name].array[order] for name in frame})
    same_numbers(run, shuffled, scores.iloc[order])
    for place, path in ((slice(0, 17), "a.csv"), (slice(17, None), "b.csv")):
        frame[place].to_csv(tmp_path / path, index=False)
        same_numbers(run, tmp_path / path, scores[place])
    odd = [name for name in frame if str(frame[name].dtype).startswith(UNWRITTEN)]
    plain = frame.drop(columns=odd).assign(**{name: np.asarray(frame[name], float) for name in odd})
    for place, path in ((slice(None), "t.parquet"), (slice(0, 9), "a.parquet"), (slice(9, None), "b.parquet")):
        plain[place].to_parquet(tmp_path / path)
        same_numbers(run, tmp_path / path, scores[place])
    for part in PARTS:
        made = fitted.split(part)
        assert made.index.tolist() == np.flatnonzero(parts == part).tolist()
        assert all(
            str(made[name].tolist()) == str(pd.Series(frame[name].array[parts == part]).tolist()) for name in frame
        ), part


@pytest.mark.parametrize("seed", range(FRAMES))
def test_a_stray_is_named_whichever_part_it_falls_in(seed: int, tmp_path: Path) -> None:
    draw = np.random.default_rng(seed)
    frame, row = frame_of(draw), int(draw.integers(ROWS))
    name, value = (("x", "12 km"), ("day", "2024-02-31"), ("y", "y"), ("z", "inf"))[seed]
    clean = {"x": cents(draw), "y": counts(draw), "z": reals(draw), "day": hours(draw).dt.strftime("%Y-%m-%d")}[name]
    texts = pd.Series(clean).astype(str)
    texts[row] = value
    frame.assign(**{name: texts}).to_csv(tmp_path / "t.csv", index=False)
    said = set()
    for split in range(3):
        with pytest.raises(DataError, match=rf"'{name}'.*row {row}\b") as caught:
            likely.fit(tmp_path / "t.csv", seed=split, **SMALL)
        said.add(str(caught.value))
    assert len(said) == 1
