"""Baselines: plain models of the same data, in the same base measure and units as the VAE, which has to beat them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from likely.data import EncodedRows, Schema
from likely.data.kinds import Measure
from likely.errors import RunError
from likely.evaluation.baselines.cells import NumericCells, columns_of
from likely.evaluation.baselines.chain import Chain
from likely.evaluation.baselines.clusters import mixture
from likely.evaluation.baselines.gaussian import Training, full, ppca
from likely.evaluation.baselines.marginals import Frequencies, Mixtures, counted
from likely.evaluation.baselines.scored import Baseline, bits_per_dim
from likely.evaluation.baselines.support import two_valued
from likely.evaluation.baselines.warped import MAX_WARPED_CELLS, warped_mixture
from likely.likelihoods import Columns, Likelihood

__all__ = ["Baseline", "Baselines", "comparable", "fit_baselines"]

WARPED = "gaussian_mixture_warped"
GAUSSIANS = ("gaussian", "gaussian_mixture", WARPED, "ppca")
VERSION = 2  # of the arrays; 1 had no number, and no mixture on the warped axis
MIXTURE = ("log_weights", "means", "deviations")
# Numeric cells up to which Gaussians are fitted: their covariance is held whole, and EM inverts a part of it a row.
MAX_CELLS, MAX_CELLS_WITH_MISSING = 4096, 64
CHUNK_ROWS = 4096  # that are scored at once
MAX_MIXTURE_ROWS = 5000  # of training that the mixtures of single columns are fitted on


@dataclass(frozen=True, eq=False)
class Baselines:
    """Baselines fitted to training rows; `score` gives log P(x) of other rows under each.

    Attributes
    ----------
    schema
        The base measure: counting measure on the grid or the values of every cell that has them, Lebesgue in data units
        otherwise, with counting measure on atoms besides.
    cells
        The numeric cells, with the mass of their atoms.
    frequencies, mixtures
        The distribution of each cell by itself.
    gaussians
        Normal distributions (and mixtures of them) of all numeric cells together, by name; empty where there are none,
        or more than 4,096.
    kinds
        What each baseline is.
    complete
        Whether all that this version fits is there: arrays of an earlier one lack the mixture on the warped axis.

    """

    schema: Schema
    cells: NumericCells
    frequencies: Frequencies
    mixtures: Mixtures
    gaussians: Mapping[str, Chain]
    kinds: Mapping[str, str]
    complete: bool = True

    @property
    def measure(self) -> Measure:
        """What the nats are relative to: `mass`, `density` or `mixed`; see `comparable`."""
        return measure(self.schema)

    def score(self, rows: EncodedRows) -> list[Baseline]:
        """log P(x) of each row under each baseline; a row's numbers do not depend on its neighbours.

        Parameters
        ----------
        rows
            Encoded by the same schema, and binarised once where that applies.

        """
        rows = rows.to("cpu")
        held = (rows.stored(first, first + CHUNK_ROWS) for first in range(0, len(rows), CHUNK_ROWS))
        parts = [self._log_prob(part.values, part.observed) for part in held]
        log_probs = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        found = {name: nats.numpy() for name, nats in log_probs.items()}
        return [Baseline(name, nats, bits_per_dim(nats, rows), self.kinds[name]) for name, nats in found.items()]

    def _log_prob(self, values: Tensor, observed: Tensor | None) -> dict[str, Tensor]:
        alone = self.frequencies.log_prob(values, observed) + self.mixtures.log_prob(values, observed)
        log_probs = {"marginals": alone}
        if not self.gaussians:
            return log_probs
        rest = self.frequencies.take(~torch.isin(self.frequencies.places, self.cells.places))
        beside = rest.log_prob(values, observed)
        straight = self.cells.read(values, observed)
        for name, chain in self.gaussians.items():
            seen = straight if chain.cells.bent is None else chain.seen(values, observed)
            log_probs[name] = chain.log_prob(seen) + beside
        return log_probs

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Everything but the schema, as named arrays of numbers."""
        arrays = {"frequencies.log_p": self.frequencies.log_p.numpy(), "cells.log_pi": self.cells.log_pi.numpy()}
        arrays |= {f"mixtures.{name}": getattr(self.mixtures, name).numpy() for name in MIXTURE}
        for name, chain in self.gaussians.items():
            arrays |= {f"{name}.{part}": array for part, array in chain.stored()[1].items()}
        text = json.dumps(dict(self.kinds)).encode()
        return arrays | {"kinds": np.frombuffer(text, np.uint8).copy(), "version": np.array([float(VERSION)])}

    @classmethod
    def from_arrays(cls, schema: Schema, arrays: Mapping[str, np.ndarray]) -> Baselines:
        """Read what `to_arrays` made.

        Raises
        ------
        RunError
            If an array is missing.

        """
        try:
            own = ("frequencies.log_p", "cells.log_pi", *(f"mixtures.{name}" for name in MIXTURE))
            parts = {name: torch.from_numpy(np.array(arrays[name])) for name in own}
            kinds = json.loads(np.asarray(arrays["kinds"]).tobytes())
            frequencies = Frequencies.fit(schema, torch.empty(0), log_p=parts["frequencies.log_p"])
            cells, gaussians = replace(_numeric(schema), log_pi=parts["cells.log_pi"]), {}
            mixtures = Mixtures(_uncounted(schema, cells), *(parts[f"mixtures.{name}"] for name in MIXTURE))
            for one in (one for one in GAUSSIANS if one in kinds):
                mine = {name.partition(".")[2]: array for name, array in arrays.items() if name.startswith(f"{one}.")}
                gaussians[one] = Chain.read(cells.on_axis(schema) if one == WARPED else cells, mine)
        except (KeyError, ValueError, RuntimeError) as error:
            raise RunError(
                f"the baselines are not ones that this version wrote ({error}); remove baselines.safetensors, and they "
                "are fitted again"
            ) from error
        return cls(schema, cells, frequencies, mixtures, gaussians, kinds, complete="version" in arrays)


