"""Which axis of pictures holds the channels: the last inside this package, the one that was given outside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from likely.data.kinds import Channels, Form
from likely.data.schema import Schema
from likely.errors import ConfigError, quoted

__all__ = ["channels_notice", "channels_of", "demand_channels", "inward", "outward"]

USUAL = (1, 3, 4)  # numbers of channels: grey, colour, colour with transparency


def channels_of(shape: Sequence[int], form: Form, requested: Channels | None = None) -> Channels | None:
    """The axis of rows `(a, b, c)` that holds channels; `None` where the sizes do not say, or rows have no such axis.

    The first does where it is 1, 3 or 4 and the other two are larger; the last where it is 1, 3 or 4, or smaller than
    the other two. Where both could, neither is known. Picture files are always read with the channels last.

    Raises
    ------
    ConfigError
        If it is requested of rows that have no channels, or first of picture files.

    """
    if requested is not None and requested not in tuple(Channels):
        raise ConfigError(f"channels must be first or last, got {quoted(requested)}")
    if len(shape) != 3:
        if requested is not None:
            raise ConfigError(
                f"channels={requested} is for arrays of pictures with channels, of three axes; rows here have shape "
                f"{tuple(shape)}"
            )
        return None
    if form == Form.IMAGES:
        if requested == Channels.FIRST:
            raise ConfigError("pictures that are read from files have their channels last; leave channels out")
        return Channels.LAST
    if requested is not None:
        return Channels(requested)
    first, middle, last = shape
    front = first in USUAL and first < min(middle, last)
    back = last in USUAL or last < min(first, middle)
    return None if front == back else Channels.FIRST if front else Channels.LAST


def channels_notice(schema: Schema, requested: Channels | None) -> tuple[str, ...]:
    """Which axis was inferred as that of channels, where that was not requested and is not the usual one."""
    if requested is not None or not schema.cells_alike or len(schema.event_shape) != 3:
        return ()
    given = schema.given_shape
    if schema.channels == Channels.FIRST:
        height, width, count = schema.event_shape
        return (
            f"rows of shape {given} were inferred as pictures {height} x {width} with {count} "
            f"channel{'s' * (count > 1)} in front; --channels last says otherwise",
        )
    if schema.channels is None and given[0] in USUAL and given[-1] in USUAL:
        return (
            f"rows of shape {given} could have their channels first or last; pictures are drawn as if last; "
            "--channels first says otherwise",
        )
    return ()


def demand_channels(schema: Schema, network: str | None) -> None:
    """Check that convolutions would go over the axes of a picture, not over its channels.

    Raises
    ------
    ConfigError
        If rows have three axes and it is not known which holds the channels.

    """
    if network == "conv" and schema.cells_alike and len(schema.event_shape) == 3 and schema.channels is None:
        raise ConfigError(
            f"rows of shape {schema.event_shape} could have their channels first or last, and convolutions need to "
            "know: say --channels first or --channels last (channels='last'), or take --network mlp"
        )


def inward(schema: Schema, array: np.ndarray) -> np.ndarray:
    """Rows as they were given -> channels last."""
    return np.moveaxis(array, -3, -1) if schema.channels == Channels.FIRST else array


def outward(schema: Schema, array: np.ndarray) -> np.ndarray:
    """Rows with channels last -> as they were given; in one piece."""
    return np.ascontiguousarray(np.moveaxis(array, -1, -3)) if schema.channels == Channels.FIRST else array
