"""From data to a fitted run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from likely import world
from likely.assembly import Factory, Own, gives_no_mass, named_parts, resolve
from likely.config import Config
from likely.data import demand_channels
from likely.errors import ConfigError
from likely.run.datasets import gathered
from likely.run.describing import as_it_is, describe, opened
from likely.run.dimension import with_dimension
from likely.run.directory import demand_new_run_folder
from likely.run.many import divided, in_blocks, typed
from likely.run.options import DataOptions, FitKeywords, FitOptions
from likely.run.plan import Plan
from likely.run.resuming import resumed
from likely.run.run import Run
from likely.run.settling import carried_out, data_of, fresh, settle
from likely.run.start import started
from likely.training import Monitor

__all__ = ["fit"]


def fit(
    data: Any = None,
    *,
    field: int | str | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    memory: float | None = None,
    cache: str | Path | None = None,
    init: Run | str | Path | None = None,
    resume: str | Path | None = None,
    config: Config | None = None,
    encoder: Factory | None = None,
    decoder: Factory | None = None,
    model: Factory | None = None,
    objective: Factory | None = None,
    monitors: Sequence[Monitor] = (),
    progress: bool = True,
    profile: bool = False,
    **options: Unpack[FitKeywords],
) -> Run:
    """Learn P(X) by maximum likelihood: the one-call way from data to a fitted run.

    Parameters
    ----------
    data
        A path (csv, parquet, arrow, npy, npz, IDX, a folder of images or IDX files), a DataFrame,
        an arrow table or a polars frame, an array or a tensor; or a map-style `torch.utils.data.Dataset`, whose items
        are read once into one tensor or array. Verbs of the run take these (`torch.stack([item[0] for item in data])`).
    field
        Of a `Dataset` whose items hold several things: the place or the name of x in an item.
    out, overwrite
        Directory to store the run in; an existing one is refused unless it may be overwritten. Of several processes
        (docs/scale.md) the first one stores it.
    memory
        Bytes that the rows may fill. Where they would fill more, or a third of what is free unless given, they are read
        in chunks, encoded once into files, and mapped from these while training runs (docs/scale.md).
    cache
        The folder of these files, `OUT.cache` beside the run unless given; without `out` they are gone at the end. A
        later fit of the same rows, encoded alike, takes them as they are.
    init
        A run, or its directory: another fit of its model, from its (best) weights and on rows of its schema, over which
        it is trained anew, without a warm-up of the KL unless one is requested; they are validated as step 0, and kept
        unless others validate better. What says what X and the model are is the run's: of a table the columns, their
        kinds and their categories must be the same, and at most a twentieth of a column's cells may lie outside its
        range. Of the same data, and unless `split` is given, the same rows train, validate and test; of other data a
        notice says that some may have trained the run already.
        `run.continue_training` lengthens a fit instead.
    resume
        The directory of a fit that was killed, stopped or interrupted: it goes on from its last checkpoint, with its
        data and options, and ends with the weights and the history (but for seconds) that it would have had, on the
        same machine with the same number of threads. Rows that came from a path are read there again; rows from memory
        are given again, with what was given beside an array (`condition={"label": values}`, `exposure`, `weight`) and
        parts of your own. A finished run is loaded.
    config
        Where to start from; `options` are set on top of it.
    column
        Column name -> kind (`listed`, `real`, `positive`, `grid`, `count`, `levels`, `binary`, `categorical`,
        `ordered`, `constant`, `date`; `identifier`, `text` and `ignore` leave it out), where you know better. All cells
        of an array or of pictures are `x`: `levels`, `binary`, `real` or `grid` (docs/arrays.md).
    condition
        Columns y that are given, not modelled: learn P(x|y). `label` for class folders, IDX labels and an npz's `y`,
        `label`, `labels` or `target`; a column of a table that lies beside pictures; for an array or tensor in memory
        `{"label": values}`, or other names. Integer labels are classes; `column={"label": "real"}` takes them for
        numbers.
    binarize
        `dynamic`, `static` or `threshold`: make levels 0/1.
    resize
        (height, width) to scale pictures to.
    background
        Colour that transparent pictures are laid on: a name, `#rrggbb` or (red, green, blue); white unless given.
    channels
        Which axis of an array of pictures holds the channels, `first`, (rows, C, H, W), or `last`, (rows, H, W, C),
        where the sizes do not say it. Results have the axes of what is given.
    limits
        Column -> `(low, high)`, `None` for an open side, or the text `low:high`: hard limits, beyond which P(x) is 0.
        Numbers or dates; on a grid the least and the greatest value of it within them. Of an array's levels the pair
        alone. A row beyond them is refused, here and in every later verb. Draws keep to the training rows' range
        besides.
    exposure
        A column of positive numbers (the size factor of a cell, the years of a policy) that counts are in proportion
        to: P(x|exposure), given and not modelled. For an array or tensor in memory one number a row. Counts are columns
        of the kind `count`, and all integers from 0 on of an array; their likelihood is negative-binomial unless one is
        requested that takes an exposure too.
    weight
        A column of positive numbers (of an array in memory one number a row): a row of weight w counts as w rows in
        the objective, in what chooses the weights, in the baselines and in averages. What a column is, its range and
        its resolutions are inferred from the rows, each counted once.
    split
        Which rows train, validate and test, where the data are not divided already. `random`: 80/10/10 by the seed.
        `time:COLUMN`: the last rows by that column are test rows, those before them validate. `group:COLUMN`: all rows
        of a group are in one part, and the column is left out unless `column` says what it is. A path: a file with
        `train`, `val` or `test` for each row; or a list of these words; or a `likely.data.Division`.
    separator, decimal
        Of a text file, where they are not found: the mark between fields (`;`, `tab`), and `.` or `,` before decimals.
    date_format
        Column -> how its dates are written, as `strptime` has it: `{"day": "%d/%m/%Y"}`, where both that and `%m/%d/%Y`
        would do.
    encoder, decoder
        A `torch.nn.Module` of your own in the place of the named network's, or a function without arguments that makes
        one, which a stored run can be loaded with (`likely.load(path, factories=...)`). The encoder is given x in
        numbers of order one, pictures as `(rows, C, H, W)`, and gives Q's parameters, `(rows, numbers)`, by which the
        size of z is given; the decoder is given z, and gives the parameters of P(x|z): docs/own/network.md.
    model
        By name, as `likely parts model` lists them: `hierarchy:mlp:3`. Or a whole `likely.VAE` or `HierarchicalVAE` of
        your own, or a function that makes one: it is trained as it is, in place, and sees x in data units, categories
        as codes 0, 1, ...
    objective
        What is maximised: by name, or an object of your own (docs/own/objective.md).
    monitors
        Objects that are called after each step, each validation and the end (docs/own/monitor.md).
    progress
        Whether this and the run's verbs draw a bar, in a terminal or a notebook, where they take more than two seconds.
    profile
        Whether to print on standard error, before training begins, where the time of a step goes and what share of the
        machine's rate it reaches (docs/howto/large.md). It is measured on a copy within seconds, so that the weights
        are those of a fit without it; `run.record.profile` has the numbers.
    **options
        `latent`, `epochs`, `minutes`, `seed`, `device` and any other option of `likely.Config`; among them the parts by
        name, as `likely parts` lists them: `prior`, `posterior`, `likelihood`, `network`.

    Returns
    -------
    Run
        Holding the weights with the best validation ELBO. On Ctrl-C: the best so far, `run.record.interrupted`.

    Raises
    ------
    InputError
        If the data, an option or the output cannot be used.

    Examples
    --------
    >>> import numpy as np, likely
    >>> x = np.random.default_rng(0).normal(size=(150, 2)) @ [[2.0, 1.0], [0.0, 0.5]]
    >>> run = likely.fit(x, latent=2, steps=100)
    >>> run.score(x[:3]).columns.tolist()
    ['log_px', 'se_mc', 'elbo', 'low', 'high', 'ess', 'stable']

    """
    data_options, assignments = DataOptions.taken_from(options)
    chosen_options = FitOptions(
        data_options,
        config,
        assignments,
        encoder,
        decoder,
        model,
        objective,
        out,
        overwrite,
        monitors,
        progress,
        memory,
        cache,
        profile,
    )
    if resume is not None:
        if out is not None or overwrite or init is not None:
            raise ConfigError("a fit that is resumed has its place and its start; leave out, overwrite and init away")
        return resumed(Path(resume), None if data is None else gathered(data, field), chosen_options)
    if data is None:
        raise ConfigError("fit needs data, or resume=RUN")
    if out is not None and world.first():
        demand_new_run_folder(Path(out), overwrite=overwrite)
    rows = gathered(data, field)
    return _fitted(rows, chosen_options) if init is None else started(init, rows, chosen_options)


def _fitted(data: Any, options: FitOptions) -> Run:
    own = Own(options.encoder, options.decoder, options.own_model, options.own_objective).copied()
    config = own.demanded((options.config or Config()).replace(options.assigned))
    parts = named_parts(config)  # a misspelt part is refused before anything is read
    source, about = opened(data, options.data, progress=options.progress, memory=options.most_bytes)
    parted = divided(source, config.seed, about.split, progress=options.progress)
    described = parted.described(
        lambda rows: describe(rows, about, gives_no_mass(parts)) if own.model is None else as_it_is(rows, about)
    )
    schema = described.schema
    source = typed(data, source, schema, options.most_bytes)
    resolved = resolve(config, schema, own, parts)
    resolved = replace(resolved, config=in_blocks(settle(resolved.config), schema, source))
    demand_channels(schema, resolved.config.model.network)
    ignored = tuple(f"column {c.name!r} is left out: {c.reason}" for c in schema.columns if c.left_out)
    plan = Plan(
        resolved,
        fresh(resolved),
        described.rows if source is described.rows.source else described.rows.read_from(source),
        data_of(data, source, schema, about.split, options),
        described.notices + ignored + resolved.notices,
        progress=options.progress,
        cache=options.cache_folder,
        profile=options.profile,
    )
    return carried_out(with_dimension(plan), options)
