"""The parts of a configuration: those that it names, and the defaults of the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from likely.assembly.grammar import AUTO, Named, Trait, parse
from likely.assembly.maps import of_maps
from likely.assembly.parts import PARTS
from likely.config import Config
from likely.data import Column
from likely.errors import ConfigError

__all__ = ["Parts", "all_parts", "gives_no_mass", "named_parts"]

Parts = Mapping[str, Named]

DEFAULT_GROUPS = 3  # of a hierarchy of vectors
PAIRS = {part.alias: name for name, part in PARTS["prior"].items() if part.alias}


def named_parts(config: Config) -> Parts:
    """The parts that a configuration names, by role: `model`, `prior`, `likelihood` and so on.

    Raises
    ------
    ConfigError
        If a name or an argument is not known.

    """
    requested = {
        "model": config.model.kind,
        "prior": config.model.prior,
        "posterior": config.model.posterior,
        "likelihood": config.model.likelihood,
        "objective": config.training.objective,
        "network": config.model.network,
    }
    return {room: _named(room, text) for room, text in requested.items() if text is not None}


def gives_no_mass(parts: Parts) -> Callable[[Column], bool] | None:
    """A test whether a column has the requested likelihood, under which numbers have no mass; `None` if none has."""
    requested = parts.get("likelihood")
    if requested is None or requested.has(Trait.ALL_FORMS):
        return None
    return lambda column: not requested.part.refuses(column)


def all_parts(parts: Parts, usual: str) -> dict[str, Named]:
    """All parts of a model, with defaults for those that are not named.

    A prior or a posterior of a pair implies the other one. Without a pair the posterior is normal, and the prior is
    `usual`, or normal for an objective that takes the KL by its dimensions and where z is integrated out.

    Raises
    ------
    ConfigError
        If a prior or a posterior is of a pair and the other is not its partner (a VampPrior goes with any but a
        hierarchy), or if the model has another pair, or needs no posterior.

    """
    completed = {room: parts[room] for room in ("prior", "posterior") if room in parts}
    if "model" in parts and parts["model"].has(Trait.INTEGRATED):
        if "posterior" in parts:
            raise ConfigError(f"model {parts['model']} has P(z|x) itself; leave posterior {parts['posterior']} out")
        usual = "normal"
    if "model" in parts and (parts["model"].has(Trait.CLOSED) or of_maps(parts["model"])):
        for room in ("prior", "posterior", "network"):
            if room in parts:
                raise ConfigError(f"model {parts['model']} has its own {room}; leave {room} {parts[room]} out")
        usual = "normal"
    if "model" in parts:
        completed["model"] = _counted(parts["model"])
        completed |= _of_hierarchy(completed["model"], completed)
    for room, other in (("prior", "posterior"), ("posterior", "prior")):
        if room not in completed:
            named = parts.get(other)
            alone = usual if room == "prior" and not parts["objective"].has(Trait.BY_DIMENSION) else "normal"
            completed[room] = _named(room, str(named) if named and named.has(Trait.PAIR) else alone)
    prior, posterior = completed["prior"], completed["posterior"]
    taken = prior.has(Trait.ANY_SPACE) and not posterior.has(Trait.HIERARCHY)
    free = not prior.has(Trait.PAIR) and (taken or not posterior.has(Trait.PAIR))
    if not free and str(prior) != str(posterior):
        raise ConfigError(f"prior {prior} and posterior {posterior} do not go together; tell one of them alone")
    if "model" not in completed:
        completed["model"] = _named("model", f"{prior.part.alias}:{prior.arguments[0]}" if prior.part.alias else "vae")
    return {**parts, **completed, "network": parts.get("network") or _named("network", "mlp")}


def _of_hierarchy(model: Named, requested: Parts) -> dict[str, Named]:
    """Prior and posterior of a hierarchy of vectors as parts of a pair; nothing for another model."""
    vectors = model.has(Trait.HIERARCHY) and not of_maps(model)
    pair = f"{PAIRS[f'{model.name}:{model.arguments[0]}']}:{model.arguments[1]}" if vectors else ""
    for room in ("prior", "posterior"):
        if (other := requested.get(room)) is None:
            continue
        if str(other) != pair if pair else other.has(Trait.HIERARCHY):
            raise ConfigError(f"model {model} and {room} {other} do not go together; tell one of them alone")
    return {room: requested.get(room) or _named(room, pair) for room in ("prior", "posterior")} if pair else {}


def _counted(model: Named) -> Named:
    """The model, with a number of groups if it is a hierarchy of vectors."""
    if not model.has(Trait.HIERARCHY) or of_maps(model) or isinstance(model.arguments[1], int):
        return model
    if model.arguments[1] != AUTO:
        raise ConfigError(f"model {model}: a hierarchy:mlp has a number of groups; hierarchy:conv has maps")
    return replace(model, arguments=(model.arguments[0], DEFAULT_GROUPS))


def _named(room: str, text: str) -> Named:
    return parse(room, text, PARTS[room])
