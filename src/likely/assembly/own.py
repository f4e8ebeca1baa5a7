"""What a user brings in the place of parts by name: encoder, decoder, a whole model, an objective."""

from __future__ import annotations

import copy
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from likely.config import ROLES, Config
from likely.data import Schema
from likely.errors import ConfigError, InputError, quoted
from likely.models import Model
from likely.objectives import Objective

__all__ = ["NO_OWN", "Factory", "Own", "words"]

Factory = nn.Module | Objective | Callable[[], Any] | str


@dataclass(frozen=True, eq=False)
class Own:
    """Modules of the user's, or functions without arguments that make them; and an objective of the user's.

    Attributes
    ----------
    encoder, decoder, model, objective
        `None` where the part is one by name.

    """

    encoder: Factory | None = None
    decoder: Factory | None = None
    model: Factory | None = None
    objective: Factory | None = None

    @classmethod
    def of(cls, factories: Mapping[str, Factory] | None) -> Own:
        """The user's parts, given by role; a text `module:callable` is imported, because the user says so here.

        Raises
        ------
        ConfigError
            If a role is none, or a text leads nowhere.

        """
        for role in factories or {}:
            if role not in ROLES:
                raise ConfigError(f"factories are for {', '.join(ROLES)}, not {quoted(role)}")
        return cls(**{role: _imported(role, factory) for role, factory in (factories or {}).items()})

    def copied(self) -> Own:
        """The same parts, with copies of networks that are given as modules, so that no other run trains them.

        What encoder and decoder share they share still. A whole model is trained in place.

        Raises
        ------
        ConfigError
            If a module cannot be copied.

        """
        given = {"encoder": self.encoder, "decoder": self.decoder}
        try:
            copies = copy.deepcopy({role: part for role, part in given.items() if isinstance(part, nn.Module)})
        except Exception as error:
            raise ConfigError(
                f"{' or '.join(given)} cannot be copied ({error}): give a function that makes it"
            ) from error
        return replace(self, **copies)

    @property
    def by_role(self) -> dict[str, Factory]:
        """Role -> the part, of those that are here."""
        roles = {"encoder": self.encoder, "decoder": self.decoder, "model": self.model, "objective": self.objective}
        return {role: part for role, part in roles.items() if part is not None}

    @property
    def names(self) -> dict[str, str]:
        """Role -> `module:callable`, for the configuration."""
        return {role: _name(part) for role, part in self.by_role.items()}

    @property
    def unreachable(self) -> tuple[str, ...]:
        """Notices on parts that have no name by which another process could import them."""
        return tuple(
            f"{role} {name} is a name that cannot be imported, so that a stored run is loaded only where you pass a "
            "function that makes the same part: define it at the top of a module, by def or class"
            for role, name in self.names.items()
            if _hidden(name)
        )

    def module(self, role: str) -> nn.Module:
        """The module of a role, made anew where a function makes it.

        Raises
        ------
        ConfigError
            If it is no module, or the function that makes it raises; or a model that is no `likely` model.

        """
        factory = self.by_role.get(role)
        own = factory if isinstance(factory, nn.Module) else _module_of(role, factory)
        wanted: type[nn.Module] = Model if role == "model" else nn.Module
        if not isinstance(own, wanted):
            what = "a likely.VAE or HierarchicalVAE" if role == "model" else "a torch.nn.Module"
            raise ConfigError(
                f"{role} must be {what}, or a function without arguments that makes one; got {type(own).__name__}"
            )
        return own

    def checked_model(self, schema: Schema) -> Model:
        """The whole model that the user brings, checked to take rows of this schema.

        Raises
        ------
        ConfigError
            If it is of rows of another shape, or of P(x) where the rows have conditions, or the other way about.

        """
        model = cast(Model, self.module("model"))
        event = tuple(model.p_x_z.event_shape)
        if event != schema.event_shape:
            raise ConfigError(f"the model is of rows of shape {event}; the data has rows of {schema.event_shape}")
        given = model.condition is not None or model.exposure is not None
        if given != bool(schema.conditions):
            raise ConfigError(
                "the model has a condition: say what is given, condition=COLUMN or condition={'label': values}"
                if given
                else f"the model has no condition, and {schema.conditions[0].name!r} is given: leave it out, or give "
                "the model one"
            )
        return model

    def built_objective(self) -> Objective | None:
        """The user's objective, made where a function makes it.

        Raises
        ------
        ConfigError
            If it is none, or the function that makes it raises.

        """
        factory = self.objective
        objective = factory if isinstance(factory, Objective) else _module_of("objective", factory)
        if objective is None or isinstance(objective, Objective):
            return objective
        raise ConfigError(
            f"objective must be a likely.objectives.Objective, or its name; got {type(objective).__name__}"
        )

    def demanded(self, config: Config) -> Config:
        """The configuration with the names of these parts.

        Raises
        ------
        ConfigError
            If it names a part that is not here; or these parts do not go with the rest of it.

        """
        lacking = [f"{role} {name}" for role, name in config.factories.items() if role not in self.by_role]
        if lacking:
            raise ConfigError(f"the configuration is that of a run with {lacking[0]} of its own: give it again")
        if self.model is not None and (self.encoder is not None or self.decoder is not None):
            raise ConfigError("a model is whole: give model=, or encoder= and decoder=")
        self._demand_one_each(config)
        return replace(config, factories=self.names)

    def _demand_one_each(self, config: Config) -> None:
        once = [role for role, part in self.by_role.items() if isinstance(part, nn.Module) and role != "objective"]
        if config.model.members > 1 and (self.model is not None or once):
            raise ConfigError(
                f"{config.model.members} members need a model each: give functions that make encoder and decoder, "
                f"not {'a model' if self.model is not None else f'one module, the {once[0]}'}"
            )

    def restored(self, config: Config, where: object) -> Own:
        """These parts, if they are all that a stored run needs; it may lack the objective until it trains again.

        Raises
        ------
        ConfigError
            If one is lacking, or one is given that the run has by name; if a function has another name than the run's,
            and what it makes has too; or one module is given for several members.

        """
        needed = {role: name for role, name in config.factories.items() if role != "objective"}
        if any(role not in self.by_role for role in needed):
            example = ", ".join(f"{role!r}: {_shown(role, name)}" for role, name in needed.items())
            hidden = next((name for name in needed.values() if _hidden(name)), None)
            names = " and ".join(f"{role} {name}" for role, name in needed.items())
            raise ConfigError(
                f"{where} has {names} of its own, whose code is not stored: likely.load(path, factories={{{example}}}) "
                "with functions that make them (on the command line likely --factory ROLE=MODULE:CALLABLE ...)"
                + (f"; {hidden} cannot be imported: define a function that makes the same" if hidden else "")
            )
        extra = [role for role in self.names if role not in config.factories]
        if extra:
            raise ConfigError(f"{where} has its {extra[0]} by name: leave factories[{extra[0]!r}] out")
        for role, name in self.names.items():
            self._demand_same(role, name, config.factories[role], where)
        self._demand_one_each(config)
        return self

    def _demand_same(self, role: str, name: str, stored: str, where: object) -> None:
        """Refuse a function of another name; a module itself, or a name that leads nowhere, tells too little."""
        given = self.by_role[role]
        if name == stored or isinstance(given, nn.Module) or any(_nowhere(one) for one in (name, stored)):
            return
        with torch.random.fork_rng(devices=[]):
            part = given if isinstance(given, Objective) else _module_of(role, given)
        if _name(part) != stored:
            raise ConfigError(
                f"{where} was fitted with {role} {stored}, and {name} is given: give the one that it was fitted with "
                "(in Python the module itself, where it is the same under another name)"
            )


