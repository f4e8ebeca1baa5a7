"""The grid puts every picture, unharmed, where it belongs."""

from __future__ import annotations

import numpy as np
import pytest

from likely.data.pictures import grid


def test_every_pixel_arrives() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 4), np.uint8)
    sheet = np.asarray(grid(images, columns=2, scale=3))
    assert sheet.shape == (3 * (9 + 1) + 1, 2 * (12 + 1) + 1)
    for index, image in enumerate(images):
        top, left = index // 2 * 10 + 1, index % 2 * 13 + 1
        np.testing.assert_array_equal(sheet[top : top + 9 : 3, left : left + 12 : 3], image)


def test_colour_stays_colour() -> None:
    images = np.random.default_rng(0).random((4, 5, 5, 3))
    sheet = grid(images, columns=4, scale=1)
    assert sheet.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(sheet)[1:6, 1:6], np.rint(images[0] * 255).astype(np.uint8))


@pytest.mark.parametrize("images", [np.ones((2, 4, 4)), np.ones((2, 4, 4, 1)), np.ones((2, 4, 4), bool)])
def test_grey_pictures_are_one_channel(images: np.ndarray) -> None:
    sheet = grid(images, scale=1)
    assert sheet.mode == "L"
    assert sheet.size == (11, 6)


def test_values_beyond_the_range_are_clipped_and_missing_ones_grey() -> None:
    row = np.array([[[-1.0, 2.0, np.nan, 0.2]]])
    np.testing.assert_array_equal(np.asarray(grid(row, scale=1))[1, 1:-1], [0, 255, 128, 51])


def test_tiny_pictures_grow_and_large_ones_stay() -> None:
    assert grid(np.zeros((1, 8, 8))).width > 50
    assert grid(np.zeros((1, 200, 200))).width == 202


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 4)), "shape"),
        (np.zeros((2, 4, 4, 2)), "shape"),
        (np.zeros((0, 4, 4)), "shape"),
        (np.zeros((2, 4, 4), int), "floats in 0..1 or uint8"),
    ],
)
def test_other_arrays_are_refused(images: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        grid(images)


def test_sizes_must_be_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        grid(np.zeros((2, 4, 4)), columns=-1)
