"""Fits of very many rows: what X is is inferred from a sample of them, once all were looked at."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from likely.config import Config
from likely.data import DividedRows, Division, Rows, Schema, Source, Split, divide, sources
from likely.data.encode import is_byte
from likely.data.many import demand_random, divide_many, is_many
from likely.data.survey import Survey, surveyed
from likely.run.describing import Description
from likely.run.progress import bar
from likely.run.reading import reading_of

__all__ = ["Parted", "Sampled", "chunk_rows", "divided", "divided_whole", "in_blocks", "typed"]

BLOCK_BYTES = 2**20  # of neighbouring rows in a file that are shuffled as one: a disk reads so much at once
CHUNK_CELLS = 2**21  # of rows that are looked at, or encoded, at once: 16 MiB in float64


def chunk_rows(cells: int) -> int:
    """How many rows of so many cells are read at once."""
    return max(256, CHUNK_CELLS // max(1, cells))


def divided(source: Source, seed: int, split: Split, *, progress: bool) -> Parted:
    """Divide a source, and look at all training rows first where a sample of them is to stand for them.

    Raises
    ------
    InputError
        If the rows cannot be divided or read.

    """
    cells = _cells_of(source)
    if is_many(source, cells) and _is_random(split):
        return _sampled(source, seed, cells, progress=progress)
    return Parted(divided_whole(source, seed, split))


def divided_whole(source: Source, seed: int, split: Split) -> DividedRows:
    """The same without a look at the rows, for those whose schema is known."""
    cells = _cells_of(source)
    if is_many(source, cells) and _is_random(split):
        return DividedRows(source, divide_many(source, seed, cells))
    if source.streamed:
        demand_random(split)
    return DividedRows(source, divide(source, seed, split))


def typed(data: Any, source: Source, schema: Schema, memory: int | None) -> Source:
    """The source, read by the schema where its texts stay in files: each part of them would tell types of its own."""
    if not source.streamed or source.text is None:
        return source
    again = sources.open_source(data, reading=reading_of(schema), memory=memory)
    return again if again.streamed else source


def in_blocks(config: Config, schema: Schema, source: Source) -> Config:
    """The configuration with rows shuffled in blocks, where they are mapped from files and nothing else is said."""
    if not source.streamed or config.training.block_rows is not None:
        return config
    width = 1 if schema.cells_alike and is_byte(schema.columns[0]) else 8
    rows = max(16, BLOCK_BYTES // max(1, width * schema.dims))
    return replace(config, training=replace(config.training, block_rows=rows))


@dataclass(frozen=True, eq=False)
class Parted:
    """A divided source whose rows are all looked at."""

    rows: DividedRows

    def described(self, describe: Callable[[DividedRows], Description]) -> Description:
        """What its rows are."""
        return describe(self.rows)


@final
@dataclass(frozen=True, eq=False)
class Sampled(Parted):
    """Rows of which a sample is in memory.

    Attributes
    ----------
    rows
        The sample of the training rows, validation and test rows, in memory: a divided source of its own.
    source, division
        All rows; and which of them train, with those of the sample, validate and test.
    survey
        What all training rows hold.

    """

    source: Source
    division: Division
    survey: Survey

    def described(self, describe: Callable[[DividedRows], Description]) -> Description:
        """What was described of the sample, as it is of all rows: with their counts, and their division."""
        described = describe(self.rows)
        kept, held = described.rows.division, dict[str, np.ndarray]()
        for kind in ("train", "validation", "test"):
            held[kind] = _in_memory(self.division, self.division.origin[kind])[getattr(kept, kind)]
        moved = len(held["train"]) - len(self.division.train)  # rows with a class that no training row had
        division = Division(
            held["train"], held["validation"], held["test"], self.division.origin, self.survey.rows + moved
        )
        schema = replace(self.survey, rows=self.survey.rows + moved).exact(described.schema)
        said = (
            f"{len(held['train']):,} of {division.training_rows:,} training rows are a sample, for kinds, warps, "
            "baselines and diagnoses; all train, and all were looked at for ranges, categories and missing cells"
        )
        cut = tuple(
            f"{len(held[kind]):,} of {whole:,} {kind} rows are taken, drawn by the seed"
            for kind, name in self.division.origin.items()
            if kind != "train" and kind[:3] == name[:3] and (whole := len(self.source.splits[name])) > len(held[kind])
        )
        known = {kind: described.rows.take(kind) for kind in held}
        return Description(schema, DividedRows(self.source, division, known), (*described.notices, said, *cut))


def _in_memory(division: Division, split: str) -> np.ndarray:
    """The numbers, among all rows of a split, of those that are read into memory."""
    kinds = [kind for kind in ("train", "validation", "test") if division.origin[kind] == split]
    return np.unique(np.concatenate([getattr(division, kind) for kind in kinds]))


def _cells_of(source: Source) -> int:
    """How many cells a row has."""
    return max(1, math.prod(next(iter(source.splits.values())).event))


def _is_random(split: Split) -> bool:
    return isinstance(split, str) and split == "random"


def _sampled(source: Source, seed: int, cells: int, *, progress: bool) -> Sampled:
    """Divide the rows, look at all that train, and read a sample of them with those that validate and test."""
    division = divide_many(source, seed, cells)
    total = len(source.splits[division.origin["train"]])
    with bar("looking at all rows", shown=progress) as tick:
        survey = surveyed(division.training_chunks(source, chunk_rows(cells)), total, tick)
    division = replace(division, train=np.union1d(division.train, survey.numbers))
    stores, small = dict[str, Rows](), dict[str, np.ndarray]()
    for name in set(division.origin.values()):
        wanted = _in_memory(division, name)
        stores[name] = source.splits[name].read(wanted)
        for kind in ("train", "validation", "test"):
            if division.origin[kind] == name:
                small[kind] = np.searchsorted(wanted, getattr(division, kind))
    inner = Division(small["train"], small["validation"], small["test"], division.origin)
    return Sampled(DividedRows(replace(source, splits=stores), inner), source, division, survey)
