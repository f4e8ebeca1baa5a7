"""Encoder and decoder of the user's between the parts that are chosen by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from likely.assembly.condition import condition
from likely.assembly.grammar import Named, Trait
from likely.assembly.networks import Sizes, first, missing_cells
from likely.assembly.own import Own
from likely.config import Config, ModelConfig
from likely.data import Schema
from likely.errors import ConfigError
from likely.networks import Encoder
from likely.networks.base import Network, Sized
from likely.networks.own import OwnDecoder, OwnEncoder

__all__ = ["networks", "with_own_sizes"]


def networks(network: Named, schema: Schema, model: ModelConfig, sizes: Sizes, own: Own) -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder: the user's, or those of the named network."""
    if own.encoder is not None and own.decoder is not None:
        return _own_encoder(schema, sizes, own), _own_decoder(schema, sizes, own)
    encoder, decoder = network(schema, model, sizes)
    if own.encoder is not None:
        encoder = _own_encoder(schema, sizes, own)
    if own.decoder is not None:
        decoder = _own_decoder(schema, sizes, own)
    return encoder, decoder


def _own_encoder(schema: Schema, sizes: Sizes, own: Own) -> nn.Module:
    return _encoder(own.module("encoder"), schema, sizes.covariates + sizes.exposure)


def _own_decoder(schema: Schema, sizes: Sizes, own: Own) -> nn.Module:
    module = own.module("decoder")
    if isinstance(module, Network | Sized):
        return module
    likelihood, event = sizes.likelihood, schema.event_shape
    what = f"{type(likelihood).__name__} of rows {event}"
    return OwnDecoder(module, sizes.code + sizes.covariates, event, likelihood.parameter_shape.numel(), what)


def with_own_sizes(config: Config, schema: Schema, own: Own, parts: Mapping[str, Named]) -> Config:
    """The configuration with the size of z that fits the user's encoder or model; of a hierarchy with its width.

    Raises
    ------
    ConfigError
        If there is no such size, or it is not the one requested.

    """
    if own.model is None and own.encoder is None:
        return config
    if own.encoder is not None and parts["model"].has(Trait.INTEGRATED):
        raise ConfigError(f"model {parts['model']} has P(z|x) itself, and no encoder; leave the encoder out")
    model, posterior = config.model, parts["posterior"]
    given = condition(schema)
    covariates = (0 if given is None else given.outputs) + (schema.exposure is not None)
    with torch.random.fork_rng(devices=[]):
        if own.model is not None:
            return replace(config, model=replace(model, latent=own.checked_model(schema).latent))
        module = own.module("encoder")
        outputs = _encoder(module, schema, covariates).outputs
        if parts["model"].has(Trait.HIERARCHY):
            return replace(config, model=replace(model, width=model.width or outputs))
        if posterior.has(Trait.CODES):
            return config
        sizes = [model.latent] if model.latent else range(1, outputs + 1)
        for latent in sizes:
            if (needed := posterior(latent).parameter_shape.numel()) >= outputs:
                break
    if needed != outputs:
        z = f"z of {model.latent} needs {needed}" if model.latent else "no z needs so many; tell one: latent="
        raise ConfigError(
            f"encoder {type(module).__name__} gives {outputs} numbers per row; under posterior {posterior} {z}"
        )
    return replace(config, model=replace(model, latent=latent))


def _encoder(module: nn.Module, schema: Schema, covariates: int) -> Encoder | OwnEncoder:
    if isinstance(module, Encoder):
        return module
    if isinstance(module, Network | Sized):
        return Encoder(first(schema), module, missing_cells(schema))
    return OwnEncoder(first(schema), module, schema.event_shape, covariates)
