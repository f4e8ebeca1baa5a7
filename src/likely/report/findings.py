"""What a report shows, as plain data: numpy arrays, pandas frames, strings and numbers."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from likely.data import Form

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["Findings", "Nearest"]


@dataclass(frozen=True, eq=False)
class Nearest:
    """
    Samples beside the training pictures that are nearest to them.

    Parameters
    ----------
    pairs
        ``(samples, 2, H, W[, 3])``: each sample, and the training picture at the least Euclidean distance.
    samples, held_out
        That distance of each sample, and of held-out pictures, with cells that are scaled to 0..1.
    searched, training
        Among how many training pictures it is the least, and how many there are.
    """

    pairs: np.ndarray
    samples: np.ndarray
    held_out: np.ndarray
    searched: int
    training: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Findings:
    """
    Everything one report shows.

    Pictures are float arrays scaled to 0..1, of shape ``(n, H, W)`` or ``(n, H, W, 3)``. Rows of tables and arrays are
    DataFrames that share their columns. Whatever is ``None`` or empty is left out of the page.

    Parameters
    ----------
    title
        The page's heading.
    form
        ``"table"``, ``"array"`` or ``"images"``: what the data came as. Examples given as arrays are shown as pictures,
        as frames in tables, whatever the form.
    given
        Names of the conditions y of a model of P(x|y); empty for P(x) alone.
    facts
        Name to text, in the order shown: data, rows, dims, likelihood, latent, parameters, seconds, measure, seed, ...
    headline, headline_bad
        What stands under the title: whether the model beats its baselines; and whether that is a warning.
    notices
        Sentences the reader should see first.
    sentences, problems
        The diagnosis in words, `code` in backticks; the first ``problems`` of them tell of problems.
    aim
        What training maximised where that is not the ELBO, and whether it is a bound; else empty.
    history
        Frame with columns ``step, epoch, seconds, train_elbo, val_elbo, reconstruction, kl, learning_rate, beta``;
        bounds in nats per row, NaN where not measured (``train_elbo`` where training saw relaxed codes). Only ``step``
        is needed; ``val_elbo_average`` (the ELBO under averaged weights) is drawn too where there is one.
    selected_step
        The step whose weights were kept.
    ledger
        Mappings with ``name`` (``reconstruction, kl, elbo, iwae, gap, prior_sampling, unweighted``), ``nats``, ``se``
        (over rows), ``se_mc`` (sampling z), ``bits_per_dim`` (or None), ``kind`` (text), ``samples`` (or None), and
        ``rows`` where they are fewer than ``ledger_rows``. Further names: ``ais, ais_gain, ais_gap, approximation,
        amortisation``; ``exact`` where log P(x) was summed over all codes, in the place of ``iwae`` where z
        is summed over and nothing was drawn.
    ledger_split, ledger_rows, ledger_whole, measure
        Which rows the ledger was measured on, how many, of how many they are a random part, and ``mass``, ``density``
        or ``mixed``.
    annealed
        Means over the rows that were annealed, where those are not all: ``rows, elbo, iwae, ais`` in nats, and
        ``se_elbo, se_iwae, se_ais``, their errors from sampling z.
    integral, integral_rows, integral_exact, latent
        How soon sums over points of z reach log P(x), or the best bound on it where it is not exact: where the points
        come from, their numbers, rising, and the mean over so many rows of the sum's logarithm less that, nats; and the
        dimension of z.
    annealing
        How was annealed: chains, temperatures, acceptance, and what the two-sided check on simulated rows found.
    verdicts, unstable
        Name of an entry of the ledger to what its number is worth, in words; and the names of those that are unstable.
    baselines, baselines_note
        Mappings with ``name``, ``nats`` (None for a compressor), ``se`` (over rows), ``bits_per_dim``, ``kind`` (text),
        ``difference`` (the model's ``iwae`` less it, nats, paired by row; None for a compressor), ``difference_se``;
        and why there are none.
    pit, pit_counts
        Column (or ``all cells``), shares of its randomised PIT in bins of equal width, and a verdict (or nothing); and
        how many numbers are behind each.
    originals, reconstructions
        The same examples, before and after the model: pictures or frames.
    samples, sample_means
        Draws from P(x|z) with z ~ P(z), and (pictures only) the means of P(x|z) at the same z.
    interpolated
        Ways between two pictures, ``(lines, columns, H, W[, 3])``: the picture that a way leads from, means of P(x|z)
        at equal steps of z, the picture that it leads to.
    regrouped, groups_kept
        Of a hierarchy, ``(lines, columns, H, W[, 3])``: a picture, then means of P(x|z) with the z of so many upper
        groups kept, and those below drawn again; how many, rising, the last all.
    nearest
        Samples beside the training pictures nearest to them.
    real, sampled
        Frames compared column by column: test rows, and rows sampled from the model.
    copies
        How many of the drawn rows equal a training row, how many were drawn, and the same of held-out rows.
    prior_z, layers
        Prior draws in two coordinates, ``(n, 2)``; and ``(name, (n, 2))`` for the same draws after each decoder layer.
    latent_map
        Means of P(x|z) over a two-dimensional z, ``(rows, columns, H, W[, 3])``; ``z[0]`` rises from left to right and
        ``z[1]`` from bottom to top (row 0 is the top), both by equal steps of the probability of the
        standard normal noise that P(z) bends.
    codes, codes_labels, codes_note, codes_axes
        Posterior means of test rows in two coordinates, ``(n, 2)``; ``n`` labels; what the coordinates are, and the
        name of each.
    codes_named, codes_told
        The column that the labels are of, and the share of its variance that a regression on the coordinates tells.
    kl_per_dim
        D[Q(z_j|x) ‖ P(z_j)] averaged over rows, nats, one per latent dimension, in any order; of a hierarchy one per
        group, the top one first.
    kl_part
        What each of them is about.
    least_likely, most_likely
        Pictures or frames from the two ends of the ranking by log P(x).
    least_likely_log_px, most_likely_log_px
        Their log P(x) in nats, one per example.
    explained
        By name of column, ``given_z``, the mean of log P(x_j|z) under Q, and ``alone``, that of log P(x_j) under the
        column's own distribution (NaN where there is none in the same base measure), both over observed cells, nats.
    least_likely_excess
        What each cell of the least likely rows (frames only) costs above its column's mean, −log P(x_j|z) under Q in
        nats, NaN for missing cells, by name of column.
    least_likely_code
        What their codes cost above the mean KL, nats.
    """

    title: str
    form: Form
    given: str = ""
    headline: str = ""
    headline_bad: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)
    notices: Sequence[str] = ()
    sentences: Sequence[str] = ()
    problems: int = 0
    aim: str = ""
    history: pd.DataFrame | None = None
    selected_step: int | None = None
    ledger: Sequence[Mapping[str, Any]] = ()
    ledger_split: str = ""
    ledger_rows: int = 0
    ledger_whole: int = 0
    measure: str = ""
    annealed: Mapping[str, Any] | None = None
    integral: Sequence[tuple[str, np.ndarray, np.ndarray]] = ()
    integral_rows: int = 0
    integral_exact: bool = False
    latent: int = 0
    annealing: str = ""
    verdicts: Mapping[str, str] = field(default_factory=dict)
    unstable: Collection[str] = ()
    baselines: Sequence[Mapping[str, Any]] = ()
    baselines_note: str = ""
    pit: Sequence[tuple[str, np.ndarray, str]] = ()
    pit_counts: Sequence[int] = ()
    originals: np.ndarray | pd.DataFrame | None = None
    reconstructions: np.ndarray | pd.DataFrame | None = None
    samples: np.ndarray | pd.DataFrame | None = None
    sample_means: np.ndarray | None = None
    interpolated: np.ndarray | None = None
    regrouped: np.ndarray | None = None
    groups_kept: Sequence[int] = ()
    nearest: Nearest | None = None
    real: pd.DataFrame | None = None
    sampled: pd.DataFrame | None = None
    copies: tuple[int, int, int, int] | None = None
    prior_z: np.ndarray | None = None
    layers: Sequence[tuple[str, np.ndarray]] = ()
    latent_map: np.ndarray | None = None
    codes: np.ndarray | None = None
    codes_labels: np.ndarray | None = None
    codes_note: str = ""
    codes_axes: tuple[str, str] = ("", "")
    codes_named: str = "label"
    codes_told: float = math.nan
    kl_per_dim: np.ndarray | None = None
    kl_part: str = "latent dimension"
    least_likely: np.ndarray | pd.DataFrame | None = None
    least_likely_log_px: np.ndarray | None = None
    most_likely: np.ndarray | pd.DataFrame | None = None
    most_likely_log_px: np.ndarray | None = None
    explained: pd.DataFrame | None = None
    least_likely_excess: pd.DataFrame | None = None
    least_likely_code: np.ndarray | None = None
