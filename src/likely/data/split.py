"""Three kinds of rows: train, validation, test."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from likely.data.parting import by_group, by_name, by_time, read_parts
from likely.data.source import Rows, RowStore, Source
from likely.errors import ConfigError, DataError, quoted
from likely.files import conform, seen_to_exist

__all__ = ["MAX_VALIDATION_ROWS", "DividedRows", "Division", "Split", "digest", "divide"]

CHUNK_CELLS = 2**22  # that are hashed at once
MAX_VALIDATION_ROWS = 5000  # their mean ELBO is known to about 1/70 of its deviation over rows


@dataclass(frozen=True, eq=False)
class Division:
    """Row numbers of the three kinds, and the split of the source that each kind is taken from.

    One that a user makes (`of`) may have no test rows: then nothing is kept back for `Run.evaluate`.

    Attributes
    ----------
    train, validation, test
        Row numbers, ascending unless a user gave them otherwise.
    origin
        Kind -> split of the source.
    sample_of
        How many rows train, where `train` holds a sample of them: all rows of the split that neither validate nor test.
        `None` where it holds all.

    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    origin: dict[str, str]
    sample_of: int | None = None

    @property
    def training_rows(self) -> int:
        """How many rows train."""
        return len(self.train) if self.sample_of is None else self.sample_of

    @property
    def held_out(self) -> np.ndarray:
        """The row numbers of the split of the training rows that validate or test, ascending."""
        kinds = [kind for kind in ("validation", "test") if self.origin[kind] == self.origin["train"]]
        return np.sort(np.concatenate([np.empty(0, np.int64), *(getattr(self, kind) for kind in kinds)]))

    @classmethod
    def of(cls, train: Sequence[int] | np.ndarray, validation: Sequence[int] | np.ndarray) -> Division:
        """Training and validation rows by their numbers in data without splits, and no test rows.

        Raises
        ------
        DataError
            If they are no whole numbers from 0 on, a row has two uses, or there are fewer than two training rows or
            no validation row.

        """
        parts = {"training": np.asarray(train), "validation": np.asarray(validation)}
        for (name, part), least in zip(parts.items(), (2, 1), strict=True):
            if part.ndim != 1 or len(part) < least:
                raise DataError(f"{name} rows must be a list of at least {least} row number(s), got {part!r:.80}")
            if part.dtype.kind not in "iu" or part.min() < 0:
                raise DataError(f"{name} rows must be whole numbers from 0 on, got {part!r:.80}")
        numbers, uses = np.unique(np.concatenate(list(parts.values())), return_counts=True)
        if uses.max() > 1:
            raise DataError(f"row {numbers[uses.argmax()]} is given twice; a row trains, or validates, once")
        fitted, held = (part.astype(np.int64) for part in parts.values())
        return cls(fitted, held, np.empty(0, np.int64), dict.fromkeys(("train", "validation", "test"), "all"))

    def demand_consistent(self) -> None:
        """Check row numbers from a file, which anyone may have written.

        Raises
        ------
        ValueError
            If they are no whole numbers from 0 on, a row has two uses, the splits have no names, or nothing trains or
            validates.

        """
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        origin = conform(dict[str, str], self.origin, "origin")
        if set(origin) != set(parts) or any(part.dtype != np.int64 or part.ndim != 1 for part in parts.values()):
            raise ValueError("row numbers that are no whole numbers, or of no split")
        if not len(self.train) or not len(self.validation):
            raise ValueError("no rows that train, or none that validate")
        if self.sample_of is not None and (type(self.sample_of) is not int or self.sample_of < len(self.train)):
            raise ValueError("fewer rows train than their sample has")
        for split in set(origin.values()):
            numbers = np.concatenate([part for kind, part in parts.items() if origin[kind] == split])
            if len(numbers) and (numbers.min() < 0 or len(np.unique(numbers)) < len(numbers)):
                raise ValueError("row numbers below 0, or of two uses")

    def demand(self, source: Source) -> None:
        """Check that the source has these rows.

        Raises
        ------
        DataError
            If it does not, or is divided into splits already.

        """
        if "all" not in source.splits:
            raise DataError(f"the data is divided already, into {', '.join(source.splits)}; leave the split out")
        highest, rows = (
            max(part.max() for part in (self.train, self.validation, self.test) if len(part)),
            len(source.splits["all"]),
        )
        if highest >= rows:
            raise DataError(f"the division has row {highest}, and the data {rows} row(s), numbered from 0")

    def rows(self, source: Source, kind: str) -> Rows:
        """The rows of one kind (`train`, `validation` or `test`).

        Raises
        ------
        DataError
            If the source has no such rows.

        """
        split, numbers = source.splits.get(self.origin[kind]), getattr(self, kind)
        if split is None or (len(numbers) and numbers.max() >= len(split)):
            raise DataError(f"the stored division has {kind} rows that the data does not have; fit again")
        return split.read(numbers)

    def all_training(self, source: Source) -> np.ndarray:
        """The numbers of all training rows, ascending where there is but a sample of them."""
        if self.sample_of is None:
            return self.train
        return np.delete(np.arange(len(source.splits[self.origin["train"]])), self.held_out)

    def training_chunks(self, source: Source, size: int) -> Iterator[tuple[np.ndarray, Rows]]:
        """All training rows in their order, of at most so many rows of the source at a time, with their numbers."""
        store, held, first = source.splits[self.origin["train"]], self.held_out, 0
        if self.sample_of is None:
            for start in range(0, len(self.train), size):
                numbers = self.train[start : start + size]
                yield numbers, store.read(numbers)
            return
        for chunk in store.chunks(size):
            numbers = np.arange(first, first + len(chunk))
            kept = ~np.isin(numbers, held[slice(*np.searchsorted(held, (first, first + len(chunk))))])
            first += len(chunk)
            yield numbers[kept], chunk.read(np.flatnonzero(kept))


