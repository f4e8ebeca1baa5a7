"""(config, schema) -> model: the only place where a name becomes a class."""

from likely.assembly.build_limit import BuildLimit
from likely.assembly.by_column import fits
from likely.assembly.choosing import gives_no_mass, named_parts
from likely.assembly.grammar import Part, known
from likely.assembly.own import NO_OWN, Factory, Own, words
from likely.assembly.parts import PARTS
from likely.assembly.resolved import Resolved, resolve

__all__ = [
    "NO_OWN",
    "PARTS",
    "BuildLimit",
    "Factory",
    "Own",
    "Part",
    "Resolved",
    "fits",
    "gives_no_mass",
    "known",
    "named_parts",
    "resolve",
    "words",
]
