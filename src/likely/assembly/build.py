"""Choose the parts by name and the sizes by the data, and put the model together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from likely.assembly.families import COUNTS, counts
from likely.assembly.grammar import Named, Trait, parse
from likely.assembly.own import NOTHING, Own
from likely.assembly.own_networks import sized
from likely.assembly.parts import PARTS
from likely.assembly.sizes import usual_sizes
from likely.config import Config, ModelConfig
from likely.data import Column, EncodedRows, Schema
from likely.errors import ConfigError, DataError
from likely.likelihoods import Columns, Likelihood
from likely.models import Ensemble, Model
from likely.objectives import ELBO, Objective

__all__ = ["aim", "build", "chosen", "fits", "notices", "objective", "plainly", "resolve", "supported"]

BY_KIND = {
    "binary": "bernoulli",
    "categorical": "categorical",
    "ordered": "categorical",
    "constant": "categorical",
    "levels": "logistic",
    "count": "logistic",
    "grid": "logistic",
    "date": "logistic",
    "real": "gaussian",
    "positive": "gaussian",
}


def chosen(config: Config) -> dict[str, Named]:
    """The parts that a configuration names, by room.

    Raises
    ------
    ConfigError
        If a name or an argument is not known.

    """
    told = {
        "model": config.model.kind,
        "prior": config.model.prior,
        "posterior": config.model.posterior,
        "likelihood": config.model.likelihood,
        "objective": config.training.objective,
        "network": config.model.network,
    }
    return {room: parse(room, text, PARTS[room]) for room, text in told.items() if text is not None}


def resolve(config: Config, schema: Schema, own: Own = NOTHING) -> Config:
    """Replace every "by the size of the data" by a number, so that the stored configuration is complete.

    The size of z is that of the user's encoder, or model, where there is one.
    """
    usual = usual_sizes(schema)
    parts = _complete(chosen(config), usual.prior)
    config = sized(config, schema, own, parts)
    model = config.model
    latent = model.latent or usual.latent
    if parts["posterior"].has(Trait.CODES):
        latent = _code_length(parts["posterior"], model.latent)
    named: dict[str, Any] = {room: str(part) for room, part in parts.items()}
    aimed, kind, blocks = named.pop("objective"), named.pop("model"), model.blocks
    if blocks is None:
        blocks = 1 if parts["network"].has(Trait.ONE_BLOCK) else usual.blocks
    training = replace(
        config.training,
        batch_size=min(config.training.batch_size or usual.batch_size, schema.rows),
        learning_rate=config.training.learning_rate or usual.learning_rate,
        max_steps=config.training.max_steps or usual.max_steps,
        objective=aimed,
    )
    width = model.width or usual.width
    settled = replace(model, latent=latent, width=width, blocks=blocks, kind=kind, **named)
    return replace(config, model=settled, training=training)


def _complete(parts: dict[str, Named], usual: str) -> dict[str, Named]:
    """The parts with a model, a prior, a posterior and a network; one side of a pair is followed by the other.

    Where neither tells the other, the posterior is normal and the prior the usual one, or normal for an objective that
    takes the KL by its dimensions.

    Raises
    ------
    ConfigError
        If one side is of a pair and the other is not its other side, a VampPrior goes with any but a hierarchy; or the
        model has other ones.

    """
    told: dict[str, str] = {room: str(parts[room]) for room in ("prior", "posterior") if room in parts}
    told |= _of_hierarchy(parts["model"], told) if "model" in parts else {}
    by_dimension = parts["objective"].has(Trait.BY_DIMENSION)
    for room, other in (("prior", "posterior"), ("posterior", "prior")):
        if room not in told:
            named = parts.get(other)
            alone = usual if room == "prior" and not by_dimension else "normal"
            told[room] = str(named) if named and named.has(Trait.PAIR) else alone
    made = {room: parse(room, text, PARTS[room]) for room, text in told.items()}
    prior, posterior = made["prior"], made["posterior"]
    taken = prior.has(Trait.ANY_SPACE) and not posterior.has(Trait.HIERARCHY)
    free = not prior.has(Trait.PAIR) and (taken or not posterior.has(Trait.PAIR))
    if not free and str(prior) != str(posterior):
        raise ConfigError(f"prior {prior} and posterior {posterior} do not go together; tell one of them alone")
    model = f"hierarchy:mlp:{prior.arguments[0]}" if prior.has(Trait.HIERARCHY) else "vae"
    made["model"] = parse("model", model, PARTS["model"])
    return {"network": parse("network", "mlp", PARTS["network"])} | parts | made


def _of_hierarchy(model: Named, told: dict[str, str]) -> dict[str, str]:
    """Prior and posterior of a hierarchy as parts of a pair; nothing for another model."""
    pair = f"ladder:{model.arguments[1]}" if model.has(Trait.HIERARCHY) else ""
    for room, other in told.items():
        if pair not in ("", other) or (not pair and other.startswith("ladder")):
            raise ConfigError(f"model {model} and {room} {other} do not go together; tell one of them alone")
    return dict.fromkeys(("prior", "posterior"), pair) if pair else {}


def _code_length(code: Named, told: int | None) -> int:
    """Length of z for discrete codes."""
    groups, classes = int(code.arguments[0]), int(code.arguments[1])
    if told not in (None, groups * classes):
        raise ConfigError(f"{groups} codes of {classes} make z of {groups * classes}, not {told}; leave latent out")
    return groups * classes


def build(config: Config, schema: Schema, own: Own = NOTHING) -> Model:
    """The model of a resolved configuration, with fresh weights drawn from torch's generator.

    A model of the user's is taken as it is, and of encoder and decoder of the user's the weights.

    Raises
    ------
    ConfigError
        If a part's name or argument is not known, or a part does not fit the form of x.

    """
    if own.model is not None:
        return own.whole(schema)
    told = resolve(config, schema)
    if told.model.members > 1:
        members = [_member(told, schema, own) for _ in range(told.model.members)]
        weights = [id(weight) for member in members for weight in member.parameters()]
        if len(set(weights)) < len(weights):
            raise ConfigError("members share weights: give functions that make encoder and decoder anew at each call")
        return Ensemble(members)
    return _member(told, schema, own)


def _member(told: Config, schema: Schema, own: Own) -> Model:
    parts, model = chosen(told), told.model
    named = parts["model"]
    made: Model = named.part.make(parts, _likelihood(schema, model), schema, model, own, *named.arguments)
    return made


def objective(config: Config, schema: Schema, own: Own = NOTHING) -> Objective:
    """What training maximises.

    Raises
    ------
    ConfigError
        If its name or an argument is not known, or a number is out of range; or it is the user's and not here.

    """
    if "objective" not in config.factories:
        return cast(Objective, chosen(config)["objective"](schema))
    made = own.aim()
    if made is None:
        name = config.factories["objective"]
        raise ConfigError(
            f"the objective is {name}, whose code is not stored: likely.load(path, factories={{'objective': ...}})"
        )
    return made


def aim(config: Config, schema: Schema, own: Own = NOTHING) -> str:
    """What training maximises, in words; empty where it is the ELBO itself."""
    if name := config.factories.get("objective"):
        if own.objective is None:
            return name
        made = objective(config, schema, own)
        bound = "a lower bound on log P(x)" if made.is_bound else "no bound on log P(x)"
        return f"{name}, {bound}" + (", which couples the rows of a batch" if made.couples_rows else "")
    parts, made = chosen(config), objective(config, schema)
    named, relaxed = parts["objective"], parts["posterior"].has(Trait.CODES)
    if isinstance(made, ELBO) and not relaxed:
        return ""
    bound = "a lower bound on log P(x)" if made.is_bound and not relaxed else "no bound on log P(x)"
    if relaxed:
        bound += " while z is relaxed"
    return f"{named}, {bound}" + (", which couples the rows of a batch" if made.couples_rows else "")


def notices(config: Config, schema: Schema) -> tuple[str, ...]:
    """Where a likelihood chosen by name is not what one may take it for: columns without it, densities on a grid."""
    told = chosen(config).get("likelihood")
    if told is None:
        return ()
    pairs = _families(schema, config.model)
    left = [column for column, named in pairs if named != told and column.numeric]
    made = []
    if left:
        kept = ", ".join(f"{column.name} ({_own(schema, column)})" for column in left)
        made.append(f"likelihood {told} {told.part.refuses(left[0])}; these columns keep their own: {kept}")
    groups = [(named, likelihood) for named, likelihood, _ in _groups(schema, config.model)]
    recorded = any(column.per_unit for column, named in pairs if named == told)
    if recorded and any(named == told and likelihood.measure == "density" for named, likelihood in groups):
        made.append(f"likelihood {told} gives densities of values recorded on a grid: these are no probabilities")
    return tuple(made)


def supported(config: Config, schema: Schema, rows: EncodedRows) -> None:
    """Check that the observed cells of rows lie where the likelihood chosen by name has any mass.

    Raises
    ------
    DataError
        If one of them does not.

    """
    told = chosen(config).get("likelihood")
    for i, (column, named) in enumerate(_families(schema, config.model)):
        if named != told or column.low is None or column.high is None:
            continue
        cells = rows.column(None if schema.uniform else i)
        if not len(cells):
            continue
        low, high = min(column.low, float(cells.min())), max(column.high, float(cells.max()))
        if reason := named.part.refuses(replace(column, low=low, high=high)):
            raise DataError(f"likelihood {named} {reason}")


def _likelihood(schema: Schema, model: ModelConfig) -> Likelihood:
    groups = _groups(schema, model)
    return groups[0][1] if schema.uniform else Columns([(likelihood, places) for _, likelihood, places in groups])


def _groups(schema: Schema, model: ModelConfig) -> list[tuple[Named, Likelihood, list[int]]]:
    """Each likelihood, with the places of its columns; those that are in proportion to the exposure have their own."""
    pairs, exposed = _families(schema, model), schema.exposed
    together: dict[tuple[str, bool], list[int]] = {}
    for i, (_, named) in enumerate(pairs):
        together.setdefault((str(named), i in exposed), []).append(i)
    made = []
    for (_, counted), places in together.items():
        named, shape = pairs[places[0]][1], schema.event_shape if schema.uniform else (len(places),)
        likelihood = cast(Likelihood, named([pairs[i][0] for i in places], shape))
        likelihood.exposed = counted
        made.append((named, likelihood, places))
    return made


def _families(schema: Schema, model: ModelConfig) -> list[tuple[Column, Named]]:
    """Every modelled column (or the one that describes all cells) with its likelihood.

    A likelihood told by name replaces that of all cells, or of each numeric column of a table that it fits.
    """
    parts = PARTS["likelihood"]
    told = None if model.likelihood is None else parse("likelihood", model.likelihood, parts)
    columns = _columns(schema)
    open_to = [c for c in columns if schema.uniform or c.numeric]
    refusals = [told.part.refuses(column) for column in open_to] if told else []
    if told and all(refusals):
        raise ConfigError(f"likelihood {told} {refusals[0] if refusals else 'needs numbers; the table has none'}")
    own = [parse("likelihood", _own(schema, column), parts) for column in columns]
    pairs = zip(columns, own, strict=True)
    made = [(c, told if told and c in open_to and not told.part.refuses(c) else default) for c, default in pairs]
    for column, named in made:
        if column.limits is not None and not schema.uniform and not named.has(Trait.ALL_FORMS):
            raise ConfigError(
                f"column {column.name!r} has declared limits, which likelihood {named} does not keep; "
                "leave the likelihood out, or the limits"
            )
    for i in schema.exposed:
        column, named = made[i]
        if not named.has(Trait.EXPOSED):
            raise ConfigError(
                f"likelihood {named} takes no exposure, and column {column.name!r} is in proportion to "
                f"{schema.exposure and schema.exposure.name!r}; choose {', '.join(COUNTS)} or zero-inflated"
            )
    return made


def fits(likelihood: str, schema: Schema) -> bool:
    """Whether a likelihood by name fits the cells of an array, or a numeric column of a table."""
    told = parse("likelihood", likelihood, PARTS["likelihood"])
    return any(not told.part.refuses(c) for c in _columns(schema) if schema.uniform or c.numeric)


def plainly(config: Config) -> Callable[[Column], bool] | None:
    """Whether a column's likelihood is the one told by name; `None` where none is told that gives few numbers mass."""
    told = chosen(config).get("likelihood")
    return None if told is None or told.has(Trait.ALL_FORMS) else lambda column: not told.part.refuses(column)


def _columns(schema: Schema) -> list[Column]:
    return [replace(c, low=0.0, high=1.0, per_unit=1) if c.kind == "binary" else c for c in schema.modelled]


def _own(schema: Schema, column: Column) -> str:
    """The likelihood of a column for which none is told."""
    if schema.exposure is not None and not counts(column) and (schema.uniform or column.kind == "count"):
        return "negative-binomial"
    return "warped" if column.numeric and not schema.uniform else BY_KIND[column.kind]
