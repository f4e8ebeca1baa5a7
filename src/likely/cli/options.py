"""Option texts to values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from likely.config import Config
from likely.errors import ConfigError, quoted
from likely.files import MAX_DOCUMENT_BYTES, parsed, read_regular

__all__ = ["checked_seed", "data_keywords", "given_values", "limits", "pairs", "read_config", "settings", "size"]

LAST = ("--column", "--limits", "--date-format")
OWN = (
    "background",
    "binarize",
    "channels",
    "column",
    "condition",
    "config",
    "data",
    "date_format",
    "decimal",
    "exposure",
    "field",
    "init",
    "limits",
    "out",
    "output",
    "overwrite",
    "resize",
    "separator",
    "split",
    "weight",
)


def checked_seed(seed: int | None) -> int | None:
    """A seed that every generator takes."""
    if seed is not None and not 0 <= seed < 2**63:
        raise ConfigError(f"--seed must be from 0 to 2^63 - 1, got {seed}")
    return seed


def pairs(words: Sequence[str] | None, option: str) -> dict[str, str]:
    """`["a=b"]` to `{"a": "b"}`."""
    by_name = {}
    for word in words or ():
        name, mark, value = word.rpartition("=") if option in LAST else word.partition("=")
        if not mark or not name or not value:
            raise ConfigError(f"{option} takes NAME=VALUE, got {quoted(word)}")
        by_name[name] = value
    return by_name


def given_values(words: Sequence[str] | None) -> dict[str, str]:
    """`--given` words, each column once."""
    values = pairs(words, "--given")
    if len(values) < len(words or ()):
        raise ConfigError(f"--given takes one value for each column, got {' '.join(words or ())}")
    return values


def limits(words: Sequence[str] | None) -> dict[str, str] | str | None:
    """`--limits` words: `COLUMN=LOW:HIGH`, or `LOW:HIGH` alone for the cells of an array."""
    if words and len(words) == 1 and "=" not in words[0]:
        return words[0]
    by_column = pairs(words, "--limits")
    if len(by_column) < len(words or ()):
        raise ConfigError(f"--limits takes one LOW:HIGH for each column, got {' '.join(words or ())}")
    return by_column or None


def data_keywords(options: Mapping[str, Any]) -> dict[str, Any]:
    """What `likely.fit` and `likely.inspect` take about the data, from the options of their commands (`ctx.params`)."""
    read = {
        "column": pairs(options["column"], "--column"),
        "condition": options["condition"] or (),
        "resize": size(options["resize"]),
        "limits": limits(options["limits"]),
        "date_format": pairs(options["date_format"], "--date-format"),
    }
    plain = ("binarize", "background", "channels", "separator", "decimal", "exposure", "weight", "split")
    return read | {name: options[name] for name in plain}


def settings(words: Sequence[str] | None) -> dict[str, str]:
    """`--set` words; what is no part of the configuration has an option or argument of its own."""
    assigned = pairs(words, "--set")
    for name in assigned:
        if name in OWN:
            raise ConfigError(f"--set {name}: this is no option of the configuration; see likely fit --help")
    return assigned


def size(text: str | None) -> tuple[int, int] | None:
    """`28x28` to `(28, 28)`."""
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d*)[xX]([1-9]\d*)", text)
    if not match:
        raise ConfigError(f"--resize takes HEIGHTxWIDTH, such as 28x28; got {quoted(text)}")
    return int(match[1]), int(match[2])


def read_config(path: Path | None) -> Config | None:
    """A stored configuration."""
    if path is None:
        return None
    try:
        return Config.from_dict(parsed(read_regular(path, MAX_DOCUMENT_BYTES)))
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path} cannot be read as a configuration ({reason})") from error
