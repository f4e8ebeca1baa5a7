"""Models of chosen parts: a VAE of one group of z, a hierarchy, or a model whose z is integrated out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from likely.assembly.condition import condition, exposure
from likely.assembly.grammar import AUTO, Named
from likely.assembly.maps import CONV, conv_hierarchy
from likely.assembly.networks import Sizes
from likely.assembly.own import Own
from likely.assembly.own_networks import networks
from likely.config import ModelConfig
from likely.data import Schema
from likely.likelihoods import Likelihood
from likely.models import VAE, Exposure, HierarchicalVAE, Integrated
from likely.networks import Features, Ladder

__all__ = ["hierarchy", "integrated", "vae"]

Parts = Mapping[str, Named]


def vae(parts: Parts, likelihood: Likelihood, schema: Schema, model: ModelConfig, own: Own) -> VAE:
    """A VAE of the named prior, posterior and network."""
    latent, given, counted = int(model.latent or 0), condition(schema), exposure(schema)
    prior, posterior = parts["prior"](schema, latent), parts["posterior"](latent)
    sizes = _sizes(latent, posterior.parameter_shape.numel(), given, likelihood, counted)
    encoder, decoder = networks(parts["network"], schema, model, sizes, own)
    return VAE(prior, likelihood, posterior, encoder, decoder, given, counted)


def hierarchy(
    parts: Parts, likelihood: Likelihood, schema: Schema, model: ModelConfig, own: Own, *arguments: Any
) -> HierarchicalVAE:
    """A hierarchy by a ladder between the named network's encoder and decoder, or of maps by a convolutional one."""
    if arguments[0] == CONV:
        return conv_hierarchy(likelihood, schema, model, str(arguments[1]))
    width, given, counted = int(model.width or 0), condition(schema), exposure(schema)
    groups = parts["prior"](schema, int(model.latent or 0))
    sizes = _sizes(width, width, given, likelihood, counted)
    encoder, decoder = networks(parts["network"], schema, model, sizes, own)
    return HierarchicalVAE(likelihood, Ladder(encoder, decoder, groups, width), given, counted)


def integrated(
    parts: Parts, likelihood: Likelihood, schema: Schema, model: ModelConfig, own: Own, *arguments: Any
) -> Integrated:
    """A model whose z is integrated out, with the named prior and the named network's decoder."""
    (_, points, asked), latent = arguments, int(model.latent or 0)
    given, counted = condition(schema), exposure(schema)
    _, decoder = networks(parts["network"], schema, model, _sizes(latent, latent, given, likelihood, counted), own)
    prior, stored = parts["prior"](schema, latent), None if asked == AUTO else int(asked)
    return Integrated(prior, likelihood, decoder, int(points), stored=stored, condition=given, exposure=counted)


def _sizes(code: int, encoded: int, given: Features | None, likelihood: Likelihood, counted: Exposure | None) -> Sizes:
    return Sizes(code, encoded, 0 if given is None else given.outputs, likelihood, 0 if counted is None else 1)
