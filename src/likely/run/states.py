"""What training knew at its end, as JSON and safetensors in `checkpoints/STEP`."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from likely.errors import RunError
from likely.files import filled_folder, write
from likely.run.directory import CHECKPOINTS, STATE
from likely.run.record import FitRecord

__all__ = ["are_of", "on_cpu", "read_states", "write_states"]

State = dict[str, Any]


def on_cpu(state: State) -> State:
    """The state with its tensors in the main memory."""
    moved: State = _mapped(state, lambda leaf, _: leaf.cpu() if isinstance(leaf, Tensor) else leaf)
    return moved


def write_states(directory: Path, states: Sequence[State]) -> None:
    """Write the state of each member: `checkpoints/STEP`, STEP the steps of all members, in the place of earlier ones.

    Both files are written beside their place, which is then named: a folder with a number for a name is whole.

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

    plain_states = [_mapped(state, plain, str(number)) for number, state in enumerate(states)]
    folder, step = directory / CHECKPOINTS, str(sum(state["outcome"]["steps"] for state in states))
    with filled_folder(folder / step) as half:
        write(half / STATE[0], json.dumps(plain_states, allow_nan=False) + "\n")
        write(half / STATE[1], save_tensors(tensors))
        for earlier in folder.iterdir():
            if earlier != half:
                shutil.rmtree(earlier)


def read_states(directory: Path) -> tuple[State, ...]:
    """The state of each member, with its tensors in the main memory.

    Raises
    ------
    RunError
        If there is none, or it is damaged.

    """
    folder = directory / CHECKPOINTS
    steps = [int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal()] if folder.is_dir() else []
    if not steps:
        raise RunError(
            f"{directory} holds no state of its training, so it cannot be continued: it was fitted by an earlier "
            f"version, or {CHECKPOINTS}/ was removed; start another fit from its weights: "
            f"likely fit DATA --init {directory}"
        )
    place = folder / str(max(steps))
    try:
        tensors = load_tensors((place / STATE[1]).read_bytes())
        states = tuple(_filled(state, tensors) for state in json.loads((place / STATE[0]).read_text()))
        if not all(isinstance(state["outcome"]["steps"], int) for state in states):
            raise ValueError("steps are no whole numbers")
        return states
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise RunError(f"{place} is damaged ({type(error).__name__}: {error}); fit again") from error


def are_of(states: Sequence[State], record: FitRecord) -> bool:
    """Whether the states are of the run of this record: each member took as many steps."""
    return [state["outcome"]["steps"] for state in states] == [member.steps for member in record.members]


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
