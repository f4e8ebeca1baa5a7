"""The order of rows, shuffled all together or in windows of blocks."""

from __future__ import annotations

import pytest
import torch

from likely.training.sampler import WINDOW_BLOCKS, Sampler


@pytest.mark.parametrize(
    ("rows", "block"), [(10, None), (1000, 3), (1000, 7), (64 * 5, 5), (64 * 5 + 1, 5), (130, 1), (5, 9)]
)
@pytest.mark.parametrize("batch", [1, 7, 64])
def test_every_row_comes_once_an_epoch(rows: int, block: int | None, batch: int) -> None:
    sampler = Sampler(rows, batch, 3, block)
    seen = torch.cat([sampler.next() for _ in range(-(-3 * rows // batch))])[: 3 * rows].view(3, rows)
    for epoch in seen:
        assert torch.equal(epoch.sort().values, torch.arange(rows))
    assert rows < 9 or not torch.equal(seen[0], seen[1])


def test_a_window_has_the_rows_of_64_blocks_and_is_told_before() -> None:
    rows, block = 5 * 1000 - 2, 5
    sampler = Sampler(rows, 20, 0, block)
    for _ in range(3):
        while not sampler.window_begun or sampler.position % rows > 20:
            sampler.next()
            if sampler.window_begun:
                break
        coming = sampler.coming()
        assert 0 < len(coming) <= WINDOW_BLOCKS
        assert coming == sorted(coming)
        assert all(0 < last - first <= block and first % block == 0 for first, last in coming)


def test_rows_of_a_window_lie_in_few_blocks() -> None:
    sampler = Sampler(100_000, 640, 1, 10)
    blocks = sampler.next() // 10
    assert len(blocks.unique()) == WINDOW_BLOCKS
    coming = {first // 10 for first, _ in sampler.coming()}
    assert set((sampler.next() // 10).tolist()) == coming


@pytest.mark.parametrize("block", [None, 4])
def test_the_order_goes_on_from_its_state(block: int | None) -> None:
    sampler = Sampler(1003, 50, 7, block)
    for _ in range(30):
        sampler.next()
    other = Sampler(1003, 50, 0, block)
    other.load_state_dict(sampler.state_dict())
    assert all(torch.equal(sampler.next(), other.next()) for _ in range(40))


def test_without_blocks_the_order_is_as_it_was() -> None:
    key = (5 * 0x9E3779B97F4A7C15 + 0xD1342543DE82EF95) % 2**63
    expected = torch.randperm(30, generator=torch.Generator().manual_seed(key))
    assert torch.equal(Sampler(30, 30, 5).next(), expected)
