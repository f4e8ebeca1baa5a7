"""Which columns have masses, densities or both, and where their atoms are, column by column."""

from __future__ import annotations

import torch

from likely.data import Warp
from likely.likelihoods import Atoms, Columns, Gaussian, Poisson, Warped
from likely.likelihoods.measures import atoms_of, measured

AXIS = Warp([[(-0.5, -1.5), (40.5, 0.0), (99.5, 1.5)]], [False])


def test_columns_are_told_apart_by_measure_and_atoms() -> None:
    spikes = [Atoms(Warped((1,), AXIS, 2), [numbers]) for numbers in ((0.0, 50.0), (7.0,))]
    law = Columns([(Gaussian((1,)), [1]), (spikes[0], [0]), (Poisson((1,)), [3]), (spikes[1], [2])])
    assert measured(law, "mixed").tolist() == [True, False, True, False]
    assert measured(law, "density").tolist() == [False, True, False, False]
    assert measured(law, "mass").tolist() == [False, False, False, True]
    missing = torch.nan
    wanted = torch.tensor([[0.0, 50.0], [missing] * 2, [7.0, missing], [missing] * 2], dtype=torch.float64)
    torch.testing.assert_close(atoms_of(law), wanted, equal_nan=True)
    torch.testing.assert_close(atoms_of(spikes[1]), wanted[2:3, :1])


def test_without_atoms_there_are_none() -> None:
    assert atoms_of(Gaussian((2,))) is None
    assert atoms_of(Columns([(Gaussian((1,)), [0]), (Poisson((1,)), [1])])) is None
    assert measured(Poisson((2,)), "mass").item()
