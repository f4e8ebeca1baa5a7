"""Fits of rows that are not held in memory: the weights are those of rows in memory, what X is tells all rows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import likely
from likely.data import Division, Rows, RowStore, Source, many, sources
from likely.data.kinds import Form, Kind
from likely.data.mapped import MappedRows
from likely.errors import ConfigError, DataError, OutputError
from likely.files import LOCK, take_lock
from likely.run import encoded_rows

ROWS = 3000
OPTIONS: dict[str, Any] = {"latent": 2, "width": 8, "steps": 12, "batch_size": 64, "seed": 1, "progress": False}
pytestmark = pytest.mark.filterwarnings("ignore:the .* encoded training rows take")


class Elsewhere(RowStore):
    """Rows that are read when they are asked for."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def event(self) -> tuple[int, ...]:
        return self.rows.event

    def read(self, index: np.ndarray | None = None) -> Rows:
        return self.rows.read(np.arange(len(self.rows)) if index is None else index)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "real": rng.normal(size=ROWS),
            "count": rng.poisson(3.0, ROWS),
            "code": rng.choice(list("xyz"), ROWS),
            "price": np.round(rng.gamma(2.0, size=ROWS), 2),
        }
    )
    table.loc[rng.random(ROWS) < 0.1, "real"] = np.nan
    return table


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample stands for all of 3,000 rows."""
    for name, value in {"SAMPLE_ROWS": 300, "MIN_SAMPLE_ROWS": 100, "MAX_TEST_ROWS": 200, "MANY_ROWS": 1000}.items():
        monkeypatch.setattr(many, name, value)
    monkeypatch.setattr(many, "MAX_VALIDATION_ROWS", 150)


def table(frame: pd.DataFrame, *, held: bool) -> Source:
    return Source(Form.TABLE, {"all": Rows(frame) if held else Elsewhere(Rows(frame))})


def weights(run: likely.Run) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in run.model.state_dict().items()}


def demand_equal(run: likely.Run, other: likely.Run) -> None:
    one, two = weights(run), weights(other)
    assert one.keys() == two.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name], name)


def test_mapped_rows_give_the_weights_of_rows_in_memory(frame: pd.DataFrame) -> None:
    runs = [likely.fit(table(frame, held=held), block_rows=50, **OPTIONS) for held in (True, False)]
    demand_equal(*runs)
    assert runs[0].schema == runs[1].schema


@pytest.mark.usefixtures("few")
def test_a_sample_gives_the_weights_that_it_gives_in_memory(frame: pd.DataFrame) -> None:
    runs = [likely.fit(table(frame, held=held), block_rows=50, **OPTIONS) for held in (True, False)]
    demand_equal(*runs)
    assert runs[1].division.sample_of == ROWS - 150 - 200
    assert 300 <= len(runs[1].division.train) < 350
    assert "a sample" in " ".join(runs[1].notices)


@pytest.mark.usefixtures("few")
def test_ranges_categories_and_missing_cells_are_those_of_all_training_rows(frame: pd.DataFrame) -> None:
    frame = frame.copy()
    frame.loc[[7, 1234], "code"] = ["rare", "once"]
    frame.loc[[100, 2000], "real"] = [-1e3, 1e3]
    run = likely.fit(table(frame, held=False), **OPTIONS)
    train = np.setdiff1d(np.arange(ROWS), run.division.held_out)
    assert len(train) == run.division.sample_of == run.schema.rows
    seen, columns = frame.iloc[train], {column.name: column for column in run.schema.columns}
    assert columns["code"].categories == tuple(sorted(seen["code"].unique()))
    assert (columns["real"].low, columns["real"].high) == (seen["real"].min(), seen["real"].max())
    assert columns["price"].high == seen["price"].max()
    assert columns["real"].missing == seen["real"].isna().sum()
    assert columns["code"].reserve == 1 / (len(train) + 1)


@pytest.mark.usefixtures("few")
def test_arrays_of_levels_and_their_binarised_rows() -> None:
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 17, (ROWS, 4, 4)).astype(np.int16)
    levels[5, 0, 0] = 40
    source = Source(Form.ARRAY, {"all": Elsewhere(Rows(levels))})
    run = likely.fit(source, **OPTIONS)
    assert run.schema.columns[0].kind == Kind.LEVELS
    assert run.schema.columns[0].high == 40
    static = [
        likely.fit(Source(Form.ARRAY, {"all": rows}), binarize="static", block_rows=32, **OPTIONS)
        for rows in (Rows(levels), Elsewhere(Rows(levels)))
    ]
    demand_equal(*static)


@pytest.mark.usefixtures("few")
def test_conditions_weights_and_labels_go_with_the_rows(frame: pd.DataFrame) -> None:
    frame = frame.assign(w=np.random.default_rng(1).integers(1, 4, ROWS))
    about: dict[str, Any] = {"condition": "code", "weight": "w", "block_rows": 50}
    demand_equal(*(likely.fit(table(frame, held=held), **about, **OPTIONS) for held in (True, False)))
    array = np.random.default_rng(2).normal(size=(ROWS, 3, 3))
    labels = np.random.default_rng(3).integers(0, 5, ROWS)
    sources = [Source(Form.ARRAY, {"all": store}) for store in (Rows(array, labels), Elsewhere(Rows(array, labels)))]
    demand_equal(*(likely.fit(one, condition="label", block_rows=50, **OPTIONS) for one in sources))


@pytest.mark.usefixtures("few")
def test_a_divided_source_keeps_its_parts(frame: pd.DataFrame) -> None:
    splits = {"train": Elsewhere(Rows(frame[:2500])), "test": Elsewhere(Rows(frame[2500:].reset_index(drop=True)))}
    run = likely.fit(Source(Form.TABLE, splits), **OPTIONS)
    assert run.division.origin == {"train": "train", "validation": "train", "test": "test"}
    assert run.division.sample_of == 2500 - 150
    assert len(run.division.test) == 200


@pytest.mark.usefixtures("few")
def test_a_stored_run_comes_back_and_is_lengthened(frame: pd.DataFrame, tmp_path: Path) -> None:
    run = likely.fit(table(frame, held=False), out=tmp_path / "run", **OPTIONS)
    back = likely.load(tmp_path / "run")
    assert back.division.sample_of == run.division.sample_of
    np.testing.assert_array_equal(back.division.train, run.division.train)
    longer = back.continue_training(table(frame, held=False), steps=5)
    assert longer.record.members[0].steps == 17


def test_encoded_rows_are_kept_beside_the_run_and_taken_again(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = likely.fit(table(frame, held=False), out=tmp_path / "run", **OPTIONS)
    (folder,) = (tmp_path / "run.cache").iterdir()
    assert {file.name for file in folder.iterdir()} >= {"values.npy", "observed.npy", "rows.json"}
    monkeypatch.setattr(encoded_rows, "written_rows", None)  # nothing is written again
    second = likely.fit(table(frame, held=False), cache=tmp_path / "run.cache", **OPTIONS)
    demand_equal(first, second)


def test_a_cache_that_is_damaged_is_written_anew(frame: pd.DataFrame, tmp_path: Path) -> None:
    for _ in range(2):
        run = likely.fit(table(frame, held=False), cache=tmp_path, **OPTIONS)
        (folder,) = tmp_path.iterdir()
        (folder / "rows.json").write_text("{}")
    assert run.record.members[0].steps == 12


def test_too_little_room_is_told_before_anything_is_written(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(OutputError, match=r"take .* has .* free; give a folder elsewhere: --cache DIR"):
        likely.fit(table(frame, held=False), cache=tmp_path, **OPTIONS)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("few")
def test_what_needs_all_rows_is_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(ConfigError, match="so many rows are divided by the seed"):
        likely.fit(table(frame, held=False), split="time:real", **OPTIONS)
    with pytest.raises(ConfigError, match="fitted to all rows at once"):
        likely.fit(table(frame.drop(columns="code").fillna(0), held=False), model="normals", progress=False)


@pytest.mark.usefixtures("few")
def test_rows_in_memory_are_divided_as_asked(frame: pd.DataFrame) -> None:
    run = likely.fit(frame.sort_values("price", ignore_index=True), split="time:price", **OPTIONS)
    assert run.division.sample_of is None
    assert run.division.test.min() > run.division.train.max()
    some = likely.fit(table(frame, held=False), split=Division.of(range(1500), range(1500, 1700)), **OPTIONS)
    assert some.division.training_rows == some.schema.rows == 1500


@pytest.mark.usefixtures("few")
def test_the_one_cell_that_is_missing_is_in_the_sample(frame: pd.DataFrame, tmp_path: Path) -> None:
    whole = frame.drop(columns="code").fillna(0.5)
    first = likely.fit(table(whole, held=False), **OPTIONS)
    hole = int(np.setdiff1d(np.arange(ROWS), np.r_[first.division.held_out, first.division.train])[0])
    whole.loc[hole, "real"] = np.nan
    run = likely.fit(table(whole, held=False), out=tmp_path / "run", **OPTIONS)
    assert run.schema.columns[0].missing == 1
    assert hole in run.division.train
    assert likely.load(tmp_path / "run").patterns is not None
    array = np.random.default_rng(0).normal(size=(ROWS, 3, 3))
    array[hole, 1, 1] = np.nan
    likely.fit(Source(Form.ARRAY, {"all": Elsewhere(Rows(array))}), out=tmp_path / "array", **OPTIONS)
    assert likely.load(tmp_path / "array").patterns is not None


@pytest.mark.usefixtures("few")
def test_given_parts_that_are_cut_are_told(frame: pd.DataFrame) -> None:
    splits = {"train": Elsewhere(Rows(frame[:2500])), "test": Elsewhere(Rows(frame[2500:].reset_index(drop=True)))}
    assert "200 of 500 test rows are taken" in " ".join(likely.fit(Source(Form.TABLE, splits), **OPTIONS).notices)


@pytest.mark.usefixtures("few")
def test_texts_whose_parts_look_otherwise_are_one_column(tmp_path: Path) -> None:
    lines = [f"{n % 90}{'.5' if n > 2000 else ''},{'A' if n > 2500 else n % 3}" for n in range(ROWS)]
    (tmp_path / "x.csv").write_text("a,b\n" + "\n".join(lines))
    run = likely.fit(tmp_path / "x.csv", out=tmp_path / "run", memory=1000, **OPTIONS)
    assert run.division.sample_of
    assert likely.load(tmp_path / "run").evaluate(samples=5).rows == 200
    assert run.schema.columns[1].categories == ("0", "1", "2", "A")


def test_a_file_larger_than_memory_is_mapped(tmp_path: Path) -> None:
    with (tmp_path / "x.npy").open("wb") as file:
        shape = (2**24, 1024, 64)  # a terabyte, none of it written
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        file.truncate(file.tell() + np.prod(shape, dtype=np.int64))
    store = sources.open_source(tmp_path / "x.npy").splits["all"]
    assert len(store) == 2**24
    assert not store.read(np.array([5, 2**24 - 1])).values.any()


@pytest.mark.usefixtures("few")
def test_a_bad_row_is_named_by_its_number() -> None:
    array = np.random.default_rng(0).normal(size=(ROWS, 3, 3))
    array[2900, 0, 1] = np.inf
    with pytest.raises(DataError, match="row 2900, cell"):
        likely.fit(Source(Form.ARRAY, {"all": Elsewhere(Rows(array))}), **OPTIONS)


def test_memory_must_be_a_number_of_bytes(frame: pd.DataFrame) -> None:
    with pytest.raises(ConfigError, match="memory must be a number of bytes above 0"):
        likely.fit(frame, memory=0)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("how", [None, "dynamic", "static"])
@pytest.mark.parametrize("most", [1, 17, 255])
def test_a_file_of_bytes_is_mapped_as_it_is(tmp_path: Path, how: str | None, most: int) -> None:
    if how and most == 1:
        pytest.skip("0 and 1 need not be made so")
    bytes_ = np.random.default_rng(0).integers(0, most + 1, (ROWS, 4, 4), dtype=np.uint8)
    np.save(tmp_path / "x.npy", bytes_)
    options = {**OPTIONS, "binarize": how, "block_rows": 50}
    runs = [likely.fit(tmp_path / "x.npy", memory=memory, cache=tmp_path / "cache", **options) for memory in (1, 1e12)]
    demand_equal(*runs)
    assert (tmp_path / "cache").exists() == (how == "static")


def test_files_that_are_too_large_are_streamed_and_the_fit_goes_on(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame.to_parquet(tmp_path / "x.parquet")
    held = likely.fit(tmp_path / "x.parquet", out=tmp_path / "held", block_rows=50, **OPTIONS)
    told = {"memory": 1000, "cache": tmp_path / "kept"}
    options = {**OPTIONS, "out": tmp_path / "run", "block_rows": 50, **told}
    opened = list[Path]()

    class Stop(likely.training.Monitor):
        def on_step(self, step: int, total: int) -> None:  # noqa: ARG002
            if step == 7:
                raise KeyboardInterrupt

    stopped = likely.fit(tmp_path / "x.parquet", monitors=[Stop()], **options)
    assert stopped.record.interrupted
    monkeypatch.setattr(encoded_rows, "written_rows", None)  # nothing is encoded again
    first = MappedRows.opened
    monkeypatch.setattr(MappedRows, "opened", lambda place: (opened.append(place.parent), first(place))[1])
    resumed = likely.fit(resume=tmp_path / "run", progress=False)  # with what the fit was told
    demand_equal(held, resumed)
    assert opened == [tmp_path / "kept"]
    assert likely.load(tmp_path / "run").evaluate(samples=5).rows == 300
    likely.load(tmp_path / "run", progress=False).continue_training(steps=2)
    assert opened == 2 * [tmp_path / "kept"]


@pytest.mark.parametrize("lives", [False, True])
def test_what_a_killed_encoding_left_is_removed(frame: pd.DataFrame, tmp_path: Path, lives: bool) -> None:
    frame.to_parquet(tmp_path / "x.parquet")
    half, theirs = tmp_path / "cache" / ".likely-0123abcd", tmp_path / "cache" / "notes"
    for folder in (half, theirs):
        folder.mkdir(parents=True)
    take_lock(half)
    if not lives:
        lock = json.loads((half / LOCK).read_text())
        (half / LOCK).write_text(json.dumps({**lock, "started": "another process with this number"}))
    likely.fit(tmp_path / "x.parquet", memory=1000, cache=tmp_path / "cache", **OPTIONS)
    assert half.exists() == lives
    made = [one for one in (tmp_path / "cache").iterdir() if one not in (half, theirs)]
    assert theirs.exists()
    assert len(made) == 1
    assert not (made[0] / LOCK).exists()


def test_a_cache_whose_place_is_gone_is_made_beside_the_run(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_parquet(tmp_path / "x.parquet")
    gone = tmp_path / "gone"
    likely.fit(tmp_path / "x.parquet", out=tmp_path / "run", memory=1000, cache=gone / "kept", **OPTIONS)
    shutil.rmtree(gone)
    likely.load(tmp_path / "run", progress=False).continue_training(steps=2)
    assert not gone.exists()
    assert (tmp_path / "run.cache").is_dir()


def test_a_cache_that_cannot_be_made_is_named(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_parquet(tmp_path / "x.parquet")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError, match=r"cannot make the folder .*file.kept: .*; give another: --cache DIR"):
        likely.fit(tmp_path / "x.parquet", memory=1000, cache=tmp_path / "file" / "kept", **OPTIONS)
