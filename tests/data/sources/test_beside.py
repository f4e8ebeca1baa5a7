"""Tables of labels beside pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from likely.data import SchemaOptions, infer_schema
from likely.data.sources import open_source
from likely.errors import ConfigError, DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(8):
        Image.fromarray(np.full((3, 2), 30 * i, np.uint8)).save(tmp_path / f"{i:03d}.png")
    return tmp_path


def rows_of(folder: Path) -> pd.DataFrame:
    rows = open_source(folder).splits["all"]
    return pd.DataFrame({name: rows.values_named(name) for name in rows.label_names})


@pytest.mark.parametrize(
    "name",
    ["{:03d}.png", "{:03d}", "{}", "./{:03d}.png"],
    ids=["file name", "stem", "number", "path"],
)
def test_a_table_names_pictures_and_gives_their_labels(name: str, folder: Path) -> None:
    order = [3, 0, 1, 2, 7, 6, 5, 4]
    lines = [f"{name.format(i)},{'ab'[i % 2]},{10 * i}" for i in order]
    (folder / "labels.csv").write_text("\n".join(["file,label,age", *lines]) + "\n")
    found = rows_of(folder)
    assert found["label"].tolist() == list("abababab")
    assert found["age"].tolist() == [0, 10, 20, 30, 40, 50, 60, 70]
    notices = open_source(folder).notices
    assert len(notices) == 1
    assert "labels.csv: label, age of the pictures named in 'file'; --condition COLUMN" in notices[0]


def test_labels_are_conditions(folder: Path) -> None:
    lines = [f"{i:03d}.png,{'ab'[i % 2]},{i // 4}" for i in range(8)]
    (folder / "labels.csv").write_text("\n".join(["file,kind,half", *lines]) + "\n")
    source = open_source(folder)
    schema = infer_schema(
        source.splits["all"], source.form, SchemaOptions(conditions=["half", "kind"], kinds={"half": "real"})
    )
    assert [(column.name, column.kind) for column in schema.beside] == [("half", "real"), ("kind", "categorical")]
    with pytest.raises(ConfigError, match=r"no column 'sex': .* its condition can be 'kind', 'half'"):
        infer_schema(source.splits["all"], source.form, SchemaOptions(conditions=["sex"]))
    with pytest.raises(DataError, match=r"without labels to condition on.*; there are kind, half"):
        infer_schema(source.splits["all"], source.form, SchemaOptions(conditions=["label"]))


def test_pictures_that_are_not_named_have_no_label(folder: Path) -> None:
    (folder / "labels.csv").write_text("file,label\n000.png,a\n001.png,b\n009.png,a\n002.png,b\n")
    assert rows_of(folder)["label"].isna().tolist() == [False] * 3 + [True] * 5
    assert "5 picture(s) are not named" in open_source(folder).notices[0]


def test_a_table_that_names_no_pictures_is_left_out(folder: Path) -> None:
    (folder / "other.csv").write_text("a,b\n1.5,x\n2.5,y\n")
    (folder / "boxes.csv").write_text("file,x\n" + "000.png,1\n" * 8)
    source = open_source(folder)
    assert source.splits["all"].label_names == []
    assert "2 files that are not pictures were left out" in source.notices
    assert "other.csv names none of the pictures, or one twice, and was left out" in source.notices
    assert "boxes.csv names none of the pictures, or one twice, and was left out" in source.notices


def test_tables_go_with_splits_and_class_folders(tmp_path: Path) -> None:
    for split, count in (("train", 3), ("test", 2)):
        for i in range(count):
            path = tmp_path / split / "ab"[i % 2] / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((3, 2), 30 * i, np.uint8)).save(path)
        lines = [f"{'ab'[i % 2]}/{i}.png,{split}{i}" for i in range(count)]
        (tmp_path / split / "more.csv").write_text("\n".join(["path,who", *lines]) + "\n")
    splits = open_source(tmp_path).splits
    for split, labels, who in (
        ("train", ["a", "a", "b"], ["train0", "train2", "train1"]),
        ("test", ["a", "b"], ["test0", "test1"]),
    ):
        assert splits[split].values_named("label").tolist() == labels  # type: ignore[union-attr]
        assert splits[split].values_named("who").tolist() == who  # type: ignore[union-attr]


def test_a_column_named_label_stands_for_the_folders(tmp_path: Path) -> None:
    for i in range(4):
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        Image.fromarray(np.full((3, 2), 30 * i, np.uint8)).save(tmp_path / "ab"[i % 2] / f"{i}.png")
    (tmp_path / "labels.csv").write_text("id,label\n0,p\n1,q\n2,r\n3,s\n")
    assert rows_of(tmp_path)["label"].tolist() == ["p", "r", "q", "s"]
    (tmp_path / "more.csv").write_text("id,label\n0,p\n1,q\n2,r\n3,s\n")
    with pytest.raises(DataError, match=r"labels\.csv and \S+more\.csv both give labels of \S+a/0\.png"):
        open_source(tmp_path)
