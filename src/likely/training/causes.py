"""Why a loss is not finite: the column, the layer or the setting, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from likely.data import Batch
from likely.models import Model

__all__ = ["cause_of"]

WILD = 1e6  # no weight of a model of numbers of order one is as large


@torch.no_grad()
def cause_of(model: Model, batch: Batch, columns: Sequence[str] = (), rate: float = 0.0) -> str:
    """What of these rows, of the model or of the settings most likely makes the loss no finite number.

    Parameters
    ----------
    model, batch
        As they are when the loss is not finite.
    columns
        Names of the cells of a row, where they have names.
    rate
        The learning rate.

    """
    bad = ~batch.values.isfinite()
    if batch.observed is not None:
        bad &= batch.observed
    if bad.any():
        return f"{_cell(bad, batch, columns)} holds a number that is not finite"
    sizes = {name: float(weight.abs().max()) for name, weight in model.named_parameters() if weight.numel()}
    wild = next((name for name, size in sizes.items() if not size < WILD), None)
    if wild is not None:
        return f"weights of {wild} have grown to {sizes[wild]:.3g}, as they do at too high a learning rate ({rate:g})"
    with _watched(model) as names:
        drawn = model.posterior(batch).sample(torch.Size((1,)))
        cells = model.likelihood(drawn, batch.covariates).log_prob(batch.values)
    if names:
        return f"the layer {names[0]} gives numbers that are not finite, of numbers that are"
    bad = ~cells[0].isfinite()
    if batch.observed is not None:
        bad &= batch.observed
    if bad.any():
        largest = float(batch.values[bad].abs().max())
        return (
            f"log P(x|z) of {_cell(bad, batch, columns)} is not finite; its numbers go up to {largest:.3g} as encoded"
        )
    largest = float(batch.values.abs().max())
    return (
        f"numbers are too large for their type: the learning rate {rate:g} may be too high, or cells too extreme (up "
        f"to {largest:.3g} as encoded)"
    )


def _cell(bad: Tensor, batch: Batch, columns: Sequence[str]) -> str:
    """The cell of a row that is bad most often; of several the one with the most extreme numbers."""
    often, extreme = bad.flatten(1).sum(0), batch.values.flatten(1).abs().amax(0).nan_to_num(torch.inf)
    place = int(torch.where(often == often.max(), extreme, -1).argmax())
    if place < len(columns):
        return f"column {columns[place]!r}"
    where = torch.unravel_index(torch.tensor(place), bad.shape[1:])
    return f"the cell ({', '.join(str(int(one)) for one in where)}) of a row"


@contextmanager
def _watched(model: nn.Module) -> Iterator[list[str]]:
    """Within it the list fills with the names of modules that make numbers that are not finite of ones that are."""
    names = list[str]()

    def hook(name: str) -> Any:
        def record(module: nn.Module, given: Any, output: Any) -> None:
            if isinstance(output, Tensor) and not output.isfinite().all() and all(map(_finite, given)):
                names.append(f"{name} ({type(module).__name__})")

        return record

    handles = [module.register_forward_hook(hook(name)) for name, module in model.named_modules() if name]
    try:
        yield names
    finally:
        for handle in handles:
            handle.remove()


def _finite(value: Any) -> bool:
    return not isinstance(value, Tensor) or bool(value.isfinite().all())
