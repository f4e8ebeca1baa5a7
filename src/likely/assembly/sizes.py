"""Default sizes of a model and of its training, by the form and the size of the data."""

from __future__ import annotations

import math
from dataclasses import dataclass

from likely.config import WARMUP, default_max_steps
from likely.data import Schema

__all__ = ["DefaultSizes", "default_sizes"]

WIDTHS = ((500, 64), (5000, 128), (30_000, 256), (math.inf, 512))  # (training rows below, width of the networks)
ALIKE_WIDTHS = ((500, 64), (5000, 192), (30_000, 256), (math.inf, 512))  # of pictures and arrays of cells alike
FEW_ROWS, MANY_ROWS = 150, 5000  # of a table: fewer are learnt at twice the rate; as many need one block only
NOISY_ROWS = 500  # of fewer, a batch is a sixteenth
MAX_BATCH, MAX_WIDE_BATCH = 512, 256
BETA2, BETA2_OF_TABLES = 0.999, 0.99  # by the second, digits lose 0.16 nats in 300 steps
MAX_STEPS, MAX_STEPS_OF_MANY = 2200, 3000  # of a table of few columns
MANY_COLUMNS = 13  # of a table with smaller batches; a choice made on one table of 15 columns
MAX_COMPONENTS = 50  # of a mixture prior; fewer where there are not ten rows for each
MIN_EPOCHS = 4  # of very many rows
MANY_MISSING = 0.05  # share of the cells


@dataclass(frozen=True)
class DefaultSizes:
    """Sizes of model and training for the data at hand; the names are those of the configuration."""

    latent: int
    width: int
    blocks: int
    prior: str
    batch_size: int
    learning_rate: float
    beta2: float
    max_steps: int
    warmup: float = WARMUP


def default_sizes(schema: Schema) -> DefaultSizes:
    """The default sizes for n training rows of d cells.

    A table has a latent dimension for each column, a width of 16 numbers a column as far as n allows, and a learned
    mixture of normals for P(z), unless it has conditions: on held-out rows that is worth up to 0.7 nats, and drawn rows
    are nearer to real ones. Its training ends when validation stalls, at the latest after 150 √n steps, or 2,200 (3,000
    from 5,000 rows), 1.6 d³ of more than twelve columns, four passes over very many rows; twice as long where a
    twentieth of the cells or more is missing, because every row tells less, and Q(z|x) has every mask to learn. A batch
    has an eighth of the rows, at most 512, or 256 of more than twelve columns; a sixteenth of fewer than 500, where the
    noise of small batches keeps from over-fitting. Fewer than 150 rows are learnt soon, and over-fitted then: at twice
    the rate, at most 2 n steps or 200.
    """
    n, d = schema.rows, schema.dims
    by_rows = next(width for limit, width in (ALIKE_WIDTHS if schema.cells_alike else WIDTHS) if n < limit)
    batch = min(MAX_BATCH, max(32, _power(max(n, 2) / 16)))
    most = default_max_steps(n)
    if schema.cells_alike:
        width = max(by_rows, 256) if d >= 500 else min(by_rows, 256)
        latent = max(2, min(64, round(1.5 * math.sqrt(d))))
        return DefaultSizes(latent, width, 2, "normal", batch, 2e-3, BETA2, most)
    few, many = n < FEW_ROWS, n >= MANY_ROWS
    most = max(200, 2 * n) if few else round(150 * math.sqrt(n))
    largest = MAX_BATCH if d < MANY_COLUMNS else MAX_WIDE_BATCH
    batch = min(largest, max(32, _power(max(n, 2) / (16 if n < NOISY_ROWS else 8))))
    longer = 2 if sum(column.missing for column in schema.modelled) >= MANY_MISSING * n * d else 1
    components = max(2, min(MAX_COMPONENTS, n // 10))
    return DefaultSizes(
        latent=max(2, min(64, d)),
        width=min(by_rows, max(128 if many else 64, _power(16 * d))),
        blocks=1 if many else 2,
        prior="normal" if any(not column.exposure for column in schema.conditions) else f"mixture:{components}",
        batch_size=batch,
        learning_rate=8e-3 if few else 4e-3,
        beta2=BETA2_OF_TABLES,
        max_steps=max(
            longer * min(most, max(MAX_STEPS_OF_MANY if many else MAX_STEPS, round(1.6 * d**3))),
            math.ceil(MIN_EPOCHS * n / batch),
        ),
    )


def _power(number: float) -> int:
    """The power of two that is nearest on a logarithmic scale."""
    return int(2 ** round(math.log2(number)))
