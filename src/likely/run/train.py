"""Training for people who compose their own model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from likely.assembly import Factory
from likely.config import Config, TrainingConfig
from likely.data import Division
from likely.errors import ConfigError
from likely.run.datasets import gathered
from likely.run.fit import fit
from likely.run.joining import joined
from likely.run.run import Run
from likely.training import Monitor
from likely.training.schedule import DEFAULT_RATE

__all__ = ["train"]

DEFAULT_BATCH = 128  # rows a step, for models of one's own whose size says nothing


def train(
    model: Factory,
    data: Any,
    *,
    field: int | str | None = None,
    validation: Any = None,
    objective: Factory | None = None,
    config: TrainingConfig | None = None,
    seed: int = 0,
    monitors: Sequence[Monitor] = (),
    **keywords: Any,
) -> Run:
    """Maximise an objective over some rows; the model is left with the best weights by validation ELBO.

    Parameters
    ----------
    model
        A `likely.VAE` or `likely.HierarchicalVAE`, or a function without arguments that makes one. It is trained in
        place, from the weights that it has (`model.initialise(batch)` starts it from rows): these are validated first,
        as step 0, and kept unless training finds better ones.
    data
        An array or a tensor `(rows, *event)`, a frame, whatever `likely.fit` reads, or a map-style
        `torch.utils.data.Dataset`, whose items are read once. In data units, NaN where a cell is missing; categories of
        a frame are codes 0, 1, ... to the model. Pictures may have their channels first, and models see them last.
    field
        Of a data set whose items hold several things: the place or the name of x in an item.
    validation
        Rows that choose weights and stopping, in the form of the data, in memory. Then all of the data trains, and no
        test rows are kept back; what is given beside an array (`condition`, `weight`, `exposure`) is given for the rows
        of the data, then for these. Unless given, the data are divided as in `likely.fit`: 80/10/10, by the seed.
    objective, config, seed
        The ELBO, the defaults (128 rows a step, at rate 0.002) and 0 unless given.
    monitors
        Objects that are called after each step, each validation and the end.
    **keywords
        What else `likely.fit` takes: `out`, `condition`, `column`, `weight`, `exposure`, `binarize`, `split`, ...; or
        `resume=RUN`, which finishes a fit that was stopped, of the same model and rows, with its config and seed.

    Returns
    -------
    Run
        With the model as it was given, and every verb.

    Raises
    ------
    DataError
        If there are too few rows, or the likelihood gives a value no mass whatever its parameters; or validation rows
        are of another form, with other columns or of another shape.
    ConfigError
        If the model is of rows of another shape, or does not take them; or `split` is given besides validation rows.

    Examples
    --------
    >>> import torch, likely
    >>> from likely import likelihoods, networks, posteriors, priors
    >>> likelihood, posterior = likelihoods.Bernoulli((4,)), posteriors.Normal(2)
    >>> vae = likely.VAE(priors.StandardNormal(2), likelihood, posterior,
    ...                  networks.ResidualMLP(4, 4, 16), networks.ResidualMLP(2, 4, 16))
    >>> x = (torch.rand(64, 4, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    >>> run = likely.train(vae, x, config=likely.config.TrainingConfig(steps=20))
    >>> run.sample(3).shape
    torch.Size([3, 4])

    """
    rows = gathered(data, field)
    if validation is not None:
        if "split" in keywords:
            raise ConfigError("validation rows and split both say which rows validate: give one of them")
        held = gathered(validation, field if isinstance(validation, Dataset) else None)
        whole = joined(rows, held)
        keywords["split"] = Division.of(np.arange(len(rows)), np.arange(len(rows), len(whole)))
        rows = whole
    if keywords.get("resume") is not None:
        if config is not None or seed:
            raise ConfigError("config and seed are set by the fit that is resumed; leave them out")
        keywords.pop("split", None)
        return fit(rows, model=model, objective=objective, monitors=monitors, **keywords)
    chosen = config or TrainingConfig()
    chosen = replace(
        chosen, batch_size=chosen.batch_size or DEFAULT_BATCH, learning_rate=chosen.learning_rate or DEFAULT_RATE
    )
    base = Config(training=chosen, seed=seed)
    return fit(rows, model=model, objective=objective, config=base, monitors=monitors, **keywords)
