"""What is known of a fit beside its model: where its rows came from, and what training came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any
from uuid import uuid4

from likely.errors import quoted
from likely.files import built, conform

__all__ = ["DataRecord", "FitRecord", "MemberRecord", "Stage", "new_id"]

UNKNOWN = "unknown"
LATER = ("seconds", "interrupted", "init", "continued", "profile")  # what not every record has


def new_id() -> str:
    """A random number of 32 hexadecimal digits that identifies a run."""
    return uuid4().hex


@dataclass(frozen=True)
class DataRecord:
    """Where the rows of a fit came from, and the form that they came in.

    Attributes
    ----------
    digest
        SHA-256 of all rows.
    digest_x
        SHA-256 of x alone, where something lies beside it.
    path
        Of the file or folder, absolute; `None` for data in memory.
    weights
        SHA-256 of weights beside an array; `None` where there are none; `unknown` of a run of an earlier version.
    split
        How the rows were divided: `random`, `time:COLUMN`, `group:COLUMN`, a path, or `given`, which earlier
        versions stored as `told`.
    container
        `tensor`, `arrow`, `polars`, or the name of another type; `None` of a run of an earlier version.
    names
        Column names that are not all strings, with those of their levels, ready for JSON.
    marks
        What stands beside the types of arrow's coded columns.
    memory, cache
        The bytes that rows were told to fill at most, and the folder that was told for rows that fill more, absolute;
        `None` where nothing was told.

    """

    digest: str
    digest_x: str | None = None
    path: str | None = None
    weights: str | None = UNKNOWN
    split: str = "random"
    container: str | None = None
    names: Mapping[str, Any] | None = None
    marks: Mapping[str, Any] | None = None
    memory: float | None = None
    cache: str | None = None

    @property
    def weighed(self) -> bool:
        """Whether it is known which weights lay beside the rows."""
        return self.weights != UNKNOWN


@dataclass(frozen=True)
class MemberRecord:
    """What the training of one model came to.

    Attributes
    ----------
    steps
        How many were taken.
    selected, selected_step
        Whether the kept weights are the `weights` of a step or their `average`, and which step's.
    validation_elbo
        Mean ELBO of the validation rows under the kept weights, nats a row; `None` where none was validated.
    diverged
        Whether training ended because the objective was no number any more.

    """

    steps: int
    selected: str
    selected_step: int
    validation_elbo: float | None = None
    diverged: bool = False


@dataclass(frozen=True)
class Stage:
    """A lengthening of a finished fit: after how many steps, by how many, at which share of the first rate."""

    from_step: int
    steps: int
    peak: float
    seed: int


@dataclass(frozen=True)
class FitRecord:
    """What is known of a fit beside its model.

    Attributes
    ----------
    data
        Where the rows came from.
    members
        What training came to, for the model, or for each of an ensemble.
    seconds
        Of training.
    interrupted
        Whether it was.
    init
        The run whose weights it started from.
    continued
        How it was lengthened.
    id
        Identifies the run.
    profile
        Where the time of its training steps went, if the fit was told to measure it (`Profile.to_dict`).

    """

    data: DataRecord
    members: tuple[MemberRecord, ...]
    seconds: float = 0.0
    interrupted: bool = False
    init: str | None = None
    continued: tuple[Stage, ...] = ()
    id: str = field(default_factory=new_id)
    profile: Mapping[str, Any] | None = None

    @property
    def diverged(self) -> bool:
        """Whether the training of any member diverged."""
        return any(member.diverged for member in self.members)

    def demand_consistent(self, members: int) -> None:
        """Check a record that others may have written, of a run of so many members.

        Raises
        ------
        ValueError
            If it says what training cannot come to.

        """
        if len(self.members) != members:
            raise ValueError(f"a record of {len(self.members)} members, and weights of {members}")
        for member in self.members:
            if member.selected not in ("", "weights", "average") or not 0 <= member.selected_step <= member.steps:
                raise ValueError(f"{quoted(member.selected)} of step {member.selected_step} of {member.steps}")

    def to_dict(self) -> dict[str, Any]:
        """The same in one flat dictionary, ready for JSON: of an ensemble the first member's, and `members`."""
        members = [asdict(member) for member in self.members]
        return {
            **self.begun(),
            "interrupted": self.interrupted,
            **members[0],
            "diverged": self.diverged,
            "seconds": self.seconds,
            **({"members": members} if len(members) > 1 else {}),
            **({"continued": [asdict(stage) for stage in self.continued]} if self.continued else {}),
            **({} if self.profile is None else {"profile": dict(self.profile)}),
        }

    def begun(self) -> dict[str, Any]:
        """What is known of it before training, ready for JSON."""
        facts = {name: value for name, value in asdict(self.data).items() if value is not None and value != UNKNOWN}
        known = {"path": self.data.path} | ({"weights": self.data.weights} if self.data.weighed else {})
        return {"id": self.id, **known, **facts, **({} if self.init is None else {"init": self.init})}

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> FitRecord:
        """The record that `to_dict` gave.

        Raises
        ------
        KeyError, ValueError
            If something is missing, or is not of its type.

        """
        members = conform(tuple[Mapping[str, Any], ...], facts.get("members", [facts]), "members")
        return built(
            cls,
            {
                "data": _named(DataRecord, facts),
                "members": [_named(MemberRecord, one) for one in members],
                "id": facts["id"],
                **{name: facts[name] for name in LATER if name in facts},
            },
            "the record",
        )


def _named(cls: type[Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of the fields of a record."""
    return {item.name: facts[item.name] for item in fields(cls) if item.name in facts}
