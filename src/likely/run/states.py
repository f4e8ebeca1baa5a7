"""What training knew at its end or at a checkpoint, as JSON and safetensors in `checkpoints/STEP`."""

from __future__ import annotations

import errno
import json
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from likely.errors import MESSAGE_ON_FILES, RunError, brief
from likely.files import filled_folder, half_written, most_bytes, parsed, read_regular, write
from likely.run.directory import CHECKPOINTS, STATE_FILES
from likely.run.record import FitRecord
from likely.run.state_checks import demand_consistent_plan, demand_consistent_state

__all__ = [
    "Checkpoint",
    "are_of",
    "has_checkpoint",
    "last_checkpoint",
    "read_checkpoint",
    "read_states",
    "write_states",
]

GONE = (errno.ENOENT, errno.EINVAL)  # no file, or no regular one; another failure may be one of this moment
State = dict[str, Any]
MAX_SUMS = 10_000  # bytes of the file of checksums, which has two lines


@dataclass(frozen=True)
class Checkpoint:
    """What training knew at a step, and what was requested before the first one.

    Attributes
    ----------
    step
        The steps of all members.
    states
        The state of each member that had begun.
    plan
        The configuration, the notices and the number of threads.

    """

    step: int
    states: tuple[State, ...]
    plan: Mapping[str, Any]


