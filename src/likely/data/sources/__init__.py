"""Readers: a path, a frame, an array or a tensor -> `Source`."""

from likely.data.sources.dispatch import open_source, place_of

__all__ = ["open_source", "place_of"]
