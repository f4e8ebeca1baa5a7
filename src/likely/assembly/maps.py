"""The convolutional hierarchy of pictures: its groups of z, as they are written and by default, and the model."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import NamedTuple

from likely.assembly.condition import condition, exposure
from likely.assembly.grammar import AUTO, Named
from likely.assembly.networks import first, missing_cells
from likely.assembly.own import Own
from likely.assembly.sizes import DefaultSizes
from likely.config import WARMUP, Config, ModelConfig, Size
from likely.data import Form, Kind, Schema
from likely.errors import ConfigError, quoted
from likely.likelihoods import Likelihood
from likely.models import HierarchicalVAE
from likely.networks import ConvLadder, Encoder, Level, PatchDecoder, PatchEncoder
from likely.networks.conv_topdown import patches_of

__all__ = [
    "CONV",
    "PATTERN",
    "by_default",
    "conv_hierarchy",
    "conv_sizes",
    "demand_no_own_network",
    "likelihood_of",
    "of_maps",
    "size_of",
    "with_maps",
]

ELBO = "elbo"
CONV = "conv"  # the word for a hierarchy of maps
PATTERN = r"[0-9]{1,4}x[0-9]{1,4}(x[0-9]{1,4})?(,[0-9]{1,4}x[0-9]{1,4}(x[0-9]{1,4})?)*"

BATCH, LEVELS_BATCH = 64, 16
CHANNELS = 8  # of z
COMPONENTS, COLOURS = 5, 3  # of levels' mixture; channels that it couples
FITS = 4  # times as many steps as other models take at most
MIN_SIDE, MIN_ROWS, MAX_CHANNELS = 16, 1000, 4  # of pictures that get this model by default


class _Counts(NamedTuple):
    """The longest side of the finest maps, and the groups of them and of those half and a quarter as large."""

    finest: int
    groups: tuple[int, ...]


class _Size(NamedTuple):
    """Channels of the networks and AdamW's rate; up to how many minutes of a fit."""

    width: int
    rate: float
    minutes: float


SIZES: dict[Size, _Size] = {  # docs/decisions/080-pictures.md
    "tiny": _Size(24, 8e-3, 0.2),
    "small": _Size(32, 7e-3, 2),
    "base": _Size(64, 5e-3, 90),
    "large": _Size(96, 4e-3, math.inf),
}
USUAL: Size = "base"  # without a budget in minutes
LONG, LONG_RATE = 20, 3e-3  # minutes beyond which the rate is no higher: after thousands of steps training may explode
PLAIN, COLOURED = _Counts(10, (3, 2)), _Counts(16, (2, 2, 1))


def by_default(config: Config, schema: Schema, own: Own) -> bool:
    """Whether a model of maps is what a fit gets where no part of it, nor a size, is told.

    They are pictures of two values or levels, 16 pixels a side or more, not very few, and with nothing given (y).
    """
    told = (
        getattr(config.model, name) for name in ("kind", "latent", "width", "blocks", "prior", "posterior", "network")
    )
    if any(one is not None for one in told) or own.by_role or config.training.objective != ELBO:
        return False
    shape, pictures = schema.event_shape, schema.cells_alike and schema.form != Form.TABLE
    if not pictures or len(shape) not in (2, 3) or schema.conditions or schema.rows < MIN_ROWS:
        return False
    if len(shape) == 3 and (schema.channels is None or shape[2] > MAX_CHANNELS):
        return False
    return min(shape[:2]) >= MIN_SIDE and schema.columns[0].kind in (Kind.BINARY, Kind.LEVELS)


def of_maps(model: Named) -> bool:
    """Whether a model is a hierarchy of maps."""
    return model.name == "hierarchy" and model.arguments[0] == CONV


