"""The convolutional hierarchy of pictures: its groups of z, as they are written and by default, and the model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from likely.assembly.condition import condition, exposure
from likely.assembly.grammar import AUTO, Named
from likely.assembly.networks import first, missing_cells
from likely.assembly.own import Own
from likely.assembly.sizes import DefaultSizes
from likely.config import ModelConfig
from likely.data import Schema
from likely.errors import ConfigError, quoted
from likely.likelihoods import Likelihood
from likely.models import HierarchicalVAE
from likely.networks import ConvLadder, Encoder, Level, PatchDecoder, PatchEncoder
from likely.networks.conv_topdown import patches_of

__all__ = ["CONV", "PATTERN", "conv_hierarchy", "conv_sizes", "demand_no_own_network", "of_maps", "with_maps"]

CONV = "conv"  # the word for a hierarchy of maps
PATTERN = r"[0-9]{1,4}x[0-9]{1,4}(x[0-9]{1,4})?(,[0-9]{1,4}x[0-9]{1,4}(x[0-9]{1,4})?)*"

WIDTH, BATCH, RATE = 24, 64, 8e-3  # docs/decisions/079-maps.md
COUNT, CHANNELS = 3, 4  # groups of the second finest maps, and channels of z; the finest maps have one group
FULL, HALVED = 16, 64  # longest sides of pictures whose finest maps have the pictures' size, and half of it


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
    levels = _default(shape) if asked == AUTO else _read(str(asked))
    patches = patches_of(shape, levels)
    areas = [-(-shape[0] // patch) * -(-shape[1] // patch) for patch in patches]
    size = sum(area * level.count * level.channels for area, level in zip(areas, levels, strict=True))
    if latent not in (None, size):
        raise ConfigError(f"model {model} has z of {size} numbers here, not {latent}; leave latent out")
    told = ",".join(f"{level.side}x{level.count}x{level.channels}" for level in levels)
    return size, replace(model, arguments=(CONV, told))


def conv_sizes(sizes: DefaultSizes) -> DefaultSizes:
    """The default sizes of a model and its training, for a hierarchy of maps."""
    return replace(sizes, width=WIDTH, blocks=1, batch_size=min(sizes.batch_size, BATCH), learning_rate=RATE)


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


def _default(shape: Sequence[int]) -> list[Level]:
    """One group of maps of half the picture's size, or of all of it if it is small, and three of half that size."""
    longest = max(shape[:2])
    side = longest if longest <= FULL else -(-longest // (2 if longest <= HALVED else 4))
    below = -(-side // 2)
    return [Level(below, COUNT, CHANNELS)] * (below < side) + [Level(side, 1, CHANNELS)]
