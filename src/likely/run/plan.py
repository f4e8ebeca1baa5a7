"""Everything that is settled of a fit before its first step."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from likely.assembly import Own, Resolved
from likely.config import Config
from likely.data import DividedRows, Division, Schema
from likely.models import Model
from likely.run.record import DataRecord, new_id

__all__ = ["Plan"]


@dataclass(frozen=True, eq=False)
class Plan:
    """All that training needs; nothing is left to be decided but the steps of a budget in minutes.

    Attributes
    ----------
    resolved, model
        What was requested and chosen and what X is, with the objective; and the model to be trained in place.
    rows
        Training, validation and test rows as they came; the training rows are there until they are encoded.
    data
        Where these came from.
    notices
        What there is to say so far.
    init
        The run whose weights it starts from.
    progress
        Whether to draw a bar.
    cache
        The folder where encoded rows are kept that do not fit into memory; `None` for one that the process leaves.
    id
        Of the run that it becomes.
    profile
        Whether to tell, before training, where a step's time goes.

    """

    resolved: Resolved
    model: Model
    rows: DividedRows
    data: DataRecord
    notices: tuple[str, ...] = ()
    init: str | None = None
    progress: bool = True
    cache: Path | None = None
    id: str = field(default_factory=new_id)
    profile: bool = False

    @property
    def config(self) -> Config:
        """The configuration: what was requested and what was chosen for it."""
        return self.resolved.config

    @property
    def schema(self) -> Schema:
        """What X is."""
        return self.resolved.schema

    @property
    def own(self) -> Own:
        """What the user brought in the place of parts by name."""
        return self.resolved.own

    @property
    def division(self) -> Division:
        """Row numbers of training, validation and test rows."""
        return self.rows.division

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device