def with_maps(model: Named, schema: Schema, latent: int | None) -> tuple[int, Named]:
    """The size of z, and the model with all of its maps told.

    Raises
    ------
    ConfigError
        If the rows are no pictures, the maps do not fit them, or the size of z was told to be another one.

    """
    shape, asked = schema.event_shape, model.arguments[1]
    if not schema.cells_alike or len(shape) not in (2, 3):
        raise ConfigError(
            f"model {model} is for pictures (H, W) or (H, W, channels); rows have shape {shape}; take hierarchy:mlp"
        )
    if isinstance(asked, int):
        raise ConfigError(f"model {model}: its groups are maps, as 7x2x4,14x2x4 (side x count x channels), or {AUTO}")
    levels = _default(schema) if asked == AUTO else _read(str(asked))
    patches = patches_of(shape, levels)
    areas = [-(-shape[0] // patch) * -(-shape[1] // patch) for patch in patches]
    size = sum(area * level.count * level.channels for area, level in zip(areas, levels, strict=True))
    if latent not in (None, size):
        raise ConfigError(f"model {model} has z of {size} numbers here, not {latent}; leave latent out")
    told = ",".join(f"{level.side}x{level.count}x{level.channels}" for level in levels)
    return size, replace(model, arguments=(CONV, told))


def likelihood_of(schema: Schema) -> str | None:
    """What levels have where none is requested: a mixture, in which a pixel's three colours depend on each other."""
    if not _of_levels(schema):
        return None
    return f"logistic-mixture:{COMPONENTS}" + ":coupled" * _coloured(schema)


def _of_levels(schema: Schema) -> bool:
    return schema.columns[0].kind == Kind.LEVELS


def _coloured(schema: Schema) -> bool:
    return len(schema.event_shape) == 3 and schema.event_shape[2] == COLOURS


def size_of(config: Config) -> Size:
    """How wide the networks are, as a word: that of the minutes unless told."""
    minutes = config.training.minutes
    fitting = [name for name, size in SIZES.items() if minutes is not None and minutes <= size.minutes]
    return config.model.size or (fitting[0] if fitting else USUAL)


def conv_sizes(sizes: DefaultSizes, size: Size, schema: Schema, minutes: float | None) -> DefaultSizes:
    """The default sizes of a model and its training, for maps of that size in a fit of so many minutes."""
    chosen, usual = SIZES[size], min(sizes.batch_size, BATCH)
    batch = min(usual, LEVELS_BATCH) if _of_levels(schema) else usual
    # Every KL starts at 0. Without a warm-up z of grey levels never carried anything; that of two values and of colours
    # did, and with one a fit of two values exploded.
    return replace(
        sizes,
        width=chosen.width,
        blocks=1,
        batch_size=batch,
        learning_rate=min(chosen.rate, LONG_RATE) if minutes is not None and minutes > LONG else chosen.rate,
        max_steps=FITS * sizes.max_steps * usual // batch,
        warmup=WARMUP if _of_levels(schema) and not _coloured(schema) else 0.0,
    )


def demand_no_own_network(own: Own) -> None:
    """Check that the user brings no encoder or decoder, as the ladder has its own.

    Raises
    ------
    ConfigError
        If one is brought.

    """
    for role in ("encoder", "decoder"):
        if role in own.by_role:
            raise ConfigError(f"a hierarchy:conv has its own {role}; leave yours out, or take hierarchy:mlp")


def conv_hierarchy(likelihood: Likelihood, schema: Schema, model: ModelConfig, maps: str) -> HierarchicalVAE:
    """A hierarchy by a convolutional ladder."""
    given, counted, shape = condition(schema), exposure(schema), schema.event_shape
    covariates, levels = 0 if given is None else given.outputs, _read(maps)
    width, blocks, patch = int(model.width or 0), int(model.blocks or 0), patches_of(shape, levels)[-1]
    missing = missing_cells(schema)
    body = PatchEncoder(shape, width, patch, covariates + (counted is not None), bool(missing))
    decoder = PatchDecoder(likelihood.parameter_shape, width, patch, blocks, covariates)
    ladder = ConvLadder(Encoder(first(schema), body, missing), decoder, levels, shape, width, blocks)
    return HierarchicalVAE(likelihood, ladder, given, counted)


def _read(text: str) -> list[Level]:
    """The levels that a text such as `7x2x8,14x2x4` tells; channels may be left out."""
    if not re.fullmatch(PATTERN, text):
        raise ConfigError(f"maps are written as 7x2x4,14x2x4 (side x count x channels), got {quoted(text)}")
    told = [[int(number) for number in level.split("x")] for level in text.split(",")]
    return [Level(side, count, channels[0] if channels else CHANNELS) for side, count, *channels in told]


def _default(schema: Schema) -> list[Level]:
    """Groups of maps, each size half the one below: 2 and 3 of them, or 1, 2 and 2 where colours ask for detail."""
    counts = COLOURED if _coloured(schema) else PLAIN
    sides = [max(schema.event_shape[:2])]
    while sides[0] > counts.finest:
        sides[0] = -(-sides[0] // 2)
    for _ in counts.groups[1:]:
        sides.append(-(-sides[-1] // 2))
    pairs = zip(dict.fromkeys(sides), counts.groups, strict=False)
    return [Level(side, count, CHANNELS) for side, count in reversed(list(pairs))]
