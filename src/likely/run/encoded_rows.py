"""The rows of a plan, encoded: in memory, or in files that are mapped where all of them would fill too much of it."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from likely import world
from likely.data import EncodedRows, Rows, encode, weights_of, with_conditions_beside
from likely.data.bad_row import bad_rows_named_by
from likely.data.encode import MAX_BYTE, is_byte
from likely.data.kinds import Binarize, Channels, Kind
from likely.data.mapped import MappedRows, written_rows
from likely.data.sources.npy import ArrayRows
from likely.errors import DataError, OutputError
from likely.files import LOCK, demand_unowned, filled_folder, gib, half_written, release_lock, take_lock
from likely.run.many import chunk_rows
from likely.run.plan import Plan
from likely.run.progress import bar
from likely.run.support import demand_rows_in_own_support

__all__ = ["encoded_rows", "encoded_sample"]

CACHE_FORMAT = 1  # of the files; another number, another folder
MARK = "these are encoded rows of a fit by likely; the folder may be deleted when no fit uses it\n"


def encoded_rows(plan: Plan) -> dict[str, EncodedRows]:
    """Encoded training and validation rows; test rows are checked too, so that errors come before training.

    Raises
    ------
    DataError
        If a row is not of the schema; it names the part, the row and the column.
    OutputError
        If encoded rows cannot be written.

    """
    encoded: dict[str, EncodedRows] = {}
    for part in ("train", "validation", "test"):
        numbers: np.ndarray = getattr(plan.division, part)
        if not len(numbers):
            continue
        try:
            if part == "train" and plan.rows.source.streamed:
                encoded[part] = _mapped(plan)
                continue
            if part == "train" and plan.division.sample_of is not None:
                numbers = plan.division.all_training(plan.rows.source)
                rows = plan.rows.source.splits[plan.division.origin[part]].read(numbers)
            else:
                rows = plan.rows.take(part)
            may_overwrite = _own(plan, part, rows)
            if part != "test":
                encoded[part] = _encoded(plan, numbers, rows, may_overwrite=may_overwrite)
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # their warnings come when they are evaluated
                _encoded(plan, numbers, rows, may_overwrite=may_overwrite, check_support=False)
        except DataError as error:
            raise DataError(f"{part} rows: {error}") from error
    return encoded


def encoded_sample(plan: Plan, train: EncodedRows) -> EncodedRows:
    """The training rows, or their sample, encoded and in memory."""
    if plan.division.sample_of is None:
        return train
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = _encoded(plan, plan.division.train, plan.rows.take("train"), check_support=False)
    once = rows if plan.schema.binarize == Binarize.DYNAMIC else rows.binarised_once(plan.config.seed)
    return once.to(train.device)


def _own(plan: Plan, part: str, rows: Rows) -> bool:
    """Whether an array, which one column describes, may be encoded in its own memory, as nobody else uses it."""
    if not plan.schema.cells_alike:
        return False
    whole = plan.rows.source.splits[plan.division.origin[part]]
    return not (isinstance(whole, Rows) and np.may_share_memory(rows.values, whole.values))


def _encoded(
    plan: Plan, numbers: np.ndarray, rows: Rows, *, may_overwrite: bool = False, check_support: bool = True
) -> EncodedRows:
    with bad_rows_named_by(numbers):
        given = with_conditions_beside(plan.schema, rows)  # conditions that are labels, or came apart from x
        unweighted = encode(plan.schema, rows.values, given, may_overwrite=may_overwrite)
        encoded = unweighted.weighted(weights_of(plan.schema, rows))  # refuses weights that are none
        if check_support and plan.own.model is None:  # of likelihoods by name the support is known
            plan.resolved.demand_rows_in_requested_support(encoded)
        elif check_support:  # that of a user's model shows in its log P(x|z) of the rows
            binarised = encoded.binarised_once(plan.config.seed).to(plan.device)
            demand_rows_in_own_support(plan.model, binarised, numbers)
    return encoded


def _mapped(plan: Plan) -> MappedRows:
    """The training rows in files: beside the run, in the folder that is given, or without a name."""
    file = _encoded_already(plan)
    if file is not None:
        return MappedRows.of_bytes(file, plan.schema.columns[0], plan.schema.binarize, plan.division.held_out)
    if plan.cache is None:
        with tempfile.TemporaryDirectory(prefix="likely-") as folder:
            return _opened(plan, Path(folder))  # once they are mapped, files need no name
    rows = _opened(plan, plan.cache) if world.first() else None
    world.barrier()  # the first process writes the files, all map them
    return _opened(plan, plan.cache) if rows is None else rows


def _encoded_already(plan: Plan) -> Path | None:
    """An npy file whose bytes are levels, or 0 and 1, and stand as they are encoded: it is not written again."""
    schema, store = plan.schema, plan.rows.source.splits[plan.division.origin["train"]]
    if not (isinstance(store, ArrayRows) and store.holds_bytes and schema.cells_alike and is_byte(schema.columns[0])):
        return None
    column, plain = schema.columns[0], not schema.conditions and schema.weight is None and plan.own.model is None
    if plan.division.sample_of is None or not plain or schema.channels == Channels.FIRST:
        return None
    if schema.binarize in (Binarize.STATIC, Binarize.THRESHOLD):
        return None
    ends = column.low, column.high
    whole = ends == (0, MAX_BYTE) or not column.hard  # declared limits are checked where rows are encoded
    exact = schema.binarize is not None or ends == (0, 1) or (column.kind == Kind.LEVELS and whole)
    return store.file if exact else None


def _opened(plan: Plan, cache: Path) -> MappedRows:
    place = cache / _key(plan)
    with suppress(OSError, ValueError, KeyError):  # not there, or not whole
        return MappedRows.opened(place)
    _write(plan, place)
    return MappedRows.opened(place)


def _write(plan: Plan, place: Path) -> None:
    chunks, rows, cache = _chunks(plan), plan.division.training_rows, place.parent
    first = next(chunks)
    size = rows * _row_bytes(first)
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {cache}: {error.strerror or error}; give another: --cache DIR"
        ) from error
    _remove_halves(cache)
    free = shutil.disk_usage(cache).free
    if size > free:
        raise OutputError(
            f"the {rows:,} encoded training rows take {gib(size)}, and {cache} has {gib(free)} free; give a folder "
            "elsewhere: --cache DIR"
        )
    warnings.warn(f"the {rows:,} encoded training rows take {gib(size)}, in {cache}", stacklevel=2)

    def counted() -> Iterator[EncodedRows]:
        done = 0
        with bar(f"encoding {rows:,} rows", shown=plan.progress) as tick:
            for chunk in _both(first, chunks):
                done += len(chunk)
                tick(done, rows)
                yield chunk

    with filled_folder(place) as half:
        take_lock(half)
        written_rows(half, counted(), rows)
        (half / "README").write_text(MARK)
        release_lock(half)


def _remove_halves(cache: Path) -> None:
    """Remove what processes left that were killed while they encoded; whose process may live stays."""
    for half in cache.iterdir():
        with suppress(OutputError, OSError):
            if half_written(half.name) and (half / LOCK).exists():
                demand_unowned(half)
                shutil.rmtree(half)


def _both(first: EncodedRows, others: Iterator[EncodedRows]) -> Iterator[EncodedRows]:
    yield first
    yield from others


def _chunks(plan: Plan) -> Iterator[EncodedRows]:
    """The training rows, encoded chunk by chunk; a warning about a column is given once."""
    known = set[str]()
    for numbers, rows in plan.division.training_chunks(plan.rows.source, chunk_rows(plan.schema.dims)):
        if not len(rows):
            continue
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            encoded = _encoded(plan, numbers, rows)
        for warning in caught:
            about = str(warning.message).partition(":")[0]
            if about not in known:
                known.add(about)
                warnings.warn(f"{warning.message} (of the first {len(rows):,} rows with any)", stacklevel=2)
        yield encoded if plan.schema.binarize == Binarize.DYNAMIC else encoded.binarised_once(plan.config.seed)


def _row_bytes(rows: EncodedRows) -> int:
    batch = rows.stored(0, 1)
    parts = [part for part in (batch.values, batch.observed, batch.covariates, batch.weights) if part is not None]
    mask = batch.values.numel() if batch.observed is None else 0  # the first rows may miss nothing
    return sum(part.numel() * part.element_size() for part in parts) + mask


def _key(plan: Plan) -> str:
    """What the files hold: the rows by their digest, which of them train, and how they are encoded."""
    sha = hashlib.sha256(json.dumps([CACHE_FORMAT, plan.data.digest, plan.data.weights]).encode())
    sha.update(json.dumps(plan.schema.to_dict(), sort_keys=True, default=str).encode())
    held = plan.division.train if plan.division.sample_of is None else plan.division.held_out
    sha.update(np.ascontiguousarray(held).tobytes())
    sha.update(str(plan.config.seed if plan.schema.binarize == Binarize.STATIC else None).encode())
    return sha.hexdigest()[:20]
