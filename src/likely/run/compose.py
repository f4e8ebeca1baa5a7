"""Training for people who compose their own model."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from likely.config import TrainingConfig
from likely.data import EncodedRows
from likely.errors import ConfigError, DataError
from likely.likelihoods import Likelihood
from likely.models import VAE, Model
from likely.objectives import Objective
from likely.training import Outcome, Schedule
from likely.training import train as run_training

__all__ = ["train"]

CELLS = 2**21


def train(
    model: Model,
    data: Tensor | EncodedRows,
    *,
    validation: Tensor | EncodedRows | None = None,
    objective: Objective | None = None,
    config: TrainingConfig | None = None,
    seed: int = 0,
) -> Outcome:
    """Maximise an objective over some rows; the model is left with the best weights by validation ELBO.

    Parameters
    ----------
    model
        Any model, such as a `likely.VAE`, on the device of the data.
    data
        `(rows, *event)`, in data units, NaN where a cell is missing; for a model of P(x|y)
        `likely.data.EncodedRows(x, covariates=y)`.
    validation
        Rows that choose weights and stopping; a tenth of the data, by the seed, unless given.
    objective, config, seed
        The ELBO, the defaults and 0 unless given.

    Raises
    ------
    DataError
        If fewer than two rows are left to train on, or the likelihood gives a value no mass whatever its parameters.
    ConfigError
        If no validation rows are given and the prior knows the training rows by their numbers.

    Examples
    --------
    >>> import torch, likely
    >>> from likely import likelihoods, networks, posteriors, priors
    >>> likelihood, posterior = likelihoods.Bernoulli((4,)), posteriors.Normal(2)
    >>> vae = likely.VAE(priors.StandardNormal(2), likelihood, posterior,
    ...                  networks.ResidualMLP(4, 4, 16), networks.ResidualMLP(2, 4, 16))
    >>> x = (torch.rand(64, 4, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    >>> likely.train(vae, x, config=likely.config.TrainingConfig(steps=20)).steps
    20

    """
    rows, held = _rows(data), None if validation is None else _rows(validation)
    _demand_mass(model.p_x_z, rows.fixed(seed), "data")
    if held is not None:
        _demand_mass(model.p_x_z, held.fixed(seed), "validation rows")
    if held is None:
        if isinstance(model, VAE) and model.p_z.knows_rows:
            raise ConfigError(
                f"prior {type(model.p_z).__name__} knows training rows by number, which a division would change: "
                "initialise the model with the training rows, and give validation="
            )
        shuffled = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
        cut = max(1, len(rows) // 10)
        rows, held = rows.take(shuffled[cut:]), rows.take(shuffled[:cut])
    if len(rows) < 2:
        raise DataError(f"at least two training rows are needed, got {len(rows)}")
    settings = config or TrainingConfig()
    settings = replace(settings, batch_size=min(settings.batch_size or 128, len(rows)))
    schedule = Schedule.make(settings, len(rows))
    return run_training(model, rows, held, settings, schedule, objective=objective, seed=seed)


def _rows(data: Tensor | EncodedRows) -> EncodedRows:
    """Rows of a tensor, each missing cell filled with the mean of its column."""
    if isinstance(data, EncodedRows):
        return data
    observed = ~data.isnan()
    if observed.all():
        return EncodedRows(data)
    return EncodedRows(torch.where(observed, data, data.nanmean(0).nan_to_num()), observed=observed)


@torch.no_grad()
def _demand_mass(likelihood: Likelihood, rows: EncodedRows, what: str) -> None:
    """Check that every observed cell is in the support, which does not depend on the parameters.

    Raises
    ------
    DataError
        If one is not; it names the first.

    """
    device, numbers = rows.values.device, likelihood.parameter_shape.numel()
    size = max(1, CELLS // max(1, numbers))
    for first in range(0, len(rows), size):
        batch = rows.whole(torch.arange(first, min(first + size, len(rows)), device=device))
        law = likelihood(torch.zeros(len(batch), numbers, device=device))
        outside = ~(law.log_prob(batch.values) > -torch.inf)
        if batch.observed is not None:
            outside &= batch.observed
        if outside.any():
            place = outside.nonzero()[0]
            row, cell = int(place[0]), tuple(place[1:].tolist())
            raise DataError(
                f"row {first + row}, cell {cell} of the {what} is {float(batch.values[row][cell]):g}, which "
                f"{type(likelihood).__name__} gives no {likelihood.measure} whatever z is; choose a likelihood of such "
                "values, or change them"
            )
