"""(config, schema) -> model: the only place where a name becomes a class."""

from likely.assembly.build import aim, build, chosen, fits, notices, objective, plainly, resolve, supported
from likely.assembly.grammar import Part, known
from likely.assembly.own import NOTHING, Factory, Own, words
from likely.assembly.parts import PARTS

__all__ = [
    "NOTHING",
    "PARTS",
    "Factory",
    "Own",
    "Part",
    "aim",
    "build",
    "chosen",
    "fits",
    "known",
    "notices",
    "objective",
    "plainly",
    "resolve",
    "supported",
    "words",
]
