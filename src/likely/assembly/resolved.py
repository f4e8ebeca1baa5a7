"""A fit's configuration with every part and size resolved, once, and the model that is built from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

from likely.assembly.build_limit import BuildLimit
from likely.assembly.by_column import Pairs, default, grouped, paired
from likely.assembly.choosing import Parts, all_parts, named_parts
from likely.assembly.grammar import AUTO, Named, Trait, parse
from likely.assembly.maps import (
    CONV,
    by_default,
    conv_sizes,
    demand_no_own_network,
    likelihood_of,
    of_maps,
    size_of,
    with_maps,
)
from likely.assembly.normals import components, indicators, refusal
from likely.assembly.own import NO_OWN, Own
from likely.assembly.own_networks import with_own_sizes
from likely.assembly.parts import PARTS
from likely.assembly.sizes import default_sizes
from likely.config import WEIGHT_DECAY, Config
from likely.data import EncodedRows, Kind, Schema
from likely.errors import ConfigError, DataError, UnsuitedError
from likely.files import most_bytes
from likely.likelihoods import Columns, Likelihood
from likely.models import Ensemble, Model
from likely.models.integrated import STORED
from likely.models.tables import MAX_DENSE
from likely.objectives import ELBO, Objective

__all__ = ["DIMENSIONS", "Resolved", "resolve"]

DIMENSIONS = (4, 8)  # of z that is integrated out, between which a trial decides where none is told
FEW_DIMENSIONS = 4  # of z, for which 8 times as many points as a step takes are near the integral
STORED_MANY = 128  # times as many beyond, where 8 times are up to 0.23 nats from it, and so many up to 0.04

MIN_COUNTED_SIZE = 1000  # a width, or blocks, members or components: larger models are built under a limit of memory
WEIGHT_COPIES = 6  # of the weights while they are trained: gradients, two moments, their average, the best so far
MIN_INTEGRATED_RATE = 4e-3  # where little noise of z is in the gradient: docs/decisions/068
INTEGRATED_DECAY = 0.3  # of weights, where cells have few values: docs/decisions/068
MAX_OPERATIONS = 10**6  # of torch, to build such a model
LIKELIHOOD_OF_NORMALS = "warped:1"
MAX_DIGITS = 19  # of a number in a part's text: enough to tell that it is large, and `int` refuses thousands of them


@dataclass(frozen=True, eq=False)
class Resolved:
    """The configuration, schema and parts of a fit: nothing is left to be chosen, and each part's text is read once.

    Attributes
    ----------
    config, schema, own
        The configuration with every part and size; the schema of x; the modules of the user's own.
    parts
        Role (`prior`, `network`, ...) -> part; no likelihood where none is requested.

    """

    config: Config
    schema: Schema
    own: Own
    parts: Mapping[str, Named]

    @classmethod
    def of(cls, config: Config, schema: Schema, own: Own = NO_OWN) -> Resolved:
        """A configuration that has every size already, as a run's does, with its parts."""
        return cls(config, schema, own, named_parts(config))

    def build(self) -> Model:
        """The model, with fresh weights drawn from torch's generator.

        A model of the user's own is returned as it is; an encoder or decoder of the user's own keeps its weights.

        Raises
        ------
        ConfigError
            If a number of a part is out of range, or a part does not fit the form of x.

        """
        if self.own.model is not None:
            return self.own.checked_model(self.schema)
        with BuildLimit(most_bytes() // WEIGHT_COPIES, MAX_OPERATIONS) if self._large else nullcontext():
            members = [self._member() for _ in range(self.config.model.members)]
        if len(members) == 1:
            return members[0]
        weights = [id(weight) for member in members for weight in member.parameters()]
        if len(set(weights)) < len(weights):
            raise ConfigError("members share weights: give functions that make encoder and decoder anew at each call")
        return Ensemble(members)

    @property
    def _large(self) -> bool:
        """Whether a size of the model is so large that it is built under a limit, which takes time."""
        model = self.config.model
        texts = (model.kind, model.prior, model.posterior, model.likelihood, model.network)
        numbers = [int(digits[:MAX_DIGITS]) for text in texts for digits in re.findall(r"[0-9]+", text or "")]
        return max(model.latent or 0, model.width or 0, model.members, model.blocks or 0, *numbers) > MIN_COUNTED_SIZE

    def _member(self) -> Model:
        named, sizes = self.parts["model"], self.config.model
        model: Model = named.part.make(self.parts, self._likelihood(), self.schema, sizes, self.own, *named.arguments)
        return model

    def _likelihood(self) -> Likelihood:
        groups = grouped(self.schema, self._pairs)
        if self.schema.cells_alike:
            return groups[0][1]
        return Columns([(likelihood, places) for _, likelihood, places in groups])

    @cached_property
    def _pairs(self) -> Pairs:
        return paired(self.schema, self.parts.get("likelihood"))

    def objective(self, rows: int | None = None) -> Objective:
        """What training maximises over so many rows: those that the schema was inferred from unless given.

        Raises
        ------
        ConfigError
            If a number of it is out of range; or it is the user's own and was not given.

        """
        if "objective" not in self.config.factories:
            schema = self.schema if rows is None else replace(self.schema, rows=rows)
            return cast(Objective, self.parts["objective"](schema))
        objective = self.own.built_objective()
        if objective is None:
            name = self.config.factories["objective"]
            raise ConfigError(
                f"the objective is {name}, whose code is not stored: likely.load(path, factories={{'objective': ...}})"
            )
        return objective

    @property
    def objective_text(self) -> str:
        """The objective in words; empty where it is the ELBO itself."""
        if self.parts["model"].has(Trait.CLOSED):
            return "the density of coordinates z of the cells by EM (Ghahramani and Jordan 1994), no bound on log P(x)"
        name = self.config.factories.get("objective")
        if name and self.own.objective is None:
            return name
        posterior = self.parts.get("posterior")  # none is stored where z is integrated out
        objective, relaxed = self.objective(), not name and posterior is not None and posterior.has(Trait.CODES)
        if not name and isinstance(objective, ELBO) and not relaxed:
            return ""
        bound = "a lower bound on log P(x)" if objective.is_bound and not relaxed else "no bound on log P(x)"
        if relaxed:
            bound += " while z is relaxed"
        coupled = ", which couples the rows of a batch" if objective.couples_rows else ""
        return f"{name or self.parts['objective']}, {bound}{coupled}"

    @property
    def notices(self) -> tuple[str, ...]:
        """Notices where a requested likelihood is not what one may expect: columns without it, densities on a grid."""
        requested = self.parts.get("likelihood")
        if requested is None:
            return ()
        unsuited = [column for column, named in self._pairs if named != requested and column.numeric]
        sentences = []
        if unsuited:
            kept = ", ".join(f"{column.name} ({default(self.schema, column)})" for column in unsuited)
            sentences.append(
                f"likelihood {requested} {requested.part.refuses(unsuited[0])}; these columns keep their own: {kept}"
            )
        if any(column.per_unit for column, named in self._pairs if named == requested):
            groups = grouped(self.schema, self._pairs)
            if any(named == requested and likelihood.measure == "density" for named, likelihood, _ in groups):
                reason = "gives densities of values recorded on a grid: these are no probabilities"
                sentences.append(f"likelihood {requested} {reason}")
        return tuple(sentences)

    def demand_rows_in_requested_support(self, rows: EncodedRows) -> None:
        """Check that the observed cells of rows are in the support of a likelihood requested by name.

        Raises
        ------
        DataError
            If one of them does not.

        """
        requested = self.parts.get("likelihood")
        if requested is None:
            return
        for i, (column, named) in enumerate(self._pairs):
            if named != requested or column.low is None or column.high is None:
                continue
            cells = rows.column(None if self.schema.cells_alike else i)
            if not len(cells):
                continue
            low, high = min(column.low, float(cells.min())), max(column.high, float(cells.max()))
            if reason := named.part.refuses(replace(column, low=low, high=high)):
                raise DataError(f"likelihood {named} {reason}")


def resolve(config: Config, schema: Schema, own: Own = NO_OWN, parts: Parts | None = None) -> Resolved:
    """The configuration with all its parts, and with defaults for the sizes that it leaves open.

    The size of z is that of the user's own encoder or model, where there is one.

    Parameters
    ----------
    config, schema, own
        What was requested, the schema of x, and the user's own modules.
    parts
        The parts that the configuration names, where they are known already (`named_parts`).

    Raises
    ------
    ConfigError
        If a part's name or argument is not known, or parts do not go together.

    """
    defaults = default_sizes(schema)
    parts = named_parts(config) if parts is None else parts
    if by_default(config, schema, own):
        parts = {**parts, "model": parse("model", f"hierarchy:{CONV}", PARTS["model"])}
    parts = all_parts(parts, defaults.prior)
    size = None
    if maps := of_maps(parts["model"]):
        demand_no_own_network(own)
        size = size_of(config)
        defaults = conv_sizes(defaults, size, schema, config.training.minutes)
    elif config.model.size is not None:
        raise ConfigError(
            f"size is of model hierarchy:{CONV}, and this fit has model {parts['model']}: tell that model too, or width"
        )
    config = with_own_sizes(config, schema, own, parts)
    model = config.model
    latent = model.latent or defaults.latent
    if parts["posterior"].has(Trait.CODES):
        latent = _code_length(parts["posterior"], model.latent)
    if parts["model"].has(Trait.INTEGRATED):
        latent, parts["model"] = _integrated(parts["model"], model.latent, schema)
    if parts["model"].has(Trait.CLOSED):
        latent, parts = _closed(parts, model.latent, schema)
    if maps:
        latent, parts["model"] = with_maps(parts["model"], schema, model.latent)
        if "likelihood" not in parts and (law := likelihood_of(schema)):
            parts["likelihood"] = parse("likelihood", law, PARTS["likelihood"])
    part_texts: dict[str, Any] = {room: str(part) for room, part in parts.items()}
    rate = defaults.learning_rate
    decay = WEIGHT_DECAY if config.training.weight_decay is None else config.training.weight_decay
    if parts["model"].has(Trait.INTEGRATED):
        part_texts["posterior"], rate = None, max(rate, MIN_INTEGRATED_RATE)
        if config.training.weight_decay is None and _few_values(schema):
            decay = INTEGRATED_DECAY
    if parts["model"].has(Trait.CLOSED) or maps:
        part_texts |= {"prior": None, "posterior": None, "network": None}
    objective, kind, blocks = part_texts.pop("objective"), part_texts.pop("model"), model.blocks
    if blocks is None:
        blocks = 1 if parts["network"].has(Trait.ONE_BLOCK) else defaults.blocks
    training = replace(
        config.training,
        batch_size=min(config.training.batch_size or defaults.batch_size, schema.rows),
        learning_rate=config.training.learning_rate or rate,
        beta2=config.training.beta2 or defaults.beta2,
        weight_decay=decay,
        warmup=defaults.warmup if config.training.warmup is None else config.training.warmup,
        max_steps=config.training.max_steps or defaults.max_steps,
        objective=objective,
    )
    width = model.width or defaults.width
    sized = replace(model, latent=latent, width=width, blocks=blocks, kind=kind, size=size, **part_texts)
    return Resolved(replace(config, model=sized, training=training), schema, own, parts)


def _integrated(model: Named, latent: int | None, schema: Schema) -> tuple[int, Named]:
    """The dimension of z that is integrated out, and the model with it and its points, unless a trial decides."""
    asked, points, stored = model.arguments
    if latent is not None and asked not in (AUTO, latent):
        raise ConfigError(f"model {model} has z of {asked} dimensions, not {latent}; tell one of them alone")
    dimension = latent if asked == AUTO else int(asked)
    if dimension is None:
        return DIMENSIONS[0], model
    if stored == AUTO:
        stored = int(points) * (STORED_MANY if dimension > FEW_DIMENSIONS and _few_values(schema) else STORED)
    return dimension, replace(model, arguments=(dimension, points, stored))


def _closed(parts: Parts, latent: int | None, schema: Schema) -> tuple[int, dict[str, Named]]:
    """The dimension of z, which is that of the features of x, and the parts with the number of components."""
    model = parts["model"]
    if reason := refusal(schema):
        raise UnsuitedError(f"model {model} {reason}; take model vae")
    dimension = indicators(schema).outputs
    if latent not in (None, dimension):
        raise ConfigError(f"model {model} has z of {dimension} dimensions here, not {latent}; leave latent out")
    count = components(schema) if model.arguments[0] == AUTO else model.arguments[0]
    chosen = {**parts, "model": replace(model, arguments=(count,))}
    if "likelihood" not in parts and any(not column.coded for column in schema.modelled):
        chosen["likelihood"] = parse("likelihood", LIKELIHOOD_OF_NORMALS, PARTS["likelihood"])
    return dimension, chosen


def _few_values(schema: Schema) -> bool:
    """Whether log P(x|z) of all rows at a point is one product with indicators, as there is no y and few values."""
    return not schema.conditions and all(
        column.kind == Kind.BINARY or (column.coded and len(column.categories) < MAX_DENSE)
        for column in schema.modelled
    )


def _code_length(code: Named, latent: int | None) -> int:
    """Length of z for discrete codes."""
    groups, classes = int(code.arguments[0]), int(code.arguments[1])
    if latent not in (None, groups * classes):
        raise ConfigError(f"{groups} codes of {classes} make z of {groups * classes}, not {latent}; leave latent out")
    return groups * classes
