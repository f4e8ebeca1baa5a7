"""What was asked of a fit, as frozen dataclasses that become JSON and back."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin, get_type_hints

from likely.config.numbers import demand_whole
from likely.errors import ConfigError, quoted

__all__ = [
    "ROLES",
    "WARMUP",
    "WEIGHT_DECAY",
    "Config",
    "ModelConfig",
    "Size",
    "TrainingConfig",
    "default_max_steps",
    "demand_whole",
]

Size = Literal["tiny", "small", "base", "large"]  # of the networks of pictures
ROLES = ("encoder", "decoder", "model", "objective")
WARMUP = 0.1  # share of the budget
WEIGHT_DECAY = 0.01  # of AdamW, but for integrated models of few values (`assembly.resolved`)
_EARLIER_NAMES = {"average": "ema_decay"}  # of options: stored configurations and command lines may have them


def default_max_steps(rows: int) -> int:
    """The most steps of a fit without a budget, by its training rows: 60 √rows, at least 600."""
    return max(600, round(60 * math.sqrt(rows)))


# The least and the most of each number: beyond these no machine of today makes the model, or ends the fit.
SIZES = {"latent": (1, 2**20), "width": (1, 2**20), "blocks": (0, 10_000), "members": (1, 1000)}
COUNTS = dict.fromkeys(("epochs", "steps", "max_steps", "batch_size", "block_rows"), (1, 10**12))
AMOUNTS = {"minutes": (0, 10**7), "learning_rate": (0, 10**6), "clip": (0, 10**12), "weight_decay": (0, 10**12)}


def _demand(config: object, ranges: Mapping[str, tuple[int, int]]) -> None:
    for name, (least, most) in ranges.items():
        value = getattr(config, name)
        if value is None:
            continue
        if type(value) not in (int, float):
            raise ConfigError(f"{name} must be a number, got {quoted(value)}")
        if not value >= least:
            raise ConfigError(f"{name} must be at least {least}, got {value}")
        if value > most:
            shown = value if value < 10**18 else f"{value:.3g}" if isinstance(value, float) else "a number far above"
            raise ConfigError(f"{name} must be at most {most:,}, got {shown}")


@dataclass(frozen=True)
class ModelConfig:
    """The parts of the model; `None` means: chosen by the size and the form of the data.

    Attributes
    ----------
    latent
        Dimension of z.
    width
        Width of the residual networks.
    blocks
        Residual blocks in the encoder and in the decoder.
    kind
        The model by name: `vae`, `hierarchy:mlp:3`, which has a prior and a posterior of its own.
    prior, posterior, likelihood, network
        Parts by name, with arguments after colons, as `likely parts` lists them: `vamp:500`, `flow:2:coupling`,
        `gaussian:shared`, `mlp`. For a table the likelihood replaces the family of every numeric column that it fits.
    members
        How many models are trained apart, each with a seed of its own; P(x) is their mixture.
    size
        How wide the networks of a `hierarchy:conv` are: 24, 32, 64 or 96 channels. By the minutes unless told.

    """

    latent: int | None = None
    width: int | None = None
    blocks: int | None = None
    kind: str | None = None
    prior: str | None = None
    posterior: str | None = None
    likelihood: str | None = None
    network: str | None = None
    members: int = 1
    size: Size | None = None

    def __post_init__(self) -> None:
        _demand(self, SIZES)


@dataclass(frozen=True)
class TrainingConfig:
    """How the bound is maximised; `None` means: chosen by the size of the data.

    Attributes
    ----------
    objective
        What is maximised, by name, as `likely parts objective` lists it: `elbo`, `iwae:50:dreg`. Reports and validation
        give the ELBO whatever it is.
    minutes, epochs, steps
        The budget; at most one of them. `minutes` becomes a step count after a short timing.
    max_steps
        The most steps of a fit without a budget, which ends when validation stalls.
    batch_size
        Rows per step.
    block_rows
        Neighbouring rows that stay together when rows are shuffled: those of each 64 blocks, drawn anew in each epoch,
        are shuffled together. `None` shuffles all rows together where they are in memory; rows that are mapped from
        files have blocks of about 1 MiB.
    learning_rate, beta2, weight_decay, clip
        AdamW's rate, decay per step of its mean of squared gradients, and decoupled decay of weights; the largest norm
        of the gradient of the mean loss. The decay is 0.01 unless told, of integrated models of few values 0.3.
    warmup
        Share of the budget over which the weight of the KL rises from 0 to 1 (the training objective only). A tenth
        unless told; of a `hierarchy:conv` none.
    ema_decay
        Decay per step of the exponential moving average of the weights.
    precision
        `auto` takes bfloat16 autocast where the processor has it natively and the network is wide enough to gain.

    """

    objective: str = "elbo"
    minutes: float | None = None
    epochs: int | None = None
    steps: int | None = None
    max_steps: int | None = None
    batch_size: int | None = None
    block_rows: int | None = None
    learning_rate: float | None = None
    beta2: float | None = None
    weight_decay: float | None = None
    clip: float = 5.0
    warmup: float | None = None
    ema_decay: float = 0.999
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def __post_init__(self) -> None:
        given = [name for name in ("minutes", "epochs", "steps") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ConfigError(f"give one budget, not {' and '.join(given)}")
        for name in (*given, "learning_rate", "clip"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"{name} must be positive, got {value}")
        _demand(self, COUNTS | AMOUNTS)
        if self.beta2 is not None and not 0 < self.beta2 < 1:
            raise ConfigError(f"beta2 must be above 0 and below 1, got {self.beta2}")
        for name in ("warmup", "ema_decay"):
            if not 0 <= (getattr(self, name) or 0) < 1:
                raise ConfigError(f"{name} must be at least 0 and below 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class Config:
    """What was asked of a fit: model, training, seed and device.

    Attributes
    ----------
    factories
        `encoder`, `decoder`, `model` or `objective` -> what the user brought in the place of a part by name, as
        `module:callable`. It is a name to read: nothing imports or calls it but the user (`likely.load`).

    """

    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    seed: int = 0
    device: str = "auto"
    factories: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for role, name in self.factories.items():
            if role not in ROLES or not isinstance(name, str):
                got = f"{quoted(role)}: {quoted(name)}"
                raise ConfigError(f"factories map {', '.join(ROLES)} to module:callable, got {got}")

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Config:
        """Read what `to_dict` wrote.

        Raises
        ------
        ConfigError
            If a key is unknown or a value has the wrong type.

        """
        config: Config = _build(cls, values, "")
        return config

    def replace(self, assignments: Mapping[str, Any]) -> Config:
        """Set options by dotted key, as `{"training.learning_rate": 1e-3}`; a bare key is looked up in every group.

        A budget replaces the one that stood there.

        >>> Config().replace({"latent": 8, "training.clip": 1.0}).model.latent
        8

        Raises
        ------
        ConfigError
            If no option has that name; the nearest one is suggested.

        """
        values = self.to_dict()
        budgets = ("minutes", "epochs", "steps")
        if any(key.removeprefix("training.") in budgets for key in assignments):
            values["training"] |= dict.fromkeys(budgets)
        for key, value in assignments.items():
            group, name = _locate(key)
            target = values[group] if group else values
            target[name] = _coerce(value)
        return Config.from_dict(values)


def _coerce(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


_GROUPS: dict[str, type] = {"model": ModelConfig, "training": TrainingConfig}


def _locate(key: str) -> tuple[str, str]:
    of, dot, last = key.rpartition(".")
    key = of + dot + _EARLIER_NAMES.get(last, last)
    known = {name: ("", name) for name in ("seed", "device")}
    for group, cls in _GROUPS.items():
        for item in dataclasses.fields(cls):
            known[item.name] = known[f"{group}.{item.name}"] = (group, item.name)
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"options: {', '.join(sorted(k for k in known if '.' in k))}"
        raise ConfigError(f"unknown option {quoted(key)}; {hint}")
    return known[key]


def _build(cls: type, values: Mapping[str, Any], where: str) -> Any:
    if not isinstance(values, Mapping):
        raise ConfigError(f"the configuration{where} must be a JSON object, got {type(values).__name__}")
    values = {_EARLIER_NAMES.get(name, name): value for name, value in values.items()}
    fields = {item.name: item for item in dataclasses.fields(cls)}
    hints = get_type_hints(cls)
    unknown = sorted(set(values) - set(fields))
    if unknown:
        known = ", ".join(fields)
        raise ConfigError(f"unknown option {quoted(unknown[0])} in the configuration{where}; known: {known}")
    arguments = {}
    for name, value in values.items():
        if name in _GROUPS:
            arguments[name] = _build(_GROUPS[name], value, f" under {name!r}")
            continue
        _check_type(name, value, hints[name])
        arguments[name] = value
    return cls(**arguments)


def _words(declared: Any) -> tuple[Any, ...] | None:
    """The words that a declared type allows, `None` among them where that is allowed too; `None` of other types."""
    if get_origin(declared) is Literal:
        return get_args(declared)
    some = [get_args(part) for part in get_args(declared) if get_origin(part) is Literal]
    return (*some[0], None) if some else None


def _check_type(name: str, value: Any, declared: Any) -> None:
    words = _words(declared)
    if words is not None:
        if value not in words:
            raise ConfigError(f"{name} must be one of {', '.join(filter(None, words))}, got {quoted(value)}")
        return
    allowed = {get_origin(declared)} if get_origin(declared) is dict else set(get_args(declared) or (declared,))
    if float in allowed:
        allowed.add(int)
    if type(value) not in allowed:
        names = " or ".join(sorted(kind.__name__ for kind in allowed - {type(None)}))
        raise ConfigError(f"{name} must be {names}, got {quoted(value)}")
