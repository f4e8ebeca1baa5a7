"""Short fits of every shape of the golden runs: states kept after each step, or gone on from.

    python stored_shapes.py FOLDER

goes on, in this process, from every state that lies in FOLDER, and prints what each ended in.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

import likely
from golden_fits import SHAPES
from likely.run.states import read_states, write_states
from likely.training import Monitor, Outcome, Trainer, TrainingState

ROWS = 80
SIZES = {"seed": 1, "latent": 4, "width": 8, "steps": 5}
EVERY = 3  # validations are between states, so that what lies between two validations is kept too


class Keeper(Monitor):
    """Keeps the state after each step."""

    def __init__(self, state: TrainingState, folder: Path) -> None:
        self.state, self.folder = state, folder

    def on_step(self, step: int, total: int) -> None:
        if step < total:
            (self.folder / str(step)).mkdir(parents=True)
            write_states(self.folder / str(step), [self.state.state_dict()])


def short(name: str, run: Callable[[Trainer, TrainingState], Outcome]) -> None:
    """Fit a shape by another way to train."""
    make, told = SHAPES[name]
    options = {**SIZES, **told}
    if "max_steps" in options:
        options["max_steps"] = 10
    if "condition" in options:
        options["condition"] = {"label": options["condition"]["label"][:ROWS]}
    with patch.object(Trainer, "run", run):
        likely.fit(make()[:ROWS], progress=False, **options)


def digest(state: TrainingState) -> str:
    """SHA-256 of all that a state knows but for the seconds, and of the weights that were selected."""
    sha = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, dict):
            for name in sorted(value, key=str):
                if name != "seconds":
                    sha.update(str(name).encode())
                    add(value[name])
        elif isinstance(value, list):
            for part in value:
                add(part)
        elif isinstance(value, Tensor):
            sha.update(f"{value.dtype}{tuple(value.shape)}".encode())
            sha.update(value.detach().numpy().tobytes())
        else:
            sha.update(repr(value).encode())

    add(state.state_dict())
    add(state.model.state_dict())
    return sha.hexdigest()


def kept(folder: Path, real: Callable[[Trainer, TrainingState], Outcome] = Trainer.run) -> dict[str, str]:
    """Train to the end, keep every state on the way, and say what each member of each shape ended in."""
    ends: dict[str, str] = {}
    for name in SHAPES:

        def whole(trainer: Trainer, state: TrainingState, name: str = name) -> Outcome:
            place = f"{name}.{trainer.seed}"
            trainer.schedule = replace(trainer.schedule, validate_every=EVERY)
            trainer.monitors = (Keeper(state, folder / place),)
            outcome = real(trainer, state)
            ends[place] = digest(state)
            return outcome

        short(name, whole)
    return ends


def gone_on(folder: Path, real: Callable[[Trainer, TrainingState], Outcome] = Trainer.run) -> dict[str, dict[str, str]]:
    """Go on from every state, into a model whose own weights are others, and say what each ended in."""
    ends: dict[str, dict[str, str]] = {}
    for name in SHAPES:

        def parts(trainer: Trainer, state: TrainingState, name: str = name) -> Outcome:
            place, outcome = f"{name}.{trainer.seed}", Outcome()
            trainer.schedule = replace(trainer.schedule, validate_every=EVERY)
            ends[place] = {}
            for step in sorted((folder / place).iterdir()):
                with torch.no_grad():
                    for weight in state.weights:
                        weight.normal_()
                state.load_state_dict(read_states(step)[0])
                outcome = real(trainer, state)
                ends[place][step.name] = digest(state)
            return outcome

        short(name, parts)
    return ends


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(gone_on(Path(sys.argv[1]))))
