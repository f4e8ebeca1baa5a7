"""Codes of rows, and rows of codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from likely.data import Given, decode, encode_given
from likely.data.kinds import Form
from likely.errors import DataError
from likely.evaluation import posterior_centres, posterior_means
from likely.run.forms import container_of, named, packed
from likely.run.reading import index_of
from likely.run.sample import parts

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["decoded", "encoded", "means_at", "reconstructed"]


def encoded(run: Run, data: Any, given: Given | None) -> Any:
    """The rows' codes, means of Q(z|x); see `Run.encode`."""
    rows, _ = run.rows_of(data)
    means, tensor = posterior_means(run.model.members[0], run.encoded(rows, given)), isinstance(data, torch.Tensor)
    if run.schema.form == Form.TABLE and not tensor:
        frame = pd.DataFrame(means, columns=[f"z{i}" for i in range(means.shape[1])], index=index_of(rows))
        return packed(container_of(data), frame)
    return torch.from_numpy(means) if tensor else means


def reconstructed(run: Run, data: Any, given: Given | None) -> Any:
    """Means of P(x|z) at the rows' codes; see `Run.reconstruct`."""
    rows, _ = run.rows_of(data)
    taken = run.encoded(rows, given)
    z = torch.from_numpy(posterior_centres(run.model.members[0], taken))
    result = means_at(run, z, taken.covariates)
    if isinstance(result, pd.DataFrame):
        result.index = index_of(rows)
    return packed(container_of(data), named(run, result))


def decoded(run: Run, codes: np.ndarray, given: Given | None) -> Any:
    """Means of P(x|z) at codes; see `Run.decode`.

    Raises
    ------
    DataError
        If the codes have another shape or are not finite.

    """
    z, latent = np.asarray(codes), run.model.members[0].latent
    if z.ndim != 2 or z.shape[1] != latent or z.dtype.kind not in "iuf" or not np.isfinite(z).all():
        raise DataError(f"expected codes z, finite numbers (rows, {latent}); got {z.dtype} of shape {z.shape}")
    y = encode_given(run.schema, given, len(z))
    means = means_at(run, torch.from_numpy(z.astype(np.float64)), None if y is None else y.to(run.device))
    return packed(run.record.data.container, named(run, means)) if isinstance(means, pd.DataFrame) else means


@torch.no_grad()
def means_at(run: Run, z: torch.Tensor, y: torch.Tensor | None) -> pd.DataFrame | np.ndarray:
    """Means of P(x|z, y), decoded; of an ensemble its first member's."""
    model = run.model.members[0]
    z = z.to(run.device, next(model.parameters()).dtype)
    means = [model.likelihood(*part).mean.cpu() for part in parts(z, y)]
    return decode(run.schema, torch.cat(means), y)
