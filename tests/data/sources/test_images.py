from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likely.data import sources
from likely.errors import DataError


def grey(seed: int, height: int = 5, width: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def colour(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (5, 4, 3), dtype=np.uint8)


def put(path: Path, array: np.ndarray, mode: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path)


def test_a_flat_folder_is_read_in_sorted_order(tmp_path: Path) -> None:
    for i in (2, 0, 1):
        put(tmp_path / f"{i}.png", grey(i))
    ticks: list[tuple[int, int]] = []
    source = sources.open_source(tmp_path, progress=lambda done, total: ticks.append((done, total)))
    assert source.form == "images"
    rows = source.splits["all"]
    assert rows.labels is None
    np.testing.assert_array_equal(rows.values, np.stack([grey(i) for i in range(3)]))
    assert ticks == [(1, 3), (2, 3), (3, 3)]


def test_folders_are_classes(tmp_path: Path) -> None:
    for i, name in enumerate(["cat", "dog", "dog"]):
        put(tmp_path / name / f"{i}.png", colour(i))
    rows = sources.open_source(tmp_path).splits["all"]
    assert rows.values.shape == (3, 5, 4, 3)
    assert rows.labels is not None
    assert rows.labels.tolist() == ["cat", "dog", "dog"]


def test_folders_are_splits_and_below_them_classes(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        for name in ("cat", "dog"):
            put(tmp_path / split / name / "a.png", grey(1))
    splits = sources.open_source(tmp_path).splits
    assert set(splits) == {"train", "val", "test"}
    assert all(rows.labels is not None and rows.labels.tolist() == ["cat", "dog"] for rows in splits.values())
    put(tmp_path / "more.png", grey(1))
    with pytest.raises(DataError, match="both inside and outside"):
        sources.open_source(tmp_path)


def test_grey_among_colour_becomes_colour_and_is_noted(tmp_path: Path) -> None:
    put(tmp_path / "a.png", grey(0))
    put(tmp_path / "b.png", colour(1))
    source = sources.open_source(tmp_path)
    values = source.splits["all"].values
    assert isinstance(values, np.ndarray)
    np.testing.assert_array_equal(values[0], np.repeat(grey(0)[:, :, None], 3, axis=2))
    np.testing.assert_array_equal(values[1], colour(1))
    assert any("made colour" in notice for notice in source.notices)


@pytest.mark.parametrize(
    ("background", "colour_below", "name"),
    [(None, 255, "white"), ((0, 0, 0), 0, "0,0,0"), ((51, 51, 51), 51, "51,51,51")],
)
def test_transparent_pictures_are_laid_on_the_background(
    background: tuple[int, int, int] | None, colour_below: int, name: str, tmp_path: Path
) -> None:
    opaque, alpha = colour(0), np.zeros((5, 4, 1), np.uint8)
    alpha[0], alpha[1] = 255, 51
    Image.fromarray(np.concatenate([opaque, alpha], 2), "RGBA").save(tmp_path / "a.png")
    put(tmp_path / "b.png", colour(1), "RGBA")
    source = sources.open_source(tmp_path, background=background)
    values = np.asarray(source.splits["all"].values)
    np.testing.assert_array_equal(values[1], colour(1))
    np.testing.assert_array_equal(values[0, 0], opaque[0])
    np.testing.assert_allclose(values[0, 1], 0.2 * opaque[1] + 0.8 * colour_below, atol=1)
    assert (values[0, 2:] == colour_below).all()
    assert source.notices == (
        f"1 transparent picture(s) were laid on {name}; --background R,G,B (or a name) takes another colour",
    )


def test_transparent_grey_stays_grey_on_grey_alone(tmp_path: Path) -> None:
    Image.merge("LA", [Image.fromarray(grey(0)), Image.fromarray(np.zeros((5, 4), np.uint8))]).save(tmp_path / "a.png")
    assert (np.asarray(sources.open_source(tmp_path).splits["all"].values) == np.full((1, 5, 4), 255)).all()
    red = sources.open_source(tmp_path, background=(255, 0, 0)).splits["all"].values
    assert (np.asarray(red) == np.broadcast_to([255, 0, 0], (1, 5, 4, 3))).all()


def test_palettes_and_bits_are_read(tmp_path: Path) -> None:
    put(tmp_path / "p.png", colour(0), "P")
    put(tmp_path / "q.png", np.array([[True, False, True, True]] * 5))
    values = sources.open_source(tmp_path).splits["all"].values
    assert values.shape == (2, 5, 4, 3)
    assert set(np.unique(values[1])) == {0, 255}


@pytest.mark.parametrize(("kind", "suffix"), [(np.uint16, ".png"), (np.uint16, ".tif"), (np.int32, ".tif")])
def test_sixteen_bits_keep_their_units(kind: type[np.generic], suffix: str, tmp_path: Path) -> None:
    deep = np.linspace(0, 4095, 20).astype(kind).reshape(5, 4)
    put(tmp_path / f"a{suffix}", deep)
    source = sources.open_source(tmp_path)
    values = np.asarray(source.splits["all"].values)
    assert values.dtype == np.uint16
    np.testing.assert_array_equal(values, deep[None])
    assert not source.notices
    small = np.asarray(sources.open_source(tmp_path, resize=(3, 2)).splits["all"].values)
    assert small.shape == (1, 3, 2)
    assert 0 <= small.min() < small.max() <= 4095


def test_depths_are_not_mixed(tmp_path: Path) -> None:
    put(tmp_path / "a.png", grey(0))
    put(tmp_path / "b.png", grey(1).astype(np.uint16))
    with pytest.raises(DataError, match=r"differ in depth: .*a\.png has 8 bits, .*b\.png has 16"):
        sources.open_source(tmp_path)


def test_grey_stored_in_three_channels_is_told(tmp_path: Path) -> None:
    put(tmp_path / "a.png", np.repeat(grey(0)[..., None], 3, 2))
    put(tmp_path / "b.png", grey(1))
    assert any("every picture is grey, stored in three" in notice for notice in sources.open_source(tmp_path).notices)
    put(tmp_path / "c.png", colour(2))
    assert not any("stored in three" in notice for notice in sources.open_source(tmp_path).notices)


def test_rotation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((6, 3), np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    assert sources.open_source(tmp_path).splits["all"].values.shape == (1, 3, 6)


def test_sizes_must_agree_unless_resized(tmp_path: Path) -> None:
    put(tmp_path / "a.png", grey(0, 5, 4))
    put(tmp_path / "b.png", grey(1, 6, 4))
    with pytest.raises(DataError, match=r"5x4.*6x4.*--resize 5x4"):
        sources.open_source(tmp_path)
    assert sources.open_source(tmp_path, resize=(3, 2)).splits["all"].values.shape == (2, 3, 2)


def test_hidden_and_other_files_are_left_out(tmp_path: Path) -> None:
    put(tmp_path / "a.png", grey(0))
    put(tmp_path / ".thumbs" / "b.png", grey(1))
    (tmp_path / ".DS_Store").write_bytes(b"x")
    (tmp_path / "readme.md").write_text("hello")
    source = sources.open_source(tmp_path)
    assert len(source.splits["all"]) == 1
    assert source.notices == ("1 files that are not pictures were left out",)


@pytest.mark.parametrize("keep", [0, 4, 30, -20])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".bmp", ".tif", ".webp"])
def test_damaged_pictures_are_named(suffix: str, keep: int, tmp_path: Path) -> None:
    put(tmp_path / "a.png", colour(0))
    put(tmp_path / f"b{suffix}", np.kron(colour(1), np.ones((20, 20, 1), np.uint8)))
    whole = (tmp_path / f"b{suffix}").read_bytes()
    (tmp_path / f"b{suffix}").write_bytes(whole[:keep])
    with pytest.raises(DataError, match=rf"b\{suffix}"):
        sources.open_source(tmp_path, resize=(5, 4))


def test_folders_without_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no"):
        sources.open_source(tmp_path)
    (tmp_path / "t.csv").write_text("a\n1\n")
    (tmp_path / "notes.md").write_text("hello")
    with pytest.raises(DataError, match=r"t\.csv"):
        sources.open_source(tmp_path)


def test_one_picture_is_one_row(tmp_path: Path) -> None:
    put(tmp_path / "a.png", grey(0))
    with pytest.raises(DataError, match="one picture"):
        sources.open_source(tmp_path / "a.png")