class DividedRows:
    """The rows of a divided source; those that train and validate are read once, and kept until they are taken.

    Parameters
    ----------
    source, division
        The rows, and which of them train, validate and test.
    known
        The rows of a kind, where they were read already.

    """

    def __init__(self, source: Source, division: Division, known: Mapping[str, Rows] | None = None) -> None:
        self.source, self.division = source, division
        self._kept = dict(known or {})

    def read(self, kind: str) -> Rows:
        """The rows of one kind (`train`, `validation` or `test`)."""
        if kind == "test" and kind not in self._kept:
            return self.division.rows(self.source, kind)
        if kind not in self._kept:
            self._kept[kind] = self.division.rows(self.source, kind)
        return self._kept[kind]

    def take(self, kind: str) -> Rows:
        """The same for the last time: they are kept no longer, and whoever takes them may write over them.

        An array's may be a view of the source's rows.
        """
        taken = self.read(kind)
        self._kept.pop(kind, None)
        return taken

    def read_from(self, source: Source) -> DividedRows:
        """The same rows of a source that reads them otherwise; those that are kept stay as they are."""
        return DividedRows(source, self.division, self._kept)

    def divided_as(self, division: Division) -> DividedRows:
        """The rows of the same source in another division; none are kept."""
        self._kept.clear()
        return DividedRows(self.source, division)


Split = str | Path | Sequence[str] | Division


