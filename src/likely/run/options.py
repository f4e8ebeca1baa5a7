"""The options of a fit: as keywords that editors complete, and as frozen dataclasses that are passed on whole."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypedDict

from likely import world
from likely.assembly import Factory
from likely.config import Config, Size
from likely.data import Binarize, Channels, Limits, Split
from likely.data.sources.colours import colour_of
from likely.data.sources.reading import Reading
from likely.errors import ConfigError, quoted
from likely.files import default_bytes
from likely.training import Monitor

__all__ = ["Beside", "ConfigKeywords", "DataKeywords", "DataOptions", "FitKeywords", "FitOptions", "cache_beside"]

Beside = str | Sequence[float] | None
OWN_PARTS = {
    "network": "encoder= and decoder=",
    "prior": "model=likely.VAE(...)",
    "posterior": "model=likely.VAE(...)",
    "likelihood": "model=likely.VAE(...)",
}


class DataKeywords(TypedDict, total=False):
    """The keywords about the data, of `likely.fit` and `likely.inspect`."""

    column: Mapping[str, str] | None
    condition: str | Sequence[str] | Mapping[str, Any]
    binarize: Literal["dynamic", "static", "threshold"] | None
    resize: tuple[int, int] | None
    background: str | Sequence[int] | None
    channels: Literal["first", "last"] | None
    limits: Limits | None
    exposure: Beside
    weight: Beside
    split: Split
    separator: str | None
    decimal: str | None
    date_format: Mapping[str, str] | None


class ConfigKeywords(TypedDict, total=False):
    """The options of `likely.Config`, by their bare names."""

    latent: int | None
    width: int | None
    blocks: int | None
    kind: str | None
    prior: str | None
    posterior: str | None
    likelihood: str | None
    network: str | None
    members: int | None
    size: Size | None
    minutes: float | None
    epochs: int | None
    steps: int | None
    max_steps: int | None
    batch_size: int | None
    block_rows: int | None
    learning_rate: float | None
    beta2: float | None
    weight_decay: float | None
    clip: float | None
    warmup: float | None
    ema_decay: float | None
    precision: Literal["auto", "float32", "bfloat16"] | None
    seed: int | None
    device: str | None


class FitKeywords(DataKeywords, ConfigKeywords, total=False):
    """What `likely.fit` takes beside the data, the output and parts of one's own."""


@dataclass(frozen=True)
class DataOptions:
    """The options of a fit that are about the data; see `likely.fit`.

    Raises
    ------
    ConfigError
        If `binarize` is none of its words, or the background is no colour.

    """

    column: Mapping[str, str] | None = None
    condition: str | Sequence[str] | Mapping[str, Any] = ()
    binarize: Binarize | None = None
    resize: tuple[int, int] | None = None
    background: str | Sequence[int] | None = None
    channels: Channels | None = None
    limits: Limits | None = None
    exposure: Beside = None
    weight: Beside = None
    split: Split = "random"
    separator: str | None = None
    decimal: str | None = None
    date_format: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if self.binarize is not None:
            if self.binarize not in tuple(Binarize):
                raise ConfigError(f"binarize must be one of {', '.join(Binarize)}, got {quoted(self.binarize)}")
            object.__setattr__(self, "binarize", Binarize(self.binarize))

    @classmethod
    def taken_from(cls, options: Mapping[str, Any]) -> tuple[DataOptions, dict[str, Any]]:
        """The options that are about the data; and all others."""
        names = {item.name for item in fields(cls)}
        mine = {name: value for name, value in options.items() if name in names}
        return cls(**mine), {name: value for name, value in options.items() if name not in names}

    @property
    def conditions(self) -> list[str]:
        """The names of the columns that are given."""
        return [self.condition] if isinstance(self.condition, str) else list(self.condition)

    @property
    def colour(self) -> tuple[int, int, int] | None:
        """The background as red, green and blue."""
        return colour_of(self.background)

    @property
    def reading(self) -> Reading:
        """How a text file is written."""
        return Reading(self.separator, self.decimal, dict(self.date_format or {}))

    @property
    def of_schema(self) -> dict[str, Any]:
        """Those of the options that say what X is and were given: not how rows are divided, given or weighted."""
        others = ("condition", "exposure", "weight", "split")
        values = {item.name: getattr(self, item.name) for item in fields(self) if item.name not in others}
        return {name: value for name, value in values.items() if value}


def cache_beside(run: Path) -> Path:
    """Where a run keeps its encoded rows unless another folder is given."""
    return run.with_name(f"{run.name}.cache")


@dataclass(frozen=True)
class FitOptions:
    """All options of a fit; see `likely.fit`.

    Attributes
    ----------
    data
        What was said of the data.
    config, assignments
        Where the configuration starts from, and what is set on top of it.
    encoder, decoder, model, objective
        Parts of the user's own, or by name.
    out, overwrite, monitors, progress
        Where the run is stored, which monitors are called, whether bars are drawn.
    memory, cache
        Bytes that rows may fill, and where they are kept, encoded, if they would fill more.
    profile
        Whether to tell, before training, where a step's time goes.

    """

    data: DataOptions = field(default_factory=DataOptions)
    config: Config | None = None
    assignments: Mapping[str, Any] = field(default_factory=dict)
    encoder: Factory | None = None
    decoder: Factory | None = None
    model: Factory | None = None
    objective: Factory | None = None
    out: str | Path | None = None
    overwrite: bool = False
    monitors: Sequence[Monitor] = ()
    progress: bool = True
    memory: float | None = None
    cache: str | Path | None = None
    profile: bool = False

    def __post_init__(self) -> None:
        if self.memory is not None and not 0 < self.memory < math.inf:
            raise ConfigError(f"memory must be a number of bytes above 0, such as 4e9; got {self.memory}")

    @property
    def most_bytes(self) -> int | None:
        """Bytes that the rows may fill, the same in every process; `None` where one process is told nothing."""
        if self.memory is not None:
            return max(1, int(self.memory))
        return None if world.size() == 1 else int(world.of_first(default_bytes())) // world.size()

    @property
    def cache_folder(self) -> Path | None:
        """Where encoded rows are kept: as given, or beside the run that is stored."""
        if self.cache is not None:
            return Path(self.cache)
        return None if self.out is None else cache_beside(Path(self.out))

    @property
    def own_objective(self) -> Factory | None:
        """The objective where it is the user's own."""
        return None if isinstance(self.objective, str) else self.objective

    @property
    def own_model(self) -> Factory | None:
        """The model where it is the user's own."""
        return None if isinstance(self.model, str) else self.model

    @property
    def assigned(self) -> dict[str, Any]:
        """What is set on top of the configuration, the model and the objective by name among it."""
        named = {"kind": self.model, "objective": self.objective}
        texts = {name: value for name, value in named.items() if isinstance(value, str)}
        for name, cure in OWN_PARTS.items():
            if not isinstance(self.assignments.get(name) or "", str):
                raise ConfigError(f"{name} takes a name (likely parts {name}); one of your own goes in as {cure}")
        return {name: value for name, value in self.assignments.items() if value is not None} | texts