def comparable(schema: Schema, likelihood: Likelihood) -> bool:
    """Whether the likelihood has the schema's base measure in every cell, so that log P(x) may be compared."""
    return _agrees([column.measure for column in schema.modelled], likelihood)


def _agrees(measures: Sequence[Measure], likelihood: Likelihood) -> bool:
    if not isinstance(likelihood, Columns):
        return all(likelihood.measure == measure for measure in measures)
    pairs = zip(likelihood.families, likelihood.places, strict=True)
    return all(_agrees([measures[i] for i in places.tolist()], cast(Likelihood, family)) for family, places in pairs)


def measure(schema: Schema) -> Measure:
    """`mass` where every cell is counted on its set or grid, `density` where none is or has atoms, else `mixed`."""
    measures = {column.measure for column in schema.modelled}
    return measures.pop() if len(measures) == 1 else "mixed"


def fit_baselines(
    schema: Schema, train: EncodedRows, *, latent: int, validation: EncodedRows | None = None, seed: int = 0
) -> Baselines:
    """Fit independent marginals, a Gaussian, Gaussian mixtures and probabilistic PCA to the training rows alone.

    A cell on a grid, or of listed numbers, has the mass of its cell under the normal distribution given the cells
    before it (`gaussian.Chain`), with the schema's resolutions and their shares, its limits and reserve; an atom of a
    real cell has its smoothed frequency (`NumericCells`); a categorical cell of more than two values keeps its
    marginal. What has to be chosen (ridge, components, the stretch of coarse cells, what lies beside atoms) is chosen
    by training rows that are held out.

    Of tables whose columns have knots, one more mixture is that of values on the axis which the knots bend, the axis of
    the model's own likelihood (`warped_mixture`): the validation rows choose it, as they choose the model's weights.

    Of rows with missing cells the marginals are those of the observed cells, and the moments of the Gaussian and of PCA
    are found by EM, where there are at most 64 numeric cells; no mixture is fitted. Each baseline scores what is
    observed.

    Parameters
    ----------
    schema
        Says what each cell is.
    train
        The training rows; binarised once by the seed where they are levels made 0/1, and repeated by their weights.
    latent
        Dimension of probabilistic PCA.
    validation
        Rows that choose the mixture on the warped axis; a fifth of the training rows unless given.
    seed
        Of the held-out part, of the binarisation and of the starts of EM.

    """
    rows = train.binarised_once(seed).to("cpu").counted(seed)
    rows = rows.take(torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed)))
    values, observed = rows.stored().values, rows.observed
    frequencies = Frequencies.fit(schema, values, observed)
    some = rows.stored(0, MAX_MIXTURE_ROWS)
    cells = _numeric(schema).with_atoms(values, observed)
    mixtures = Mixtures.fit(_uncounted(schema, cells), some.values, some.observed)
    gaussians, kinds = {}, {"marginals": _marginals(schema)}
    bends = not schema.cells_alike and any(column.knots for column in schema.modelled)
    if 0 < len(cells) <= (MAX_CELLS if observed is None else MAX_CELLS_WITH_MISSING):
        training = Training.of(cells, values, observed)
        gaussians["gaussian"], ridge = full(training)
        size = min(latent, len(cells) - 1)
        kinds |= {
            "gaussian": f"a Gaussian with full covariance, {ridge:g} of each cell's variance added",
            "ppca": f"probabilistic PCA of dimension {size}",
        }
        if observed is None:
            gaussians["gaussian_mixture"], what = mixture(training, gaussians["gaussian"], ridge, seed)
            kinds["gaussian_mixture"] = f"a mixture of Gaussians: {what}"
            if bends and len(cells) <= MAX_WARPED_CELLS:
                held = None if validation is None or not len(validation) else _plain(validation, seed)
                gaussians[WARPED], what = warped_mixture(cells.on_axis(schema), values, held, seed)
                chosen_by = "training rows held out" if held is None else "validation rows"
                kinds[WARPED] = f"a mixture of Gaussians on the model's axis: {what}, chosen by {chosen_by}"
            elif bends:
                kinds["marginals"] += f"; no mixture on the model's axis is fitted to {len(cells)} numeric cells"
        else:
            kinds["marginals"] += "; no mixture of Gaussians is fitted to rows with missing cells"
        gaussians["ppca"] = ppca(training, latent)
    else:
        missing = "" if observed is None else ", some of them missing"
        kinds["marginals"] += f"; no Gaussians are fitted to {len(cells)} numeric cells{missing}"
    kinds = {name: _ending(schema, kind, chained=name in gaussians) for name, kind in kinds.items()}
    return Baselines(
        schema, cells, frequencies, mixtures, {name: chain.stored()[0] for name, chain in gaussians.items()}, kinds
    )


