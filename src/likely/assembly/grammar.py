"""How a part is written: its name, and arguments after colons."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from likely.data import Column
from likely.errors import ConfigError, quoted

__all__ = ["AUTO", "Argument", "Named", "Part", "Trait", "Value", "known", "parse"]

Value = int | float | str

AUTO = "auto"  # in the place of an argument that is chosen by the data

MAX_NUMBER = 10_000  # of parts, groups, samples: a larger argument is a slip of the pen


@dataclass(frozen=True)
class Argument:
    """One argument of a part.

    Attributes
    ----------
    name
        What stands for a number where the argument is described; empty where words alone are taken.
    default
        What is meant when it is left out: a whole number, a number or a word; `None`: it must be given.
    words
        The words that are taken.
    whole, least, most
        Whether a number must be whole, and the least and the greatest one then.
    pattern, example
        What other texts are taken, as a regular expression; one of them, for people. Empty where none is.

    """

    name: str = ""
    default: Value | None = None
    words: tuple[str, ...] = ()
    whole: bool = False
    least: int = 1
    most: int = MAX_NUMBER
    pattern: str = ""
    example: str = ""

    def __str__(self) -> str:
        return "|".join((self.name, *self.words) if self.name else self.words)

    @property
    def expected(self) -> str:
        """The values that may be given, in words."""
        number = f"a whole number from {self.least} to {self.most}" if self.whole else "a number"
        pattern = [f"like {self.example}"] if self.pattern else []
        return " or ".join(([number] if self.name else []) + pattern + list(self.words))

    def read(self, text: str) -> Value:
        """The argument's value, read from a text.

        Raises
        ------
        ValueError
            If it is none.

        """
        if text in self.words or (self.pattern and re.fullmatch(self.pattern, text)):
            return text
        if not self.name:
            raise ValueError(text)
        if self.whole:
            number = int(text)
            if not self.least <= number <= self.most:
                raise ValueError(text)
            return number
        real = float(text)
        if not math.isfinite(real):
            raise ValueError(text)
        return real


class Trait(Enum):
    """What else a part is, where the parts beside it, or the sizes, depend on it."""

    PAIR = auto()  # a prior and a posterior that go with each other alone
    ANY_SPACE = auto()  # a prior that goes with the posterior of a pair, unless that is of a hierarchy
    CODES = auto()  # z is one-hot codes, whose number is the size of z
    HIERARCHY = auto()  # z has several groups
    INTEGRATED = auto()  # z is integrated out, and Q(z|x) is P(z|x) itself
    CLOSED = auto()  # P(z) and Q(z|x) are the model's own, and Q is a closed form
    BY_DIMENSION = auto()  # an objective that takes the KL by the dimensions of z
    ONE_BLOCK = auto()  # a network of one residual block a level, unless more are requested
    EXPOSED = auto()  # a likelihood of counts that are in proportion to an exposure
    ALL_FORMS = auto()  # a likelihood that keeps declared limits, and gives few numbers a mass of their own


@dataclass(frozen=True)
class Part:
    """One entry of the table.

    Attributes
    ----------
    make
        What builds it: called with what the room is given, then the arguments.
    what, source
        One line for people, and the authors and year of where it comes from.
    arguments
        In order; those that have defaults come last.
    refuses
        Of a likelihood: why it does not fit a column, in words, or nothing.
    traits
        What else it is.
    alias
        The model whose prior and posterior it is another way to write: it is taken, and not listed; empty of others.

    """

    make: Callable[..., Any]
    what: str
    source: str
    arguments: tuple[Argument, ...] = ()
    refuses: Callable[[Column], str] = lambda _: ""
    traits: frozenset[Trait] = frozenset()
    alias: str = ""

    def written(self, name: str) -> str:
        """The part as it is written: `name:MUST[:MAY[:MAY]]`."""
        must = "".join(f":{argument}" for argument in self.arguments if argument.default is None)
        may = [f"[:{argument}" for argument in self.arguments if argument.default is not None]
        return name + must + "".join(may) + "]" * len(may)

    @property
    def defaults(self) -> str:
        """What arguments that are left out mean, in words."""
        given = [a for a in self.arguments if a.default not in (None, "")]
        return ", ".join(str(a.default) if a.default in a.words else f"{a.name} {_text(a.default or 0)}" for a in given)


@dataclass(frozen=True)
class Named:
    """A part chosen by name, with all of its arguments; as text it says them all."""

    room: str
    name: str
    part: Part
    arguments: tuple[Value, ...]

    def __str__(self) -> str:
        return ":".join([self.name, *(_text(value) for value in self.arguments)]).rstrip(":")

    def has(self, trait: Trait) -> bool:
        """Whether the part has a trait."""
        return trait in self.part.traits

    def __call__(self, *given: Any) -> Any:
        """Build it.

        Raises
        ------
        ConfigError
            If a number is out of range, or the part does not fit what it is given.

        """
        try:
            return self.part.make(*given, *self.arguments)
        except ConfigError as error:
            raise ConfigError(f"{self.room} {self}: {error}") from error


def _text(value: Value) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def parse(room: str, text: str, parts: Mapping[str, Part]) -> Named:
    """The part that a text such as `vamp:500` names, with its arguments.

    Raises
    ------
    ConfigError
        If no part has this name (the nearest one is suggested), or an argument is missing, of another type or unknown.

    """
    name, *given = text.split(":")
    part = parts[known(room, name, parts)]
    where = f"{room} {quoted(text)}"
    written = part.written(name)
    if len(given) > len(part.arguments):
        takes = f"is written {written}" if part.arguments else "takes no argument"
        raise ConfigError(f"{where}: {name} {takes}; there is no place for {quoted(given[len(part.arguments)])}")
    values: list[Value] = []
    for i, argument in enumerate(part.arguments):
        if i < len(given):
            values.append(_read(argument, given[i], where, written))
        elif argument.default is None:
            raise ConfigError(f"{where}: {argument} must be given; write {written}")
        else:
            values.append(argument.default)
    return Named(room, name, part, tuple(values))


def _read(argument: Argument, text: str, where: str, written: str) -> Value:
    try:
        return argument.read(text)
    except ValueError:
        near = difflib.get_close_matches(text.lower(), argument.words, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"write {written}"
        raise ConfigError(f"{where}: {argument} must be {argument.expected}, got {quoted(text)}; {hint}") from None


def known(what: str, name: str, among: Mapping[str, Any]) -> str:
    """The name, checked to be one of the known.

    Raises
    ------
    ConfigError
        If it is none; the nearest one is suggested, by its letters or by what the part is, else all are listed.

    """
    if name in among:
        return name
    among = {other: part for other, part in among.items() if not isinstance(part, Part) or not part.alias}
    near = difflib.get_close_matches(name.lower(), list(among), n=1)
    if not near and len(_letters(name)) > 2:
        parts = {other: part for other, part in among.items() if isinstance(part, Part)}
        near = [other for other, part in parts.items() if _letters(name) in _letters(part.what)]
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(among)}"
    raise ConfigError(f"unknown {what} {quoted(name)}; {hint}")


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
