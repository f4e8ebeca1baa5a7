"""Where a run is stored, and what was read or fitted again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from likely.data import Source

if TYPE_CHECKING:
    from likely.evaluation import Baselines, FlowRival

__all__ = ["Home"]


@dataclass(eq=False)
class Home:
    """Where a run is stored, and what its verbs read or fit again when they need it.

    Attributes
    ----------
    directory
        Where the run is stored, or `None`.
    source
        The data that the run was fitted on.
    baselines
        The baselines fitted on the same training rows, once a verb has needed them.
    rival
        The flow fitted to them in the seconds of the fit, once an evaluation has asked for it.

    """

    directory: Path | None = None
    source: Source | None = None
    baselines: Baselines | None = None
    rival: FlowRival | None = None
