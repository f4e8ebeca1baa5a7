"""Rows drawn from P(x), from P(x|y), or given events on modelled columns."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from likely.config import demand_whole
from likely.data import decode, encode_given
from likely.data.encode import fill
from likely.data.events import Event, read_events, split_words
from likely.errors import ConfigError
from likely.files import demand_room
from likely.run.forms import named
from likely.run.progress import bar
from likely.run.tempering import demand_temperature, tell_temperature, tempered
from likely.tasks.condition import Conditional, conditional
from likely.tasks.ranges import Range, RangeTally, demand_reachable, rows_within, share_outside

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["Asked", "SampleOptions", "demand_rows", "drawn", "parts"]

CHUNK_ROWS = 1000  # whose P(x|z) is held at once
CELL_BYTES, COPIES = 8, 3  # of a cell: as it is drawn, as it is decoded, and as it is given back
MIN_EFFECTIVE, MAX_GIVEN = 100, 100  # draws of z behind rows that keep to a condition; values of y with conditions on x

Asked = Mapping[str, Any] | Sequence[str]


def parts(z: Tensor, y: Tensor | None) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Codes, and the covariates of the same rows, in chunks."""
    for first in range(0, len(z), CHUNK_ROWS):
        part = slice(first, first + CHUNK_ROWS)
        yield z[part], None if y is None else y[part]


@dataclass(frozen=True)
class SampleOptions:
    """How rows are drawn; see `Run.sample`."""

    given: Asked | None = None
    mean: bool = False
    with_missing: bool = False
    beyond_range: bool = False
    temperature: float = 1.0
    seed: int = 0


def demand_rows(run: Run, n: int) -> None:
    """Refuse to make more rows than there is memory for.

    Raises
    ------
    ConfigError
        If there is not.

    """
    cells = run.schema.dims
    demand_room(COPIES * n * cells * CELL_BYTES, f"{n:,} rows of {cells:,} cells", "make fewer at a time", ConfigError)


@torch.no_grad()
def drawn(run: Run, n: int, options: SampleOptions) -> Any:
    """Rows drawn from the model, as frames of pandas or arrays; see `Run.sample`."""
    demand_rows(run, demand_whole("n", n))
    given, mean, temperature, seed = options.given, options.mean, options.temperature, options.seed
    values, events = _conditions_and_events(run, given)
    demand_temperature(run.model.prior(), temperature, bool(events))
    if events and mean:
        raise ConfigError("a mean of P(x|z) does not keep to a condition on modelled columns; leave mean out")
    y = encode_given(run.schema, _exposed(run, values, n, seed), n)
    y, conditionals = None if y is None else y.to(run.device), list[Conditional]()
    within = None if mean or options.beyond_range else Range.of(run.schema, free=[event.place for event in events])
    with torch.random.fork_rng(devices=[run.device] if run.device.type == "cuda" else []):
        torch.manual_seed(seed)
        if events:
            x, conditionals = _given_events(run, n, events, y, within)
            tallies = [one.tally for one in conditionals if one.tally is not None]
        else:
            x = _unconditional(run, n, y, temperature, mean=mean)
            tallies = []
            if within is not None:
                x, tally = _within(run, x, y, within, temperature)
                tallies = [tally]
        seen = run.patterns.draw(n) if options.with_missing and run.patterns else None
    if seen is not None:
        seen[:, [event.place for event in events]] = True
    result = named(run, decode(run.schema, x, y, seen))
    if isinstance(result, pd.DataFrame):
        result.attrs |= {"given": _facts_of(conditionals, n)} if conditionals else {}
        result.attrs |= {"range": share_outside(tallies)} if tallies else {}
    tell_temperature(result, temperature)
    return result


def _exposed(run: Run, values: dict[str, Any] | None, n: int, seed: int) -> dict[str, Any] | None:
    """What is given, with exposures drawn from those of the training rows where they are not."""
    column = run.schema.exposure
    if column is None or run.conditions is None or (values is not None and column.name in values):
        return values
    known = run.conditions[:, run.schema.conditions.index(column)].numpy()
    return {**(values or {}), column.name: np.random.default_rng(seed).choice(known, n)}


