"""A model that is annealed and bounded piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from likely.data import EncodedRows
from likely.evaluation import AnnealingPath, Simulated, anneal, bidirectional, evidence, simulate, tune
from likely.models import Model
from pieces import Piece, joined, piece

PART, FRESH = 50, 1000
SETTINGS = {"default": False, "precise": True}


@dataclass(frozen=True)
class Tuned:
    """A schedule that was chosen on simulated rows, and the pinch of those rows."""

    schedule: AnnealingPath
    pinch: float
    made: Piece


@dataclass(frozen=True)
class Subject:
    """A model that is measured, in a folder of its own pieces.

    Attributes
    ----------
    like
        Rows whose form and covariates simulated rows take.

    """

    folder: Path
    model: Model
    like: EncodedRows

    def tuned(self, setting: str) -> Tuned:
        """`tune` at one of the two settings."""

        def make() -> dict[str, Any]:
            found = tune(self.model, self.like, precise=SETTINGS[setting], progress=tell)
            s = found.path
            facts = {"chains": s.chains, "leaps": s.leapfrog_steps, "from_prior": s.from_prior, "pinch": found.width}
            return {"betas": np.array(s.betas), "steps": np.array(s.steps), **facts}

        def tell(temperatures: int, _: int) -> None:
            print(f"{self.folder.name}: {temperatures} temperatures tried", flush=True)

        made = piece(self.folder / f"tuned-{setting}.npz", make)
        betas, steps = (tuple(map(float, made[name])) for name in ("betas", "steps"))
        counts = int(made["chains"]), int(made["leaps"]), bool(made["from_prior"])
        return Tuned(AnnealingPath(betas, steps, *counts), float(made["pinch"]), made)

    def annealed(self, rows: EncodedRows, schedule: AnnealingPath, name: str) -> Piece:
        """`anneal`, part by part."""

        def make(part: EncodedRows) -> dict[str, Any]:
            found = anneal(self.model, part, schedule)
            return {key: getattr(found, key) for key in ("log_px", "se_mc", "ess", "acceptance")}

        return self.parts(rows, f"annealed-{name}", make)

    def bounds(self, rows: EncodedRows, samples: int) -> Piece:
        """`evidence`, part by part."""

        def make(part: EncodedRows) -> dict[str, Any]:
            found = evidence(self.model, part, samples=samples)
            errors = {f"{name}_se_mc": found.se_mc[name] for name in ("elbo", "iwae")}
            terms = {name: found.terms[name] for name in ("elbo", "iwae")}
            return {**terms, **errors, "pareto_k": found.pareto_k, "ess": found.ess}

        return self.parts(rows, f"bounds-{samples}", make)

    def parts(self, rows: EncodedRows, name: str, make: Callable[[EncodedRows], Mapping[str, Any]]) -> Piece:
        """Whatever is measured row by row, each 50 rows kept when they are done."""
        return self._by_parts(len(rows), name, lambda index: make(rows.take(index)))

    def pinched(self, schedule: AnnealingPath, count: int, name: str) -> Piece:
        """`bidirectional` for fresh simulated rows: none that chose the schedule is among them."""
        drawn = simulate(self.model, self.like, count, FRESH)

        def make(index: torch.Tensor) -> dict[str, Any]:
            part = Simulated(drawn.rows.take(index), drawn.z[index.to(drawn.z.device)])
            found = bidirectional(self.model, part, schedule, seed=FRESH)
            return {key: getattr(found, key) for key in ("lower", "upper", "acceptance")}

        return self._by_parts(count, f"pinched-{name}", make)

    def _by_parts(self, count: int, name: str, make: Callable[[torch.Tensor], Mapping[str, Any]]) -> Piece:
        parts = torch.arange(count).split(PART)
        names = [f"{name}-{int(index[0])}-{len(index)}.npz" for index in parts]
        return joined([piece(self.folder / file, partial(make, i)) for file, i in zip(names, parts, strict=True)])
