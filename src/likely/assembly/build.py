"""Choose the parts by name and the sizes by the data, and put the model together."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from likely.assembly.condition import condition, features
from likely.config import Config, ModelConfig
from likely.data import Column, Schema
from likely.errors import ConfigError
from likely.likelihoods import Bernoulli, Categorical, Columns, DiscretisedLogistic, Gaussian, Likelihood
from likely.models import VAE
from likely.networks import Encoder, Features, ResidualMLP, Standardise
from likely.posteriors import Normal
from likely.priors import StandardNormal

__all__ = ["build", "resolve"]

Shape = tuple[int, ...]


def resolve(config: Config, schema: Schema) -> Config:
    """Replace every "by the size of the data" by a number, so that the stored configuration is complete."""
    rows, dims, model = schema.rows, schema.dims, config.model
    by_rows = next(width for limit, width in ((500, 64), (5000, 128), (30000, 256), (math.inf, 512)) if rows < limit)
    width = model.width or (max(by_rows, 256) if dims >= 500 else min(by_rows, 256))
    latent = model.latent or max(2, min(64, round(1.5 * math.sqrt(dims))))
    batch = config.training.batch_size or min(512, max(32, 2 ** round(math.log2(max(rows, 2) / 16))))
    return replace(
        config,
        model=replace(model, latent=latent, width=width),
        training=replace(config.training, batch_size=min(batch, rows)),
    )


def build(config: Config, schema: Schema) -> VAE:
    """The model of a resolved configuration, with fresh weights drawn from torch's generator.

    Raises
    ------
    ConfigError
        If the likelihood's name is unknown or does not fit the form of x.

    """
    model: ModelConfig = resolve(config, schema).model
    latent, width = int(model.latent or 0), int(model.width or 0)
    likelihood = _uniform_likelihood(schema, model) if schema.uniform else _table_likelihood(schema, model)
    inputs, given = _inputs(schema), condition(schema)
    more = 0 if given is None else given.outputs
    posterior = Normal(latent)
    body = ResidualMLP(inputs.outputs + more, posterior.parameter_shape.numel(), width, model.blocks)
    decoder = ResidualMLP(latent + more, likelihood.parameter_shape.numel(), width, model.blocks)
    return VAE(StandardNormal(latent), likelihood, posterior, Encoder(inputs, body), decoder, given)


def _inputs(schema: Schema) -> Standardise | Features:
    columns = schema.modelled
    if schema.uniform:
        return Standardise(columns[0].mean, columns[0].scale, schema.dims)
    return features(columns)


def _each(columns: Sequence[Column], name: str) -> Tensor:
    return torch.tensor([getattr(column, name) for column in columns], dtype=torch.float64)


def _bernoulli(columns: Sequence[Column], shape: Shape, _: str) -> Likelihood:
    _demand(columns, "bernoulli", ("binary",))
    return Bernoulli(shape)


def _categorical(columns: Sequence[Column], shape: Shape, _: str) -> Likelihood:
    sizes = [len(c.categories) if c.kind == "categorical" else int((c.high or 0) + 1) for c in columns]
    _demand(columns, "categorical", ("categorical", "binary", "levels"))
    for column in columns:
        if column.kind != "categorical" and ((column.low or 0) < 0 or column.per_unit != 1):
            raise ConfigError(f"likelihood categorical needs levels 0, 1, 2, ...; {column.name!r} has {column.reason}")
    reserve = [column.reserve for column in columns]
    return Categorical(shape, sizes if len(sizes) > 1 else sizes[0], reserve if len(sizes) > 1 else reserve[0])


def _logistic(columns: Sequence[Column], shape: Shape, _: str) -> Likelihood:
    _demand(columns, "logistic", ("binary", "levels", "grid"))
    low = [c.low if c.kind != "grid" else -math.inf for c in columns]
    high = [c.high if c.kind != "grid" else math.inf for c in columns]
    numbers = [_each(columns, "step"), torch.tensor(low, dtype=torch.float64), torch.tensor(high, dtype=torch.float64)]
    numbers += [_each(columns, name) for name in ("mean", "scale", "reserve")]
    if len(columns) == 1:
        numbers = [number[0] for number in numbers]
    return DiscretisedLogistic(shape, *numbers)


def _gaussian(columns: Sequence[Column], shape: Shape, argument: str) -> Likelihood:
    _demand(columns, "gaussian", ("binary", "levels", "grid", "real"))
    shift, scale = _each(columns, "mean"), _each(columns, "scale")
    if len(columns) == 1:
        shift, scale = shift[0], scale[0]
    try:
        sigma: float | str = float(argument)
    except ValueError:
        sigma = argument or "predicted"
    return Gaussian(shape, sigma, shift, scale)  # type: ignore[arg-type]


LIKELIHOODS: dict[str, Callable[[Sequence[Column], Shape, str], Likelihood]] = {
    "bernoulli": _bernoulli,
    "categorical": _categorical,
    "logistic": _logistic,
    "gaussian": _gaussian,
}
BY_KIND = {
    "binary": "bernoulli",
    "categorical": "categorical",
    "levels": "logistic",
    "grid": "logistic",
    "real": "gaussian",
}


def _demand(columns: Sequence[Column], name: str, kinds: tuple[str, ...]) -> None:
    for column in columns:
        if column.kind not in kinds:
            raise ConfigError(f"likelihood {name} needs {' or '.join(kinds)} values; {column.name!r} is {column.kind}")


def _parse(spec: str) -> tuple[str, str]:
    name, _, argument = spec.partition(":")
    if name not in LIKELIHOODS:
        near = difflib.get_close_matches(name, LIKELIHOODS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(LIKELIHOODS)}"
        raise ConfigError(f"unknown likelihood {name!r}; {hint}")
    if argument and name != "gaussian":
        raise ConfigError(f"likelihood {name} takes no argument, got {argument!r}")
    return name, argument


def _uniform_likelihood(schema: Schema, model: ModelConfig) -> Likelihood:
    column = schema.columns[0]
    name, argument = _parse(model.likelihood or BY_KIND[column.kind])
    return LIKELIHOODS[name]([column], schema.event_shape, argument)


def _table_likelihood(schema: Schema, model: ModelConfig) -> Likelihood:
    chosen: dict[tuple[str, str], list[int]] = {}
    for i, column in enumerate(schema.modelled):
        replaced = model.likelihood and column.kind in ("levels", "grid", "real")
        spec = model.likelihood if replaced and model.likelihood else BY_KIND[column.kind]
        chosen.setdefault(_parse(spec), []).append(i)
    groups = []
    for (name, argument), places in chosen.items():
        columns = [schema.modelled[i] for i in places]
        groups.append((LIKELIHOODS[name](columns, (len(places),), argument), places))
    return Columns(groups)
