"""A fit before its first step."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from likely.assembly import NOTHING, Own
from likely.config import Config
from likely.data import Division, Schema, Source
from likely.models import Model
from likely.run.record import DataRecord

__all__ = ["Plan"]


@dataclass(frozen=True, eq=False)
class Plan:
    """All that training needs; nothing is left to be decided but the steps of a budget in minutes.

    Attributes
    ----------
    config, schema, model
        What was told and chosen, what X is, and the model to be trained in place.
    division, source
        Row numbers of training, validation and test rows, and the rows.
    data
        Where these came from.
    notices
        What there is to say so far.
    own
        What the user brought in the place of parts by name.
    init
        The run whose weights it starts from.
    progress
        Whether to draw a bar.

    """

    config: Config
    schema: Schema
    model: Model
    division: Division
    source: Source
    data: DataRecord
    notices: tuple[str, ...] = ()
    own: Own = NOTHING
    init: str | None = None
    progress: bool = True

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device
