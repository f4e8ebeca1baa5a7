"""Readers: a path, a frame, an array or a tensor -> `Source`."""

from likely.data.sources.dispatch import files_of, open_source, place_of

__all__ = ["files_of", "open_source", "place_of"]
