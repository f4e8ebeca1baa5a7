"""What can go wrong, as a tree: every error that a user can mend is an `InputError`."""

import re
import unicodedata

__all__ = [
    "MESSAGE_ON_FILES",
    "ConfigError",
    "DataError",
    "InputError",
    "LikelyError",
    "OutputError",
    "PeerError",
    "RunError",
    "UnsuitedError",
    "brief",
    "quoted",
    "visible",
]

MAX_SHOWN = 60  # characters of a value in a message
MESSAGE, MESSAGE_ON_FILES, END = 600, 300, 100  # characters of a message, and of its end, where it says what to do
LONG_WORD = re.compile(r"\S{256,}")  # what no file can be called
JOINERS = "\u200c\u200d\u00ad"  # of letters: they change nothing but how these look
BREAKS = re.compile(r"\s*[\r\n\v\f\x85\u2028\u2029]\s*")
ODD = re.compile(r"[^\x20-\x7e\u00a1-\u00ac\u00ae-\u034f]")


def quoted(value: object) -> str:
    """A value of the user's as a message shows it: its `repr`, at most about 60 characters of it."""
    text = repr(value) if isinstance(value, str) else " ".join(repr(value).split())
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 4]}...{text[-1]} ({len(str(value)):,} characters)"


def visible(text: str, *, kept: str = "") -> str:
    r"""The text with what moves the cursor, colours or turns letters around shown as `\x1b`, `\u202e`, `\udcff`.

    Parameters
    ----------
    text
        Any, with names, categories and values that others wrote.
    kept
        Control characters that stay, such as the line break.

    """

    def shown(match: re.Match[str]) -> str:
        mark = match[0]
        hidden = unicodedata.category(mark) in ("Cc", "Cf", "Cs", "Zl", "Zp") and mark not in JOINERS + kept
        return ascii(mark)[1:-1] if hidden else mark

    return ODD.sub(shown, text)


def brief(message: str, most: int = MESSAGE) -> str:
    """The message in one line of at most so many characters: of a longer one the start, and the end with what to do."""
    line = LONG_WORD.sub(lambda word: f"{word[0][:60]}...{word[0][-20:]}", BREAKS.sub(" ", message))
    return line if len(line) <= most else f"{line[: most - END - 5]} ... {line[-END:]}"


class LikelyError(Exception):
    """Base of every error this package raises on purpose."""

    def __init__(self, message: str) -> None:
        super().__init__(brief(message))


class InputError(LikelyError, ValueError):
    """Something the user gave cannot be used; the message says what, where and what to do."""


class DataError(InputError):
    """The data cannot be read, or cannot be modelled as they are."""

    def __init__(self, message: str) -> None:
        super().__init__(brief(message, MESSAGE_ON_FILES))


class ConfigError(InputError):
    """An option has a value that is not allowed."""


class UnsuitedError(ConfigError):
    """A model is not for data of this form: another one is to be chosen."""


class RunError(InputError):
    """A run directory is missing, damaged, foreign or of another shape."""


class OutputError(InputError):
    """A result cannot be written: it exists already, or the disk refuses."""


class PeerError(LikelyError):
    """Another process of the same command has stopped, so that this one cannot go on."""
