"""The flow that an evaluation compares a run with where rivals are asked for, kept beside the run."""

from __future__ import annotations

import json
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING

import torch

from likely import world
from likely.data import EncodedRows
from likely.errors import ConfigError, DataError, OutputError
from likely.evaluation import Budget, FlowRival, comparable, fit_flow, refusal
from likely.run.checksums import read_with_checksum, write_with_checksum
from likely.run.directory import RIVALS
from likely.run.progress import bar

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["fitted_to", "rival_of"]


def rival_of(run: Run, rows: EncodedRows, train: EncodedRows | None, validation: EncodedRows | None) -> FlowRival:
    """A flow fitted to the training rows in the seconds of the run's training, once, and kept beside the run.

    Raises
    ------
    ConfigError
        If no flow can be fitted to such rows, or the model's numbers have another base measure.
    DataError
        If the training rows are gone.

    """
    reason = refusal(run.schema, *(part for part in (rows, train, validation) if part is not None))
    if not reason and not comparable(run.schema, run.model.p_x_z):
        reason = "this likelihood has another base measure than the form of x says"
    if reason:
        raise ConfigError(f"rivals cannot be fitted: {reason}; evaluate without them")
    if run.home.rival is None:
        run.home.rival = _stored(run) or _fitted(run, train, validation)
    return run.home.rival


def _stored(run: Run) -> FlowRival | None:
    path = None if run.directory is None else run.directory / RIVALS
    if path is None or not path.exists():
        return None
    arrays = {name: tensor.numpy() for name, tensor in read_with_checksum(path, _trained_as_long_as(run)).items()}
    return FlowRival.from_arrays(run.schema, arrays)


def _fitted(run: Run, train: EncodedRows | None, validation: EncodedRows | None) -> FlowRival:
    if train is None:
        raise DataError("rivals are fitted to the training rows, and these are gone; evaluate without them")
    with bar("fitting a flow", shown=run.progress) as tick:
        rival = fit_flow(run.schema, train, validation, Budget(run.record.seconds, run.config.seed, progress=tick))
    if run.directory is not None and world.first():
        tensors = {name: torch.tensor(array) for name, array in rival.to_arrays().items()}
        with suppress(OutputError):  # a run that may only be read is evaluated all the same
            write_with_checksum(run.directory / RIVALS, tensors, _trained_as_long_as(run))
    return rival


def fitted_to(run: Run) -> str:
    """What decides the baselines of a run: its schema, its training rows, and what they draw."""
    parts = json.dumps(run.schema.to_dict(), sort_keys=True), run.record.data.digest, str(run.config.seed)
    return sha256(b"".join((*(part.encode() for part in parts), run.division.train.tobytes()))).hexdigest()


def _trained_as_long_as(run: Run) -> str:
    """What decides the flow: what decides the baselines, and the seconds of the fit."""
    return sha256(f"{fitted_to(run)} {run.record.seconds!r}".encode()).hexdigest()
