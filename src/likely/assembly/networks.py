"""Encoder and decoder, their sizes fitted to the data."""

from __future__ import annotations

from torch import nn

from likely.assembly.families import each
from likely.config import ModelConfig
from likely.data import Schema
from likely.networks import Encoder, Features, ResidualMLP, Standardise

__all__ = ["inputs", "mlp"]


def mlp(schema: Schema, model: ModelConfig, latent: int, encoded: int, decoded: int) -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder of residual perceptrons."""
    width, first = int(model.width or 0), inputs(schema)
    encoder = ResidualMLP(first.outputs, encoded, width, model.blocks)
    return Encoder(first, encoder), ResidualMLP(latent, decoded, width, model.blocks)


def inputs(schema: Schema) -> Standardise | Features:
    """The encoder's first layer: data units to numbers of order one."""
    columns = schema.modelled
    if schema.uniform:
        return Standardise(columns[0].mean, columns[0].scale, schema.dims)
    numeric = [i for i, column in enumerate(columns) if column.kind != "categorical"]
    chosen = [columns[i] for i in numeric]
    categories = [(i, len(c.categories)) for i, c in enumerate(columns) if c.kind == "categorical"]
    return Features(numeric, each(chosen, "mean"), each(chosen, "scale"), categories)
