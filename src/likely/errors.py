"""What can go wrong, as a tree: every error that a user can mend is an `InputError`."""

__all__ = ["ConfigError", "DataError", "InputError", "LikelyError", "OutputError", "RunError", "quoted"]

LONGEST = 60


def quoted(value: object) -> str:
    """A value of the user's as a message shows it: its `repr`, at most about 60 characters of it."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]}...{text[-1]} ({len(str(value)):,} characters)"


class LikelyError(Exception):
    """Base of every error this package raises on purpose."""


class InputError(LikelyError, ValueError):
    """Something the user gave cannot be used; the message says what, where and what to do."""


class DataError(InputError):
    """The data cannot be read, or cannot be modelled as they are."""


class ConfigError(InputError):
    """An option has a value that is not allowed."""


class RunError(InputError):
    """A run directory is missing, damaged, foreign or of another shape."""


class OutputError(InputError):
    """A result cannot be written: it exists already, or the disk refuses."""