NO_OWN = Own()


def _imported(role: str, factory: Factory) -> Factory:
    if not isinstance(factory, str):
        return factory
    module, _, name = factory.partition(":")
    try:
        with _current_folder():
            imported: Any = importlib.import_module(module)
        for part in name.split("."):
            imported = getattr(imported, part)
    except Exception as error:  # a module of the user's may raise anything
        why = f"{type(error).__name__}: {error}"
        raise ConfigError(f"{role}: {quoted(factory)} is no MODULE:CALLABLE that can be imported ({why})") from error
    return cast(Factory, imported)


@contextmanager
def _current_folder() -> Iterator[None]:
    """Modules are looked for in the current folder too, after every other place."""
    before = list(sys.path)
    if "" not in before:
        sys.path.append("")
    try:
        yield
    finally:
        if "" not in before and "" in sys.path:
            sys.path.remove("")


def _module_of(role: str, part: Any) -> Any:
    """What a function without arguments makes; anything else as it is."""
    if not callable(part):
        return part
    try:
        return part()
    except InputError:
        raise
    except Exception as error:  # a function of the user's may raise anything
        raise ConfigError(
            f"{role}: {_name(part)}, called without arguments, raised {type(error).__name__}: {error}"
        ) from error


def _hidden(name: str) -> bool:
    """Whether it is the name of a lambda, or of what is defined within a function."""
    return "<" in name


def _shown(role: str, name: str) -> str:
    return f"make_{role}" if _hidden(name) else name.rpartition(":")[2]


def _nowhere(name: str) -> bool:
    return _hidden(name) or name.startswith("__main__:")


def _name(part: Any) -> str:
    named = part if hasattr(part, "__qualname__") else type(part)
    module = str(named.__module__)
    if module == "__main__":  # a script is imported by the name of its file
        module = Path(getattr(sys.modules[module], "__file__", None) or module).stem
    return f"{module}:{named.__qualname__}"


def words(config: Config) -> dict[str, str]:
    """The parts of a resolved configuration, in words: `prior, posterior, likelihood, network, objective`."""
    model, own = config.model, config.factories
    if "model" in own:
        parts = dict.fromkeys(("prior", "posterior", "likelihood", "network"), f"of {own['model']}")
    else:
        names, whole = [own.get(role) for role in ("encoder", "decoder")], f"of {model.kind}"
        network = model.network or whole
        if any(names):
            network = " and ".join(name or network for name in names)
        exact = whole if (model.kind or "").startswith("hierarchy") else "P(z|x) itself"
        parts = {
            "prior": model.prior or whole,
            "posterior": model.posterior or exact,
            "likelihood": model.likelihood or "by the form of x",
            "network": network,
        }
    return {**parts, "objective": own.get("objective", config.training.objective)}