def divide(source: Source, seed: int, split: Split = "random") -> Division:
    """Divide a source once: its own splits where it has them, else 80/10/10.

    Validation rows, where the source has none, are a tenth of the training rows, at most 5,000. A source without a test
    split but with others has no test rows left over: a tenth of its training rows is taken.

    Parameters
    ----------
    source
        The data.
    seed
        Of what is drawn.
    split
        How the rows are chosen that the source itself does not tell apart. `random`: by the seed. `time:COLUMN`: the
        last rows by that column are test rows, those before them validation rows. `group:COLUMN`: all rows of a group
        are in one part. A path: a file with `train`, `val` or `test` for each row, in a line or a column; or such words
        themselves. A tenth of the training rows validates where none is named so; where no row is named for the test
        there are no test rows. A `Division` is taken as it is.

    Raises
    ------
    DataError
        If there are too few rows to divide, or there is a test split and nothing to train on; if the split is not one
        of these rows.
    ConfigError
        If the seed is negative or beyond 63 bits, or the split names no column of the data.

    """
    if not 0 <= seed < 2**63:
        raise ConfigError(f"seed must be from 0 to 2^63 - 1, got {seed}")
    if isinstance(split, Division):
        split.demand(source)
        return split
    splits = source.splits
    train_name = next((name for name in ("train", "all") if name in splits), None)
    if train_name is None:
        raise DataError(f"the data has only {', '.join(splits)} rows; a train split is needed to fit")
    how, _, column = split.partition(":") if isinstance(split, str) else ("", "", "")
    if not (how in ("time", "group") and column) and not (how == "random" and not column):
        return _named(source, split, seed)
    count = len(splits[train_name])
    origin: dict[str, str] = {"train": train_name, "validation": train_name, "test": train_name}
    parts = {"test": 0 if "test" in splits else max(1, count // 10)}
    parts["validation"] = 0 if "val" in splits else min(max(1, count // 10), MAX_VALIDATION_ROWS)
    if count - sum(parts.values()) < 2:
        raise DataError(
            f"{count} row(s) are too few to divide into training, validation and test rows; give at least 4"
        )
    if how == "time":
        index = by_time(splits[train_name].read(), column, parts)
    elif how == "group":
        index = by_group(splits[train_name].read(), column, parts, seed)
    else:
        order = np.random.default_rng(seed).permutation(count)
        index = {"test": np.sort(order[: parts["test"]])}
        index["validation"] = np.sort(order[parts["test"] : sum(parts.values())])
        index["train"] = np.sort(order[sum(parts.values()) :])
    if len(index["train"]) < 2:
        raise DataError(f"split {split}: {len(index['train'])} training row(s) are too few; at least 2 are needed")
    for kind, name in (("validation", "val"), ("test", "test")):
        if name in splits:
            if not len(splits[name]):
                raise DataError(f"the {name} split has no rows")
            origin[kind], index[kind] = name, np.arange(len(splits[name]))
    return Division(index["train"], index["validation"], index["test"], origin)


def _named(source: Source, split: str | Path | Sequence[str], seed: int) -> Division:
    """The parts that a file, or a list, names row by row."""
    if "all" not in source.splits:
        raise DataError(f"the data is divided already, into {', '.join(source.splits)}; leave the split out")
    if isinstance(split, (str, Path)):
        if not seen_to_exist(Path(split)):
            raise ConfigError(
                f"split must be random, time:COLUMN, group:COLUMN or a file of parts; got {quoted(str(split))}"
            )
        split = read_parts(Path(split))
    parts = by_name(list(split), len(source.splits["all"]))
    train, validation = parts["train"], parts["validation"]
    if not len(validation) and len(train):
        held = min(max(1, len(train) // 10), MAX_VALIDATION_ROWS)
        order = np.random.default_rng(seed).permutation(len(train))
        train, validation = np.sort(train[order[held:]]), np.sort(train[order[:held]])
    return replace(Division.of(train, validation), test=parts["test"])


def digest(source: Source, *, labels: Sequence[str] = ()) -> str:
    """SHA-256 of the content of all splits, and of the labels named, so that a changed source is noticed."""
    sha = hashlib.sha256()
    for name in sorted(source.splits):
        store = source.splits[name]
        sha.update(name.encode())
        beside: list[list[np.ndarray | None]] = []
        for number, rows in enumerate([store] if isinstance(store, Rows) else store.chunks(_chunk_rows(store))):
            values = rows.values
            if isinstance(values, pd.DataFrame):
                sha.update(b"" if number else repr([str(column) for column in values.columns]).encode())
                sha.update(pd.util.hash_pandas_object(values, index=False).to_numpy().tobytes())
            else:
                sha.update(b"" if number else f"{values.dtype}{(len(store), *store.event)}".encode())
                sha.update(np.ascontiguousarray(values).data)
            beside.append([rows.values_named(label) for label in labels])
        for parts in zip(*beside, strict=True):
            known = [part for part in parts if part is not None]
            if not known:
                continue
            sha.update(b"[")
            for number, part in enumerate(known):
                sha.update(f"{', ' if number else ''}{repr(part.tolist())[1:-1]}".encode())
            sha.update(b"]")
    return sha.hexdigest()


def _chunk_rows(store: RowStore) -> int:
    """How many rows are hashed at once: the hash of a row is its own, so it matters not."""
    return max(1, CHUNK_CELLS // max(1, math.prod(store.event)))
