"""(config, schema) -> model: the only place where a name becomes a class."""

from likely.assembly.build import build, resolve

__all__ = ["build", "resolve"]
