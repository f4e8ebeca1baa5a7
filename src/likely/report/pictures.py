"""What only pictures show: the way between two, what each group of z adds, the training picture nearest to a sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from likely.data import EncodedRows, decode
from likely.data.pictures import pictures_in_unit_range
from likely.errors import InputError
from likely.models import HierarchicalVAE
from likely.report.findings import Nearest
from likely.run.encode import means_at
from likely.run.traverse import between, space_of

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["kept_groups", "more_of_pictures", "nearest"]

LINES = 5  # pairs with a way between them; pictures whose groups of z are kept
STEPS = 6  # means of P(x|z) on such a way
NUMBERS_KEPT = 7  # columns, each with another number of groups kept
HELD_OUT = 200  # pictures whose distances the samples' are compared with
SEARCHED_CELLS = 2**26  # of training pictures among which the nearest is sought: 85,598 of 28x28, 21,845 of 32x32x3
CHUNK_CELLS = 2**21  # of training pictures that are compared at once: 8 MiB in single precision


def more_of_pictures(
    run: Run, rows: EncodedRows, x: np.ndarray, codes: np.ndarray, samples: np.ndarray
) -> Mapping[str, Any]:
    """The parts of the findings that only pictures have.

    Parameters
    ----------
    rows, x
        Held-out rows, encoded and in data units.
    codes
        The centres of their Q(z|x).
    samples
        Draws from the model, in data units.

    """
    order = np.random.default_rng(run.config.seed).permutation(len(rows))
    return {
        "interpolated": _interpolated(run, rows, x, codes, order),
        "nearest": None if rows.observed is not None else nearest(run, samples, x[order[:HELD_OUT]]),
        **_regrouped(run, rows.take(torch.from_numpy(order[:LINES])), x[order[:LINES]]),
    }


def _interpolated(
    run: Run, rows: EncodedRows, x: np.ndarray, codes: np.ndarray, order: np.ndarray
) -> np.ndarray | None:
    """Pictures `(lines, steps + 2, height, width[, 3])`, between the two that each line leads from and to."""
    if space_of(run) == "codes":
        return None
    lines = []
    for a, b in _pairs(rows.covariates, order):
        y = None if rows.covariates is None else rows.covariates[a : a + 1]
        way = np.asarray(between(run, torch.from_numpy(codes[[a, b]]), y, STEPS))
        lines.append(np.concatenate([x[a : a + 1], way, x[b : b + 1]]))
    return _in_lines(run, np.stack(lines)) if lines else None


def _pairs(y: Tensor | None, order: np.ndarray) -> list[tuple[int, int]]:
    """Numbers of rows that follow each other in the order, of one y."""
    waiting: dict[tuple[float, ...], int] = {}
    pairs: list[tuple[int, int]] = []
    for row in order.tolist():
        own = () if y is None else tuple(y[row].tolist())
        if own in waiting:
            pairs.append((waiting.pop(own), row))
        else:
            waiting[own] = row
        if len(pairs) == LINES:
            break
    return pairs


def _in_lines(run: Run, x: np.ndarray) -> np.ndarray:
    """Rows `(lines, columns, *event)` in data units as pictures on one scale of grey."""
    shown = pictures_in_unit_range(run.schema, x.reshape(-1, *x.shape[2:]))
    return shown.reshape(*x.shape[:2], *shown.shape[1:])


@torch.no_grad()
def _regrouped(run: Run, rows: EncodedRows, x: np.ndarray) -> Mapping[str, Any]:
    """Means of P(x|z) where z of the upper groups is a draw of Q(z|x), and below a draw of P(z) given these.

    The draws below come from the same noise whatever is kept, so that columns differ by what is kept alone.
    """
    model = run.model.members[0]
    if not isinstance(model, HierarchicalVAE):
        return {}
    total, generator = len(model.topdown.groups), torch.Generator().manual_seed(run.config.seed)
    kept = sorted({round(number) for number in np.linspace(0, total, min(total + 1, NUMBERS_KEPT))})
    q = model.posterior(rows.evaluation_batch(torch.arange(len(rows))))
    noise = torch.randn(2, len(rows), model.latent, generator=generator).to(q.like)
    z = kept_groups(model, q.from_noise(noise[0]), kept, noise[1])
    y = rows.covariates
    means = means_at(run, z.flatten(0, 1), None if y is None else y.repeat_interleave(len(kept), 0))
    columns = np.asarray(means).reshape(len(rows), len(kept), *x.shape[1:])
    return {"regrouped": _in_lines(run, np.concatenate([x[:, None], columns], 1)), "groups_kept": kept}


def kept_groups(model: HierarchicalVAE, z: Tensor, kept: list[int], noise: Tensor) -> Tensor:
    """Codes that share the upper groups with z, and whose lower ones P(z_l|z_<l) makes of noise.

    Parameters
    ----------
    model
        Whose groups these are.
    z, noise
        `(rows, latent)`.
    kept
        How many groups are shared, for each of the codes of a row.

    Returns
    -------
    Tensor
        `(rows, len(kept), latent)`.

    """
    p, ends = model.prior(), np.cumsum([0, *model.topdown.sizes])[kept]
    own = p.to_noise(z)
    return p.from_noise(torch.stack([torch.cat([own[:, :end], noise[:, end:]], 1) for end in ends], 1))


def nearest(run: Run, samples: np.ndarray, held_out: np.ndarray) -> Nearest | None:
    """The training pictures nearest to samples, and how near held-out pictures have theirs, all in data units.

    ``None`` where the training rows are gone, or have missing cells, to which there is no distance. Of many training
    pictures a random part is searched, by the run's seed.
    """
    sought = np.concatenate([part.reshape(len(part), -1) for part in (samples, held_out)]).astype(np.float32)
    try:
        numbers = run.division.all_training(run.training_source())
        searched = np.sort(
            np.random.default_rng(run.config.seed).permutation(numbers)[: max(1, SEARCHED_CELLS // run.schema.dims)]
        )
        found = _nearest(run, sought, _training(run, searched))
    except InputError:  # the data are gone, or have changed
        return None
    if found is None:
        return None
    shown = pictures_in_unit_range(run.schema, np.concatenate([sought, found]).reshape(-1, *samples.shape[1:]))
    pairs = np.stack([shown[: len(sought)], shown[len(sought) :]], 1)
    distances = np.sqrt(np.square(pairs[:, 0] - pairs[:, 1]).reshape(len(pairs), -1).sum(1))
    count = len(samples)
    return Nearest(pairs[:count], distances[:count], distances[count:], len(searched), len(numbers))


def _training(run: Run, numbers: np.ndarray) -> Iterator[EncodedRows]:
    """Training rows of these numbers, some at a time."""
    size = max(1, CHUNK_CELLS // run.schema.dims)
    for first in range(0, len(numbers), size):
        part = replace(run.division, train=numbers[first : first + size])
        yield run.encoded(part.rows(run.training_source(), "train"))


def _nearest(run: Run, sought: np.ndarray, chunks: Iterator[EncodedRows]) -> np.ndarray | None:
    """The rows at the least Euclidean distance, `(sought, cells)`; ``None`` where some have missing cells."""
    middle = sought.mean(0)  # taken off, so that single precision is enough
    centred, found = sought - middle, np.empty_like(sought)
    least = np.full(len(sought), np.inf, np.float32)
    for rows in chunks:
        if rows.observed is not None:
            return None
        known = np.asarray(decode(run.schema, rows.stored().values), np.float32).reshape(len(rows), -1)
        near = known - middle
        squares = np.square(near).sum(1) - 2 * centred @ near.T
        place = squares.argmin(1)
        nearer = squares[np.arange(len(sought)), place] < least
        least[nearer], found[nearer] = squares[nearer, place[nearer]], known[place[nearer]]
    return found
