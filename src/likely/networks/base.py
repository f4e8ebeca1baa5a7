"""The contract of a network, and what a module of the user's states of it."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

from torch import Tensor, nn

from likely.networks.topdown import TopDown

__all__ = ["Network", "Sized", "Starts", "Stated", "stated", "takes_observed"]


class Network(nn.Module, ABC):
    """Tensors to tensors, of sizes that it states: `(*batch, inputs) -> (*batch, outputs)`.

    An encoder of rows in data units takes `(batch, *event)`, y beside it where it states `covariates`, and the mask
    `observed` where it `takes_observed`.

    Attributes
    ----------
    inputs
        Numbers per row that it is given; `None` where it reads some columns of rows of any length.
    outputs
        Numbers per row that it gives.
    widest
        The most numbers per row that any of its layers holds.
    covariates
        Numbers y per row; `None` where it takes no y of its own.
    takes_observed
        Whether its call takes `observed`, the mask of the cells that are not missing, `(batch, *event)`.

    """

    inputs: int | None
    outputs: int
    widest: int
    covariates: int | None = None
    takes_observed: ClassVar[bool] = False

    @abstractmethod
    def forward(self, values: Tensor, /) -> Tensor:
        """The network's output."""


@runtime_checkable
class Sized(Protocol):
    """A module of the user's that states its sizes as a `Network` does: it is given flat rows."""

    inputs: int
    outputs: int
    widest: int


@runtime_checkable
class Starts(Protocol):
    """A decoder whose output can begin at given parameters."""

    def start(self, bias: Tensor) -> None:
        """Start the output near `bias`, `(outputs,)`, whatever the input is."""


class Stated(NamedTuple):
    """The sizes that a module states; `None` for those that it does not."""

    inputs: int | None = None
    outputs: int | None = None
    widest: int | None = None
    covariates: int | None = None


def stated(module: nn.Module | None) -> Stated:
    """The sizes that any module states: all of a `Network` of this package, none of most others."""
    if isinstance(module, Network):
        return Stated(module.inputs, module.outputs, module.widest, module.covariates)
    if isinstance(module, TopDown):
        return Stated(widest=module.widest)
    return Stated(module.inputs, module.outputs, module.widest) if isinstance(module, Sized) else Stated()


def takes_observed(module: nn.Module) -> bool:
    """Whether a module is given the mask of observed cells: a `Network` states it, of others `forward` names it."""
    return module.takes_observed if isinstance(module, Network) else _names_observed(type(module).forward)


@cache
def _names_observed(forward: Callable[..., Any]) -> bool:
    return "observed" in inspect.signature(forward).parameters
