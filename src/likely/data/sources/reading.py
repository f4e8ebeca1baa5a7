"""What is known of a text file before it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from likely.data.schema import Column, Schema
from likely.errors import ConfigError, quoted

__all__ = ["Reading"]

NAMED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|", "space": " "}


@dataclass(frozen=True)
class Reading:
    """What the user says of how a text file is written, and the schema of the run that it is given to.

    Attributes
    ----------
    separator
        The mark between fields, one character or `tab`; found in the file where it is `None`.
    decimal
        `.` or `,`: the mark before the decimals of numbers.
    formats
        Column -> how its dates are written, for `strptime`.
    schema
        Of a run: what its columns hold is read as that, texts first.

    """

    separator: str | None = None
    decimal: str | None = None
    formats: Mapping[str, str] = field(default_factory=dict)
    schema: Schema | None = None

    def __post_init__(self) -> None:
        if self.separator is not None and (len(self.mark or "") != 1 or self.mark in ('"', "\n", "\r")):
            raise ConfigError(f"separator must be one character, such as ; or tab; got {quoted(self.separator)}")
        if self.decimal not in (None, ".", ","):
            raise ConfigError(f"decimal must be . or , (a comma); got {quoted(self.decimal)}")
        if self.decimal is not None and self.decimal == self.mark:
            raise ConfigError(f"separator and decimal are both {self.decimal!r}; they must differ")

    @property
    def mark(self) -> str | None:
        """The separator, as it stands in the file."""
        return None if self.separator is None else NAMED.get(self.separator, self.separator)

    @property
    def known(self) -> dict[str, Column]:
        """The columns of the schema, by name."""
        return {} if self.schema is None else {column.name: column for column in self.schema.columns}

    @property
    def encoding(self) -> str:
        """Of the text file that the run was fitted on."""
        return "utf-8" if self.schema is None or self.schema.text is None else self.schema.text.encoding

    def named(self, header: list[str]) -> bool:
        """Whether a first line has the names of all columns that the run needs."""
        needed = () if self.schema is None else (*self.schema.modelled, *self.schema.conditions)
        return bool(needed) and {column.name for column in needed} <= set(header)
