from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likely.data.source import Source
from likely.data.sources import open_source
from likely.errors import DataError


def put(path: Path, array: np.ndarray, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


def flat(level: int, height: int = 3, width: int = 2) -> np.ndarray:
    return np.full((height, width), level, np.uint8)


def pixels(source: Source, split: str = "all") -> np.ndarray:
    values = source.splits[split].values
    assert isinstance(values, np.ndarray)
    assert values.dtype == np.uint8
    return values


def deep_colour_png(path: Path, levels: list[int]) -> None:
    """One row of 16-bit RGB pixels: Pillow cannot write these."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", len(levels), 1, 16, 2, 0, 0, 0)
    row = b"\0" + b"".join(struct.pack(">3H", level, level, level) for level in levels)
    whole = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + whole)


def test_suffixes_are_read_in_any_case_and_in_order(tmp_path: Path) -> None:
    for level, name in ((3, "c.PNG"), (1, "a.bmp"), (2, "b.Tiff")):
        put(tmp_path / name, flat(level))
    assert pixels(open_source(tmp_path))[:, 0, 0].tolist() == [1, 2, 3]


def test_labels_of_deeper_folders_are_those_of_the_class(tmp_path: Path) -> None:
    put(tmp_path / "train" / "cat" / "tabby" / "a.png", flat(1))
    put(tmp_path / "train" / "dog" / "b.png", flat(2))
    labels = open_source(tmp_path).splits["train"].labels
    assert labels is not None
    assert labels.tolist() == ["cat", "dog"]


def test_pictures_outside_the_class_folders_are_noted(tmp_path: Path) -> None:
    put(tmp_path / "a.png", flat(1))
    put(tmp_path / "cat" / "b.png", flat(2))
    source = open_source(tmp_path)
    labels = source.splits["all"].labels
    assert labels is not None
    assert labels.tolist() == ["", "cat"]
    assert source.notices == ("1 picture(s) lie in no class folder and have an empty label",)


def test_one_colour_picture_makes_every_split_colour(tmp_path: Path) -> None:
    put(tmp_path / "train" / "a.png", flat(7))
    put(tmp_path / "test" / "b.png", np.zeros((3, 2, 3), np.uint8))
    source = open_source(tmp_path)
    assert pixels(source, "train").shape == (1, 3, 2, 3)
    assert (pixels(source, "train") == 7).all()


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    put(tmp_path / "store" / "a.png", flat(1))
    root = tmp_path / "root"
    root.mkdir()
    (root / "train").symlink_to(tmp_path / "store", target_is_directory=True)
    (tmp_path / "store" / "again").symlink_to(root, target_is_directory=True)
    assert len(open_source(root).splits["train"]) == 1


def test_bright_and_dark_pictures_of_sixteen_bits_keep_their_units(tmp_path: Path) -> None:
    put(tmp_path / "a.png", np.full((2, 2), 200, np.uint16))
    put(tmp_path / "b.png", np.full((2, 2), 51400, np.uint16))
    values = open_source(tmp_path).splits["all"].values
    assert np.asarray(values)[:, 0, 0].tolist() == [200, 51400]


def test_floats_from_0_to_1_are_scaled_and_others_refused(tmp_path: Path) -> None:
    put(tmp_path / "a.tif", np.array([[0.0, 0.5], [0.25, 1.0]], np.float32))
    source = open_source(tmp_path)
    assert pixels(source)[0].tolist() == [[0, 128], [64, 255]]
    assert source.notices == ("1 picture(s) of more than 8 bits were scaled to 8",)
    put(tmp_path / "a.tif", np.array([[0.0, 7.5]], np.float32))
    with pytest.raises(DataError, match=r"a\.tif cannot be read \(its values go from 0 to 7\.5, expected 0 to 1\)"):
        open_source(tmp_path)


def test_colour_of_16_bits_is_noted(tmp_path: Path) -> None:
    deep_colour_png(tmp_path / "a.png", [0, 0x8000, 0xFFFF])
    source = open_source(tmp_path)
    assert pixels(source)[0, 0, :, 0].tolist() == [0, 0x80, 255]
    assert source.notices[0] == "1 picture(s) of more than 8 bits were scaled to 8"


def test_what_lies_under_full_transparency_is_not_seen(tmp_path: Path) -> None:
    put(tmp_path / "a.png", np.full((2, 2, 4), (10, 20, 30, 0), np.uint8))
    assert (pixels(open_source(tmp_path)) == 255).all()


def test_a_palette_with_transparency_is_laid_on_the_background_without_a_warning(tmp_path: Path) -> None:
    image = Image.fromarray(np.full((2, 2, 3), (10, 20, 30), np.uint8)).convert("P", palette=Image.Palette.ADAPTIVE)
    image.save(tmp_path / "a.png", transparency=b"\x80")
    source = open_source(tmp_path)
    share = 0x80 / 255
    expected = [share * level + (1 - share) * 255 for level in (10, 20, 30)]
    np.testing.assert_allclose(pixels(source)[0, 0, 0], expected, atol=1)
    assert any("laid on white" in notice for notice in source.notices)


def test_the_first_frame_of_an_animation_is_taken(tmp_path: Path) -> None:
    frames = [Image.fromarray(flat(level)) for level in (10, 200)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    source = open_source(tmp_path)
    assert (pixels(source) == 10).all()
    assert source.notices == ("1 animated or paged picture(s) gave their first frame only",)


def test_scaling_down_averages(tmp_path: Path) -> None:
    board = (np.indices((32, 32)).sum(0) % 2 * 255).astype(np.uint8)
    put(tmp_path / "a.png", board)
    values = pixels(open_source(tmp_path, resize=(4, 6)))
    assert values.shape == (1, 4, 6)
    assert (abs(values.astype(int) - 127) < 30).all()


def test_reading_stops_at_the_first_picture_of_another_size(tmp_path: Path) -> None:
    ticks: list[int] = []
    for i, height in enumerate((3, 3, 4, 3, 3)):
        put(tmp_path / f"{i}.png", flat(0, height))
    with pytest.raises(DataError, match=r"0\.png is 3x2, .*2\.png is 4x2"):
        open_source(tmp_path, progress=lambda done, _: ticks.append(done))
    assert ticks == [1, 2]