def write_states(
    directory: Path, states: Sequence[State], plan: Mapping[str, Any] | None = None, *, kept: int = 1
) -> None:
    """Write the state of each member: `checkpoints/STEP`, STEP the steps of all members.

    Its files are written beside its place, with checksums, and then the folder is named: one with a number for a name
    is whole. Only then are earlier ones removed, but for the last of those that are kept.

    Raises
    ------
    OutputError
        If the disk refuses.

    """
    tensors: dict[str, Tensor] = {}

    def plain(leaf: Any, path: str) -> Any:
        if isinstance(leaf, Tensor):
            tensors[path] = leaf.contiguous()
            return {"tensor": path}
        return {"number": str(leaf)} if isinstance(leaf, float) and not math.isfinite(leaf) else leaf

    named = [_mapped(state, plain, str(number)) for number, state in enumerate(states)]
    folder, step = directory / CHECKPOINTS, sum(state["outcome"]["steps"] for state in states)
    if not _is_whole(folder / str(step)):
        _remove(folder / str(step))
        document = {"plan": dict(plan or {}), "states": named}
        files = {
            STATE_FILES[0]: (json.dumps(document, allow_nan=False) + "\n").encode(),
            STATE_FILES[1]: save_tensors(tensors),
        }
        sums = "".join(f"{sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
        with filled_folder(folder / str(step), _remove) as half:
            for name, content in (*files.items(), (STATE_FILES[2], sums)):
                write(half / name, content, last=False)
    before = [number for number in _steps(directory) if number < step]
    for number in set(_steps(directory)) - {step, *before[: kept - 1]}:
        _remove(folder / str(number))
    for entry in folder.iterdir():
        if half_written(entry.name):
            _remove(entry)


def read_states(directory: Path) -> tuple[State, ...]:
    """The state of each member at the last checkpoint (`read_checkpoint`)."""
    return read_checkpoint(directory).states


def read_checkpoint(directory: Path) -> Checkpoint:
    """The last checkpoint, with its tensors in the main memory.

    Raises
    ------
    RunError
        If there is none, or it is damaged.

    """
    steps = _steps(directory)
    if not steps:
        raise RunError(
            f"{directory} holds no state of its training, so it cannot be continued: it was fitted by an earlier "
            f"version, or {CHECKPOINTS}/ was removed; start another fit from its weights: "
            f"likely fit DATA --init {directory}"
        )
    return _read(directory, steps[0])


def last_checkpoint(directory: Path) -> Checkpoint | None:
    """The last checkpoint that is as it was written, with a warning of damaged ones; `None` where there is none.

    Raises
    ------
    RunError
        If none of those that are there can be read: they are left as they are.

    """
    steps, reasons = _steps(directory), []
    for step in steps:
        try:
            checkpoint = _read(directory, step)
        except RunError as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno not in GONE:
                raise
            reasons.append(str(error).removesuffix("; fit again"))
            continue
        for reason in reasons:
            warnings.warn(f"{reason}; an earlier state is taken", stacklevel=2)
        return checkpoint
    if steps:
        raise RunError(f"{reasons[0]}; remove {directory / CHECKPOINTS}, and --resume starts the fit anew")
    return None


def has_checkpoint(directory: Path) -> bool:
    """Whether there is a checkpoint, fully written."""
    return bool(_steps(directory))


def _steps(directory: Path) -> list[int]:
    """At which steps there are checkpoints, the last one first."""
    folder = directory / CHECKPOINTS
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    return sorted((int(name) for name in names if name.isdecimal()), reverse=True)


def _read(directory: Path, step: int) -> Checkpoint:
    place = directory / CHECKPOINTS / str(step)
    try:
        lines = (line.partition("  ") for line in read_regular(place / STATE_FILES[2], MAX_SUMS).decode().splitlines())
        sums = {name: digest for digest, _, name in lines}
        contents = [read_regular(place / name, most_bytes()) for name in STATE_FILES[:2]]
        if [sha256(content).hexdigest() for content in contents] != [sums[name] for name in STATE_FILES[:2]]:
            raise ValueError("a checksum differs")
        document, tensors = parsed(contents[0]), load_tensors(contents[1])
        states = tuple(_filled(state, tensors) for state in document["states"])
        for state in states:
            demand_consistent_state(state)
        if sum(state["outcome"]["steps"] for state in states) != step:
            raise ValueError("it is of another step")
        demand_consistent_plan(document["plan"])
        return Checkpoint(step, states, document["plan"])
    except OSError as error:
        what = "is damaged" if error.errno in GONE else "cannot be read now"
        raise RunError(brief(f"{place} {what} ({error.strerror or error})", MESSAGE_ON_FILES)) from error
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise RunError(brief(f"{place} is damaged ({reason}); fit again", MESSAGE_ON_FILES)) from error


def _is_whole(place: Path) -> bool:
    """Whether a checkpoint is there, as it was written."""
    try:
        _read(place.parent.parent, int(place.name))
    except RunError:
        return False
    return True


def _remove(place: Path) -> None:
    """Remove a checkpoint, or half of one; what else lies in its folder stays, and the folder with it."""
    with suppress(OSError):
        for entry in place.iterdir():
            if entry.name in STATE_FILES or half_written(entry.name):
                entry.unlink()
        place.rmdir()


def are_of(states: Sequence[State], record: FitRecord) -> bool:
    """Whether the states are of the run of this record: each member took as many steps.

    After them may come that of a member whose training was interrupted.
    """
    steps = [member.steps for member in record.members]
    return [state["outcome"]["steps"] for state in states[: len(steps)]] == steps


def _mapped(value: Any, leaf: Callable[[Any, str], Any], path: str = "") -> Any:
    """The same nest of dictionaries and lists with each leaf replaced by a function of the leaf and its path."""
    if isinstance(value, dict):
        return {name: _mapped(part, leaf, f"{path}/{name}") for name, part in value.items()}
    if isinstance(value, list):
        return [_mapped(part, leaf, f"{path}/{place}") for place, part in enumerate(value)]
    return leaf(value, path)


def _filled(value: Any, tensors: dict[str, Tensor]) -> Any:
    """What was written, with its tensors, and its numbers that are not finite, which JSON does not have."""
    if isinstance(value, list):
        return [_filled(part, tensors) for part in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"tensor"}:
        return tensors[value["tensor"]]
    if value.keys() == {"number"}:
        return float(value["number"])
    return {name: _filled(part, tensors) for name, part in value.items()}