def _plain(rows: EncodedRows, seed: int) -> tuple[Tensor, Tensor | None]:
    """Values and mask of rows, repeated by their weights."""
    rows = rows.binarised_once(seed).to("cpu").counted(seed)
    return rows.stored().values, rows.observed


def _numeric(schema: Schema) -> NumericCells:
    """What enters the normal distributions: numbers, and categories of which there are two."""
    return NumericCells.of(schema, lambda column: not column.coded or two_valued(column))


def _uncounted(schema: Schema, cells: NumericCells) -> NumericCells:
    """Those of the numeric cells that have no finite set of values."""
    columns = columns_of(schema)
    return cells.take(torch.tensor([not counted(columns[place]) for place in cells.places.tolist()], dtype=torch.bool))


def _marginals(schema: Schema) -> str:
    kinds = {counted(column) for column in schema.modelled}
    parts = ["smoothed frequencies"] if True in kinds else []
    parts += ["a mixture of normals for each cell that has no finite set of values"] if False in kinds else []
    return f"independent cells: {' and '.join(parts)}"


def _ending(schema: Schema, kind: str, *, chained: bool) -> str:
    """What must be known to read the number."""
    if chained and any(column.measure == "mass" for column in schema.modelled):
        kind += "; cells on a grid have their mass given the cells before them"
    if any(column.resolutions for column in schema.modelled):
        kind += "; cells recorded to several steps have the shares of each"
    if any(column.atoms or column.spikes for column in schema.modelled):
        kind += "; values that repeat exactly have a mass of their own"
    if chained and any(column.coded and not two_valued(column) for column in schema.modelled):
        kind += "; categories have their marginals"
    return kind + ("; of P(x), without y" if schema.conditions else "")
