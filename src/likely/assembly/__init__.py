"""(config, schema) -> model: the only place where a name becomes a class."""

from likely.assembly.allowance import Allowance
from likely.assembly.by_column import fits
from likely.assembly.choosing import chosen, gives_no_mass
from likely.assembly.grammar import Part, known
from likely.assembly.own import NOTHING, Factory, Own, words
from likely.assembly.parts import PARTS
from likely.assembly.resolved import Resolved, resolve

__all__ = [
    "NOTHING",
    "PARTS",
    "Allowance",
    "Factory",
    "Own",
    "Part",
    "Resolved",
    "chosen",
    "fits",
    "gives_no_mass",
    "known",
    "resolve",
    "words",
]
