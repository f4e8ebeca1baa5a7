"""How probable events are for each of some rows."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from likely.config import demand_whole
from likely.data import EncodedRows, Given, Rows, encode, with_conditions_beside
from likely.data.encode import fill
from likely.data.events import Event, conjuncts, read_events, split_words
from likely.errors import ConfigError, DataError
from likely.run.forms import container_of, packed
from likely.run.missing import note_new_missing
from likely.run.progress import bar
from likely.run.reading import index_of
from likely.tasks.ask import Answers, ask
from likely.tasks.draws import MIN_EFFECTIVE_DRAWS

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["AskOptions", "asked"]


@dataclass(frozen=True)
class AskOptions:
    """How many z are drawn for each row, and the seed of the noise; see `Run.ask`."""

    samples: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        demand_whole("samples", self.samples)


def asked(run: Run, data: Any, events: str | Sequence[str], options: AskOptions, *, given: Given | None) -> Any:
    """The probability of each event for each row; see `Run.ask`.

    Raises
    ------
    ConfigError
        If an event cannot be read, or its probability is 0 because it is a single number of a density.

    """
    words = list(dict.fromkeys([events] if isinstance(events, str) else events))
    if not words:
        raise ConfigError('ask about an event, such as "COLUMN=VALUE" or "COLUMN>NUMBER"')
    wanted = {word: _read(run, word) for word in words}
    rows, _ = run.rows_of(data)
    like = torch.tensor([fill(column) for column in run.schema.modelled], dtype=torch.float64).to(run.device)
    absent = _absent(run, rows, {event.place for each in wanted.values() for event in each})
    columns: dict[str, np.ndarray] = {}
    poor = 0
    for word, each in wanted.items():
        with bar(f"asking {word}", shown=run.progress) as tick:
            encoded = _without(run, rows, {event.place for event in each} | absent, given)
            answers = ask(
                run.model,
                encoded,
                each,
                like=like,
                samples=options.samples,
                seed=options.seed,
                rule=run.proposal_rule(),
                progress=tick,
            )
        columns |= _named(word, answers)
        poor = max(poor, int((answers.ess < MIN_EFFECTIVE_DRAWS).sum()))
    if poor:
        warnings.warn(
            f"{poor} of {len(rows)} rows have fewer than {MIN_EFFECTIVE_DRAWS:g} effective draws of z even after more "
            f"were taken: see their errors; raise samples above {options.samples}",
            stacklevel=3,
        )
    return packed(container_of(data), pd.DataFrame(columns, index=index_of(rows)))


def _read(run: Run, word: str) -> list[Event]:
    parts = split_words(run.schema, conjuncts(run.schema, word))
    for column, _, _ in parts:
        if column.condition:
            raise ConfigError(
                f"{column.name!r} is a condition: the model is given it, and has no probability of it; "
                f"fit without --condition {column.name}"
            )
    events = read_events(run.schema, parts)
    for event in events:
        if event.without_mass:
            name = run.schema.modelled[event.place].name
            raise ConfigError(
                f"column {name!r} has a density, under which a single number has probability 0: take < or >"
            )
    return events


def _absent(run: Run, rows: Rows, places: set[int]) -> set[int]:
    """Which of these places' columns the data do not have."""
    if not isinstance(rows.values, pd.DataFrame):
        return set()
    there = {str(name) for name in rows.values.columns}
    return {place for place in places if run.schema.modelled[place].name not in there}


def _without(run: Run, rows: Rows, places: set[int], given: Given | None) -> EncodedRows:
    """The rows without the cells at these places, which need not be there and are not looked at."""
    names = [run.schema.modelled[place].name for place in places]
    values = rows.values
    if isinstance(values, pd.DataFrame):
        values = values.loc[:, [str(name) not in names for name in values.columns]].rename(columns=str)
        values = values.assign(**dict.fromkeys(names, np.nan))
    else:
        values = np.array(values, dtype=np.float64)
        values[:, [[column.name for column in run.schema.columns].index(name) for name in names]] = np.nan
    encoded = encode(run.schema, values, with_conditions_beside(run.schema, rows, given))
    if not len(encoded):
        raise DataError("there are no rows")
    note_new_missing(run.model, run.schema, encoded, but=places)
    return encoded.to(run.device)


def _named(word: str, answers: Answers) -> dict[str, np.ndarray]:
    return {word: answers.probability.cpu().numpy(), f"{word} se_mc": answers.se.cpu().numpy()}
