"""Whether rows lie where a model that is the user's own can have any mass."""

from __future__ import annotations

import numpy as np
import torch

from likely.data import Batch, EncodedRows
from likely.errors import ConfigError, DataError
from likely.models import Model

__all__ = ["demand_rows_in_own_support"]

MAX_NUMBERS = 2**21  # parameters of P(x|z) held at once: 8 MiB in float32


@torch.no_grad()
def demand_rows_in_own_support(model: Model, rows: EncodedRows, numbers: np.ndarray) -> None:
    """Check that a model of the user's own takes these rows, and that every observed cell is in the support of P(x|z).

    The support does not depend on the parameters.

    Parameters
    ----------
    model
        Its likelihood is asked, at parameters that are all 0.
    rows
        Encoded, and binarised once where that applies.
    numbers
        Their numbers in the data, for the message.

    Raises
    ------
    DataError
        If a cell is not in it; it names the first.
    ConfigError
        If the model's networks do not take such rows.

    """
    likelihood, device = model.p_x_z, rows.device
    _demand_taken(model, rows.evaluation_batch(torch.arange(min(2, len(rows)), device=device)))
    parameters = likelihood.parameter_shape.numel()
    size = max(1, MAX_NUMBERS // max(1, parameters))
    for first in range(0, len(rows), size):
        batch = rows.evaluation_batch(torch.arange(first, min(first + size, len(rows)), device=device))
        distribution = model.likelihood_from(torch.zeros(len(batch), parameters, device=device), batch.covariates)
        outside = ~(distribution.log_prob(batch.values) > -torch.inf)
        if batch.observed is not None:
            outside &= batch.observed
        if outside.any():
            place = outside.nonzero()[0]
            row, cell = int(place[0]), tuple(place[1:].tolist())
            raise DataError(
                f"row {numbers[first + row]}, cell {cell} is {float(batch.values[row][cell]):g}, which "
                f"{type(likelihood).__name__} gives no {likelihood.measure} whatever z is; choose a likelihood of such "
                "values, or change them"
            )


def _demand_taken(model: Model, batch: Batch) -> None:
    training = model.training
    try:
        with torch.random.fork_rng(devices=[batch.values.device] if batch.values.is_cuda else []):
            model.eval().log_px_z(batch, model.posterior(batch).rsample(torch.Size((1,))))
    except (RuntimeError, TypeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        shape = tuple(batch.values.shape)
        raise ConfigError(f"the model does not take rows of x, {shape} of {batch.values.dtype}: {reason}") from error
    finally:
        model.train(training)
