"""Colours as people write them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from likely.errors import ConfigError, quoted

__all__ = ["WHITE", "colour_of"]

WHITE = (255, 255, 255)  # red, green, blue


def colour_of(colour: str | Sequence[int] | None) -> tuple[int, int, int] | None:
    """A colour by its name, as `#rrggbb` or as `R,G,B` of 0 to 255; `None` for none.

    Raises
    ------
    ConfigError
        If it is no colour.

    """
    if colour is None:
        return None
    from PIL import ImageColor

    text = colour if isinstance(colour, str) else ",".join(map(str, colour))
    plain = re.fullmatch(r"\s*\d+\s*,\s*\d+\s*,\s*\d+\s*", text)
    try:
        channels = ImageColor.getrgb(f"rgb({text})" if plain else text)[:3]
        if max(channels) > 255:
            raise ValueError
    except ValueError as error:
        raise ConfigError(
            f"background {quoted(text)} is no colour; expected a name such as white, R,G,B of 0 to 255, or #rrggbb"
        ) from error
    red, green, blue = channels
    return red, green, blue
