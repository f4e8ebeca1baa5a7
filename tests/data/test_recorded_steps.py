"""Which of its recorded steps a number is a multiple of: classes, their cells, and their density."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from likely.data import Recorded
from likely.data.recorded import density

LOW, HIGH = -37, 64
SETS = [(1,), (1, 10), (1, 2, 5), (1, 5, 10), (1, 10, 25), (1, 2, 3, 5)]


def t(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def members(multiples: tuple[int, ...]) -> list[list[int]]:
    """The numbers of each class, found one by one."""
    found: list[list[int]] = [[] for _ in multiples]
    for number in range(LOW, HIGH + 1):
        found[max(place for place, m in enumerate(multiples) if number % m == 0)].append(number)
    return found


@pytest.mark.parametrize("multiples", SETS)
def test_cells_reach_half_way_to_the_neighbours_of_the_class(multiples: tuple[int, ...]) -> None:
    recorded = Recorded(t(*multiples).view(1, -1), t(LOW), t(HIGH))
    for place, numbers in enumerate(members(multiples)):
        number, lower, upper = recorded.cell(t(*numbers).unsqueeze(-1))
        middles = [(a + b) / 2 for a, b in itertools.pairwise(numbers)]
        assert number.unique().tolist() == [place]
        assert lower.flatten().tolist() == [-math.inf, *middles]
        assert upper.flatten().tolist() == [*middles, math.inf]


@pytest.mark.parametrize("multiples", SETS)
def test_nearest_and_last_are_those_that_a_search_finds(multiples: tuple[int, ...]) -> None:
    recorded = Recorded(t(*multiples).view(1, -1), t(LOW), t(HIGH))
    x = torch.arange(LOW - 30.3, HIGH + 30, 0.7, dtype=torch.float64).unsqueeze(-1)
    last = recorded.last(x)
    for place, numbers in enumerate(members(multiples)):
        near = recorded.nearest(x, torch.full(x.shape, place))
        for one, found, upto in zip(
            x.flatten().tolist(), near.flatten().tolist(), last[place].flatten().tolist(), strict=True
        ):
            assert abs(found - one) == min(abs(other - one) for other in numbers)
            assert upto == max([other for other in numbers if other <= one], default=-math.inf)


def test_columns_with_fewer_steps_have_no_more_classes() -> None:
    recorded = Recorded(t(1, 10, 1, 1).view(2, 2), t(0, 0), t(100, 100))
    assert recorded.of(t(20, 20)).tolist() == [1, 0]
    assert recorded.cell(t(20, 20))[1].tolist() == [15, 19.5]


@pytest.mark.parametrize("far", [2.0**53, 2.0**60, 1e300, math.inf])
def test_far_out_nothing_is_searched_without_end(far: float) -> None:
    recorded = Recorded(t(1, 5).view(1, 2), t(-math.inf), t(math.inf))
    assert recorded.last(t(far)).isfinite().all()
    assert recorded.nearest(t(-far), torch.tensor([0])).isfinite()
    assert not any(part.isnan().any() for part in recorded.cell(t(far)))


@pytest.mark.parametrize("multiples", SETS)
def test_densities_are_the_shares_of_all_numbers(multiples: tuple[int, ...]) -> None:
    period = math.lcm(*multiples)
    counts = [0] * len(multiples)
    for number in range(period):
        counts[max(place for place, m in enumerate(multiples) if number % m == 0)] += 1
    assert density(multiples) == pytest.approx([count / period for count in counts])
