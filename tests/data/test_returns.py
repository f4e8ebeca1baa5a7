from __future__ import annotations

import decimal
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import likely
from likely.cli import main
from likely.data import Rows, demand_returns, infer_schema
from likely.errors import DataError

N = 60
RNG = np.random.default_rng(0)
X = RNG.normal(size=N).round(2)
WORDS = RNG.choice(["a", "b", "c"], N)

# As it comes, and as it is read and given back.
TYPES: dict[str, tuple[Any, str]] = {
    "sparse integers": (pd.arrays.SparseArray(RNG.poisson(0.2, N)), "int64"),
    "sparse numbers": (pd.arrays.SparseArray(np.where(RNG.random(N) < 0.8, 0, X), fill_value=0.0), "float64"),
    "sparse and missing": (pd.arrays.SparseArray(np.where(RNG.random(N) < 0.5, np.nan, X)), "float64"),
    "sparse truths": (pd.arrays.SparseArray(X > 0), "bool"),
    "big-endian": (X.astype(">f8"), "float64"),
    "big-endian integers": (np.arange(N).astype(">i4"), "int32"),
    "long double": (X.astype("longdouble"), "float64"),
    "arrow decimals": (
        pd.Series([decimal.Decimal(f"{x:.2f}") for x in X[1:]] + [None], dtype=pd.ArrowDtype(pa.decimal128(10, 2))),
        "double[pyarrow]",
    ),
    "arrow dictionary": (
        pd.Series(WORDS).astype(pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))),
        "string[pyarrow]",
    ),
}
FRAME = pd.DataFrame({name: values for name, (values, _) in TYPES.items()})


def test_what_comes_in_another_way_is_fitted_and_given_back() -> None:
    run = likely.fit(FRAME, steps=3, width=8)
    wanted = {name: dtype for name, (_, dtype) in TYPES.items()}
    drawn = run.sample(4)
    dense = {n: c.sparse.to_dense() if isinstance(c.dtype, pd.SparseDtype) else c for n, c in drawn.items()}
    assert {name: str(column.dtype) for name, column in dense.items()} == wanted
    for name in FRAME:
        assert not isinstance(FRAME[name].dtype, pd.SparseDtype) or drawn[name].dtype == FRAME[name].dtype
    assert np.isfinite(run.score(FRAME)["log_px"]).all()
    assert np.isfinite(run.score(drawn)["log_px"]).all()
    filled = run.impute(FRAME)
    assert filled.dtypes.tolist() == FRAME.dtypes.tolist()
    assert not filled.isna().any().any()
    for name in FRAME:
        seen = FRAME[name].notna().to_numpy()
        assert FRAME[name][seen].tolist() == filled[name][seen].tolist(), name


def test_a_dictionary_of_numbers_is_numbers() -> None:
    numbers = pa.DictionaryArray.from_arrays(pa.array([0, 1, 1, 0] * 15, pa.int32()), pa.array([300, 7], pa.int64()))
    frame = pd.DataFrame({"n": pd.Series(pd.arrays.ArrowExtensionArray(numbers)), "x": X})
    run = likely.fit(frame, steps=3, width=8)
    assert set(run.sample(20)["n"]) <= {7, 300}


def test_a_type_that_cannot_be_given_back_is_refused_before_anything_is_learned() -> None:
    frame = pd.DataFrame({"v": X, "x": X})
    schema = infer_schema(Rows(frame), "table")
    demand_returns(schema, Rows(frame))
    odd = replace(schema, columns=(replace(schema.columns[0], dtype="vague[12]"), schema.columns[1]))
    with pytest.raises(DataError, match=r"'v' is of type vague\[12\].*astype\('float64'\).*--column v=ignore"):
        demand_returns(odd, Rows(frame))
    given = replace(odd, columns=(replace(odd.columns[0], condition=True), odd.columns[1]))
    with pytest.raises(DataError, match="'v' is of type"):
        demand_returns(given, Rows(frame))


def test_fit_and_inspect_ask_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capsys: Any) -> None:
    from likely.run import describing

    def refuse(*_: object) -> None:
        raise DataError("column 'v' is of type vague")

    FRAME[["long double"]].astype(float).to_csv(tmp_path / "t.csv", index=False)
    monkeypatch.setattr(describing, "demand_returns", refuse)
    for words in (["fit", "-o", str(tmp_path / "run")], ["inspect"]):
        assert main([words[0], str(tmp_path / "t.csv"), *words[1:]]) == 2
        assert capsys.readouterr().err == "likely: column 'v' is of type vague\n"
    assert not (tmp_path / "run").exists()
