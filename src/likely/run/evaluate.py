"""The evaluation of a run: its rows, its baselines, and what `likely.evaluation.assessment` says of them."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from likely import world
from likely.data import EncodedRows, Given, Rows
from likely.errors import DataError, OutputError
from likely.evaluation import Assessment, AssessOptions, Baselines, assess, fit_baselines
from likely.evaluation.sampling import copy_keys
from likely.run.checksums import read_with_checksum, write_with_checksum
from likely.run.extent import minutes_of
from likely.run.progress import bar
from likely.run.reading import index_of
from likely.run.rivals import fitted_to, rival_of
from likely.run.versions import versions

if TYPE_CHECKING:
    from likely.evaluation import Origin
    from likely.run.run import Run

__all__ = ["AssessOptions", "assessed", "baselines_of", "evaluated"]


def evaluated(
    run: Run,
    data: Any,
    options: AssessOptions,
    *,
    given: Given | None,
    rivals: bool = False,
    most: int | None = None,
) -> Assessment:
    """What an evaluation says of the rows, or of at most so many of them, chosen by content; see `Run.evaluate`."""
    rows, said = run.rows_of(data)
    whole = len(rows)
    if most is not None and whole > most:
        chosen = copy_keys(run.encoded(rows, given), options.seed).argsort()[:most].sort().values
        rows = rows.read(chosen.cpu().numpy())
    found = assessed(run, rows, said(), options, given=given, rivals=rivals)
    return replace(found, ledger=replace(found.ledger, of=whole))


def assessed(
    run: Run, rows: Rows, origin: Origin, options: AssessOptions, *, given: Given | None = None, rivals: bool = False
) -> Assessment:
    """What an evaluation says of rows that were read, of which it is known what they are to the fit."""
    started, encoded = time.perf_counter(), run.encoded(rows, given)
    train, validation = (_split(run, kind) for kind in ("train", "validation"))
    rival = rival_of(run, encoded, train, validation) if rivals else None
    with bar("fitting baselines", shown=run.progress):
        baselines = baselines_of(run, train, validation)
    label = partial(_timed, run, encoded, options)
    assessment = assess(
        run.model,
        run.schema,
        encoded,
        options,
        train=train,
        validation=validation,
        baselines=baselines,
        rival=rival,
        origin=origin,
        index=index_of(rows),
        versions=versions(),
        stage=lambda what: bar(label(what), shown=run.progress),
    )
    return replace(assessment, ledger=replace(assessment.ledger, seconds=round(time.perf_counter() - started, 2)))


def baselines_of(run: Run, train: EncodedRows | None, validation: EncodedRows | None) -> Baselines | None:
    """Baselines fitted to the training rows once and kept beside the run; `None` where these rows are gone.

    Those that an earlier version kept are fitted anew where the rows are there.
    """
    if run.home.baselines is None:
        path, found = None if run.directory is None else run.directory / "baselines.safetensors", None
        if path is not None and path.exists():
            arrays = {name: tensor.numpy() for name, tensor in read_with_checksum(path, fitted_to(run)).items()}
            found = Baselines.from_arrays(run.schema, arrays)
        if train is not None and (found is None or not found.complete):
            latent, seed = run.model.members[0].latent, run.config.seed
            found = fit_baselines(run.schema, train, latent=latent, validation=validation, seed=seed)
            if path is not None and world.first():
                tensors = {name: torch.tensor(array) for name, array in found.to_arrays().items()}
                with suppress(OutputError):  # a run that may only be read is evaluated all the same
                    write_with_checksum(path, tensors, fitted_to(run))
        run.home.baselines = found
    return run.home.baselines


def _timed(run: Run, rows: EncodedRows, options: AssessOptions, what: str) -> str:
    """The name of a stage of an evaluation, that of the first with the minutes that all take, where they are some."""
    if what != "evaluating" or not run.progress:
        return what
    minutes = minutes_of(run.model, rows, options)
    return what if minutes < 1 else f"{what} (about {minutes:.0f} minutes in all)"


def _split(run: Run, kind: str) -> EncodedRows | None:
    """Rows of the fit; `None` where they are gone."""
    try:
        return run.encoded(run.division.rows(run.training_source(), kind))
    except DataError:
        return None
