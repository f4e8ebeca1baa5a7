"""Encoder and decoder, their sizes fitted to the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from likely.assembly.condition import features
from likely.config import ModelConfig
from likely.data import Schema
from likely.errors import ConfigError
from likely.likelihoods import Likelihood
from likely.networks import ConvDecoder, ConvEncoder, Encoder, Features, LinearMLP, ResidualMLP, Standardise

__all__ = ["Sizes", "conv", "first", "linear", "missing_cells", "mlp"]


@dataclass(frozen=True)
class Sizes:
    """The sizes of a model's networks: what the decoder is given, what the encoder gives, features of y, P(x|z).

    `exposure` is 1 where the encoder is also given the logarithm of the exposure.
    """

    code: int
    encoded: int
    covariates: int
    likelihood: Likelihood
    exposure: int = 0


Networks = Callable[[Schema, ModelConfig, Sizes], tuple[nn.Module, nn.Module]]


def mlp(schema: Schema, model: ModelConfig, sizes: Sizes) -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder of residual perceptrons."""
    return _perceptrons(ResidualMLP, schema, model, sizes)


def linear(schema: Schema, model: ModelConfig, sizes: Sizes) -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder of linear maps and residual perceptrons beside them."""
    return _perceptrons(LinearMLP, schema, model, sizes)


def _perceptrons(
    kind: type[ResidualMLP] | type[LinearMLP], schema: Schema, model: ModelConfig, sizes: Sizes
) -> tuple[nn.Module, nn.Module]:
    width, blocks, bottom, missing = int(model.width or 0), int(model.blocks or 0), first(schema), missing_cells(schema)
    given = sizes.covariates + sizes.exposure
    encoder = kind(bottom.outputs + len(missing) + given, sizes.encoded, width, blocks)
    decoded = sizes.likelihood.parameter_shape.numel()
    return Encoder(bottom, encoder, missing), kind(sizes.code + sizes.covariates, decoded, width, blocks)


def conv(schema: Schema, model: ModelConfig, sizes: Sizes) -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder of residual convolutions, for pictures.

    Raises
    ------
    ConfigError
        If the rows are no pictures.

    """
    shape, blocks = schema.event_shape, int(model.blocks or 0)
    if not schema.cells_alike or len(shape) not in (2, 3):
        raise ConfigError(f"this is for pictures (H, W) or (H, W, channels); rows here have shape {shape}; take mlp")
    missing = missing_cells(schema)
    given = sizes.covariates + sizes.exposure
    encoder = ConvEncoder(shape, sizes.encoded, blocks=blocks, covariates=given, masked=bool(missing))
    decoder = ConvDecoder(sizes.code + sizes.covariates, sizes.likelihood.parameter_shape, blocks=blocks)
    return Encoder(first(schema), encoder, missing), decoder


def missing_cells(schema: Schema) -> list[int]:
    """Places of the cells that some training rows miss."""
    if schema.cells_alike:
        return list(range(schema.dims)) if schema.columns[0].missing else []
    return [place for place, column in enumerate(schema.modelled) if column.missing]


def first(schema: Schema) -> Standardise | Features:
    """The encoder's first layer, which brings data units to numbers of order one."""
    columns = schema.modelled
    if schema.cells_alike:
        return Standardise(columns[0].mean, columns[0].scale, schema.dims)
    return features(columns)
