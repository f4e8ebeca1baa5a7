"""Events on columns some of whose numbers have mass of their own, and on listed numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from likely import likelihoods
from likely.data import Column, Schema
from likely.data.events import Event, read_events, split_words
from likely.errors import ConfigError
from likely.models import VAE
from likely.posteriors import Normal
from likely.priors import StandardNormal
from likely.tasks.condition import Conditional, conditional
from spiked import OfNumbers, WithAtom

FROUDE = (0.125, 0.15, 0.2, 0.45)
N = 4000


def schema() -> Schema:
    real = Column("rain", "float64", "real", "", low=-3.0, high=3.0, atoms=(0.0,))
    columns = (
        real,
        Column("count", "int64", "count", "", low=0.0, high=9.0, per_unit=1, reserve=0.01),
        Column("froude", "float64", "listed", "", categories=FROUDE, low=0.125, high=0.45, per_unit=1000, reserve=0.01),
        Column("capped", "float64", "real", "", low=0.0, high=3.0, atoms=(0.0,), limits=(0.0, 9.0)),
    )
    return Schema("table", (4,), columns, 99, cells_alike=False)


def model() -> VAE:
    torch.manual_seed(1)
    groups = [(WithAtom(), [0, 3]), (likelihoods.Poisson((1,)), [1]), (OfNumbers(FROUDE), [2])]
    likelihood = likelihoods.Columns(groups)
    encoder, decoder = nn.Linear(4, 4), nn.Linear(2, likelihood.parameter_shape.numel())
    with torch.no_grad():
        decoder.bias.mul_(0.3)
    return VAE(StandardNormal(2), likelihood, Normal(2), encoder, decoder).double()


def asked(*words: str) -> list[Event]:
    return read_events(schema(), split_words(schema(), words))


def rows(*words: str) -> Conditional:
    torch.manual_seed(2)
    return conditional(model(), asked(*words), N, None, like=torch.tensor([0.3, 1.0, 0.15, 1.0], dtype=torch.float64))


def drawn() -> torch.Tensor:
    made = model()
    torch.manual_seed(3)
    with torch.no_grad():
        return made.likelihood(torch.randn(40_000, 2, dtype=torch.float64)).sample()


@pytest.mark.parametrize(
    ("word", "place", "holds"),
    [
        ("rain=0", 0, lambda x: x == 0),
        ("rain>=0", 0, lambda x: x >= 0),
        ("rain>0", 0, lambda x: x > 0),
        ("rain<0", 0, lambda x: x < 0),
        ("rain<=0", 0, lambda x: x <= 0),
        ("rain<1.5", 0, lambda x: x < 1.5),
        ("froude=0.2", 2, lambda x: x == 0.2),
        ("froude=0.2|0.45", 2, lambda x: (x == 0.2) | (x == 0.45)),
        ("froude!=0.2", 2, lambda x: x != 0.2),
        ("froude>0.15", 2, lambda x: x > 0.15),
        ("froude<=0.3", 2, lambda x: x < 0.3),
    ],
)
def test_numbers_with_mass_are_in_an_event_or_out_of_it(word: str, place: int, holds: object) -> None:
    assert callable(holds)
    found, plain = rows(word), drawn()[:, place]
    share = float(holds(plain).double().mean())
    assert found.effective is None
    assert abs(found.probability - share) < 4 * math.hypot(found.se, math.sqrt(share * (1 - share) / len(plain)))
    x = found.values[:, place]
    assert holds(x).all()
    for number in (0.0, *FROUDE):
        there = float((plain[holds(plain)] == number).double().mean())
        error = math.sqrt(there * (1 - there) * (1 / N + 1 / int(holds(plain).sum())))
        assert abs(float((x == number).double().mean()) - there) <= 4 * error


def test_conditions_on_one_column_hold_together() -> None:
    assert asked("froude>0.13", "froude<0.3")[0].numbers == (0.15, 0.2)
    assert asked("rain>=0", "rain<=0")[0].atoms == (0.0,)
    assert asked("rain=0", "rain>=0")[0].numbers == (0.0,)
    assert (rows("rain>=0", "rain<=0").values[:, 0] == 0).all()
    for words in (("rain=0", "rain>0"), ("froude=0.2", "froude>0.2"), ("froude<0.14", "froude>0.14")):
        with pytest.raises(ConfigError, match="exclude each other"):
            asked(*words)


def test_a_count_may_be_asked_beyond_what_training_rows_had() -> None:
    assert (asked("count>20")[0].low, asked("count>20")[0].high) == (21.0, math.inf)
    assert asked("count<=3")[0].low == 0.0
    capped = asked("capped<4")[0]
    assert capped.low < 0.0
    assert (capped.high, capped.atoms) == (4.0, (0.0,))


def test_a_number_that_is_not_listed_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'froude' holds 4 numbers, and 0.21 is none; 0.2 is one"):
        asked("froude=0.21")
    with pytest.raises(ConfigError, match="outside what training rows had"):
        asked("froude>0.45")


def of_amount(word: str, atoms: tuple[float, ...]) -> Event:
    column = Column("paid", "float64", "positive", "", low=min(atoms), high=90.0, atoms=atoms, reserve=0.01)
    schema = Schema("table", (1,), (column,), 99, cells_alike=False)
    return read_events(schema, split_words(schema, [word]))[0]


@pytest.mark.parametrize(
    ("word", "atoms"),
    [("paid>=0", (0.0,)), ("paid<5", (0.0,)), ("paid<=5", (0.0,)), ("paid<=0", (0.0,)), ("paid>0", ())],
)
def test_an_atom_at_0_of_positive_values_is_in_the_events_that_it_meets(word: str, atoms: tuple[float, ...]) -> None:
    assert of_amount(word, (0.0,)).atoms == atoms


@pytest.mark.parametrize(
    ("word", "atoms"),
    [
        ("paid<5", (-999.0, 0.0)),
        ("paid<=-999", (-999.0,)),
        ("paid<0", (-999.0,)),
        ("paid>=-999", (-999.0, 0.0)),
        ("paid>-999", (0.0,)),
        ("paid>=0", (0.0,)),
    ],
)
def test_an_atom_below_positive_values_is_in_the_events_that_it_meets(word: str, atoms: tuple[float, ...]) -> None:
    assert of_amount(word, (-999.0, 0.0)).atoms == atoms


@pytest.mark.parametrize("word", ["paid<0", "paid<-1", "paid<=-0.5"])
def test_what_lies_below_the_least_atom_was_never_met(word: str) -> None:
    with pytest.raises(ConfigError, match="outside what training rows had"):
        of_amount(word, (0.0,))
