"""A fit's configuration, resolved once: every part and every size, and what is made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

from likely.assembly.allowance import Allowance
from likely.assembly.by_column import Pairs, default, grouped, paired
from likely.assembly.choosing import Parts, chosen, complete
from likely.assembly.grammar import Named, Trait
from likely.assembly.own import NOTHING, Own
from likely.assembly.own_networks import sized
from likely.assembly.sizes import usual_sizes
from likely.config import Config
from likely.data import EncodedRows, Schema
from likely.errors import ConfigError, DataError
from likely.files import most_bytes
from likely.likelihoods import Columns, Likelihood
from likely.models import Ensemble, Model
from likely.objectives import ELBO, Objective

__all__ = ["Resolved", "resolve"]

MIN_COUNTED_SIZE = 1000  # a width, or blocks, members or components, above which what a model takes is counted first
WEIGHT_COPIES = 6  # of the weights while they are trained: gradients, two moments, their average, the best so far
MAX_OPERATIONS = 10**6
MAX_DIGITS = 19  # of a number in a part's text: enough to tell that it is large, and `int` refuses thousands of them


@dataclass(frozen=True, eq=False)
class Resolved:
    """The configuration, schema and parts of a fit: nothing is left to be chosen, and each part's text is read once.

    Attributes
    ----------
    config, schema, own
        The configuration with every part and size; what X is; what the user brought in the place of parts by name.
    parts
        Room -> part; no likelihood where none is requested.

    """

    config: Config
    schema: Schema
    own: Own
    parts: Mapping[str, Named]

    @classmethod
    def of(cls, config: Config, schema: Schema, own: Own = NOTHING) -> Resolved:
        """A configuration that has every size already, as a run's does, with its parts."""
        return cls(config, schema, own, chosen(config))

    def build(self) -> Model:
        """The model, with fresh weights drawn from torch's generator.

        A model of the user's is taken as it is, and of encoder and decoder of the user's the weights.

        Raises
        ------
        ConfigError
            If a number of a part is out of range, or a part does not fit the form of x.

        """
        if self.own.model is not None:
            return self.own.whole(self.schema)
        with Allowance(most_bytes() // WEIGHT_COPIES, MAX_OPERATIONS) if self._large else nullcontext():
            members = [self._member() for _ in range(self.config.model.members)]
        if len(members) == 1:
            return members[0]
        weights = [id(weight) for member in members for weight in member.parameters()]
        if len(set(weights)) < len(weights):
            raise ConfigError("members share weights: give functions that make encoder and decoder anew at each call")
        return Ensemble(members)

    @property
    def _large(self) -> bool:
        """Whether a number of the model is so large that what it takes is counted, which takes time."""
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
        if self.schema.uniform:
            return groups[0][1]
        return Columns([(likelihood, places) for _, likelihood, places in groups])

    @cached_property
    def _pairs(self) -> Pairs:
        return paired(self.schema, self.parts.get("likelihood"))

    def objective(self, rows: int | None = None) -> Objective:
        """What training maximises, over so many rows; as many as the schema is of unless given.

        Raises
        ------
        ConfigError
            If a number of it is out of range; or it is the user's and not here.

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
        """What training maximises, in words; empty where it is the ELBO itself."""
        name = self.config.factories.get("objective")
        if name and self.own.objective is None:
            return name
        objective, relaxed = self.objective(), not name and self.parts["posterior"].has(Trait.CODES)
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

    def demand_support(self, rows: EncodedRows) -> None:
        """Check that the observed cells of rows lie where a requested likelihood has any mass.

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
            cells = rows.column(None if self.schema.uniform else i)
            if not len(cells):
                continue
            low, high = min(column.low, float(cells.min())), max(column.high, float(cells.max()))
            if reason := named.part.refuses(replace(column, low=low, high=high)):
                raise DataError(f"likelihood {named} {reason}")


def resolve(config: Config, schema: Schema, own: Own = NOTHING, parts: Parts | None = None) -> Resolved:
    """A configuration with every size chosen that it leaves to the data, and with all its parts.

    The size of z is that of the user's encoder, or model, where there is one.

    Parameters
    ----------
    config, schema, own
        What was requested, what X is, and what the user brought.
    parts
        The parts that the configuration names, where they are known already (`chosen`).

    Raises
    ------
    ConfigError
        If a part's name or argument is not known, or parts do not go together.

    """
    usual = usual_sizes(schema)
    parts = complete(chosen(config) if parts is None else parts, usual.prior)
    config = sized(config, schema, own, parts)
    model = config.model
    latent = model.latent or usual.latent
    if parts["posterior"].has(Trait.CODES):
        latent = _code_length(parts["posterior"], model.latent)
    part_texts: dict[str, Any] = {room: str(part) for room, part in parts.items()}
    objective, kind, blocks = part_texts.pop("objective"), part_texts.pop("model"), model.blocks
    if blocks is None:
        blocks = 1 if parts["network"].has(Trait.ONE_BLOCK) else usual.blocks
    training = replace(
        config.training,
        batch_size=min(config.training.batch_size or usual.batch_size, schema.rows),
        learning_rate=config.training.learning_rate or usual.learning_rate,
        max_steps=config.training.max_steps or usual.max_steps,
        objective=objective,
    )
    width = model.width or usual.width
    settled = replace(model, latent=latent, width=width, blocks=blocks, kind=kind, **part_texts)
    return Resolved(replace(config, model=settled, training=training), schema, own, parts)


def _code_length(code: Named, latent: int | None) -> int:
    """Length of z for discrete codes."""
    groups, classes = int(code.arguments[0]), int(code.arguments[1])
    if latent not in (None, groups * classes):
        raise ConfigError(f"{groups} codes of {classes} make z of {groups * classes}, not {latent}; leave latent out")
    return groups * classes