def _unconditional(run: Run, n: int, y: Tensor | None, temperature: float, *, mean: bool = False) -> Tensor:
    z, parts_drawn = tempered(run.model.prior(), n, temperature), []
    for part in parts(z, y):
        distribution = run.model.likelihood(*part)
        parts_drawn.append((distribution.mean if mean else distribution.sample()).cpu())
    return torch.cat(parts_drawn)


def _within(run: Run, x: Tensor, y: Tensor | None, within: Range, temperature: float) -> tuple[Tensor, RangeTally]:
    """Rows of P(x|y, x is within the range), from rows of P(x|y); those of one y have one distribution."""
    group = None if y is None else torch.unique(y, dim=0, return_inverse=True)[1].cpu()

    def draw(rows: Tensor) -> Tensor:
        return _unconditional(run, len(rows), None if y is None else y[rows.to(y.device)], temperature)

    x, tally = rows_within(x, draw, within, group=group)
    demand_reachable(within, tally)
    return x, tally


def _conditions_and_events(run: Run, given: Asked | None) -> tuple[dict[str, Any] | None, list[Event]]:
    """The values of conditions, which the model is given, and the events on modelled columns."""
    if given is None:
        return None, []
    if isinstance(given, str):
        given = [given]
    names = {column.name: column for column in run.schema.columns}
    modelled = [column.name for column in run.schema.modelled]
    if isinstance(given, Mapping):
        asked = {str(name): value for name, value in given.items()}
        values = {name: value for name, value in asked.items() if name not in modelled or run.schema.cells_alike}
        events = [(names[name], "=", _text(value)) for name, value in asked.items() if name not in values]
    else:
        words, values, events = split_words(run.schema, given), {}, []
        for column, operator, value in words:
            if not column.condition:
                events.append((column, operator, value))
            elif operator != "=" or column.name in values:
                raise ConfigError(f"{column.name!r} is a condition of the model: give it one value, by =")
            else:
                values[column.name] = value
    return values or None, read_events(run.schema, events)


def _text(value: Any) -> str:
    return "|".join(str(one) for one in value) if isinstance(value, (list, tuple, set)) else str(value)


def _given_events(
    run: Run, n: int, events: list[Event], y: Tensor | None, within: Range | None
) -> tuple[Tensor, list[Conditional]]:
    """Rows that keep to the events, for each y that occurs; and how they were found."""
    like = torch.tensor([fill(column) for column in run.schema.modelled], dtype=torch.float64).to(run.device)  # any row
    if y is None:
        with bar("drawing", shown=run.progress) as tick:
            drawn = conditional(run.model, events, n, None, like=like, within=within, progress=tick)
        return drawn.values.cpu(), [drawn]
    each, which = torch.unique(y, dim=0, return_inverse=True)
    if len(each) > MAX_GIVEN:
        raise ConfigError(
            f"conditions on modelled columns go with at most {MAX_GIVEN} different values of what the model is given; "
            f"got {len(each)}"
        )
    x, drawn_by_y = torch.empty((n, len(like)), dtype=torch.float64), []
    for number, one in enumerate(each):
        place = (which == number).nonzero().squeeze(1).cpu()
        drawn_by_y.append(conditional(run.model, events, len(place), one.unsqueeze(0), like=like, within=within))
        x[place] = drawn_by_y[-1].values.cpu()
    return x, drawn_by_y


def _facts_of(conditionals: list[Conditional], n: int) -> dict[str, Any]:
    """What is known of the condition; few effective draws are warned of. Where y differs, that of the rarest."""
    rarest = min(conditionals, key=lambda one: one.probability)
    few = [one for one in conditionals if one.effective is not None and one.effective < MIN_EFFECTIVE]
    if few:
        worst = min(few, key=lambda one: one.effective or 0.0)
        warnings.warn(
            f"the condition is rare under the model: {len(worst.values)} of {n} rows are chosen among "
            f"{worst.effective:.0f} effective draws of z, of {worst.tried:,}: they are less varied than they seem",
            stacklevel=4,
        )
    return {
        "probability": rarest.probability,
        "se": rarest.se,
        "effective_draws": rarest.effective,
        "draws": rarest.tried,
    }
