"""Gradients, a short training and verbs in this process alone, or with others that were started with the same command.

`python shared_steps.py FOLDER PORT PORT`, four times, with RANK and LOCAL_RANK set: gradients by four processes, then
all by the first two of them; each group writes what its first process has to `FOLDER/4.pt` and `FOLDER/2.pt`.
"""

from __future__ import annotations

import copy
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd
import torch

import likely
from golden_fits import SHAPES, table
from likely import world
from likely.data.drawing import BatchGenerator
from likely.errors import ConfigError
from likely.run.stopping import Stop
from likely.training import Monitor, Outcome, Trainer, TrainingState
from likely.training.distributed import SharedLoss

ROWS, STEPS, STOPPED, BATCH = 60, 24, 10, 30
PLAIN = Trainer.run
Run = Callable[[Trainer, TrainingState], Outcome]


def weighted() -> pd.DataFrame:
    """Rows with missing cells and weights."""
    return table()[:ROWS].reset_index(drop=True).assign(times=[1 + number % 3 for number in range(ROWS)])


def shapes() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Data and options of each fit, whose batches of 30 rows four processes cannot divide evenly."""
    named = {name: (SHAPES[name][0]()[:ROWS], SHAPES[name][1]) for name in ("dynamic", "iwae dreg", "ladder")}
    named["table"] = (weighted(), {"weight": "times"})
    named["stratified"] = (SHAPES["mixture posterior"][0]()[:ROWS], SHAPES["mixture posterior"][1])
    named["free bits"] = (weighted(), {"objective": "free-bits:0.5"})
    return named


class DoneError(Exception):
    """What was to be found of a fit."""


def within(name: str, run: Run) -> Any:
    """What `run` raises as `DoneError` when the fit of this name comes to its training."""
    data, options = shapes()[name]
    told = {"seed": 1, "latent": 4, "width": 16, "steps": STEPS, "batch_size": BATCH, **options}
    try:
        with patch.object(Trainer, "run", run):
            likely.fit(data, progress=False, **told)
    except DoneError as done:
        return done.args[0]
    raise AssertionError


def gradients(trainer: Trainer, state: TrainingState) -> Outcome:
    """The gradients of the first step, and of the second, in float64, with a KL of half its weight."""
    model = state.model.double()
    model.train()
    loss, generator, found = SharedLoss(model, trainer.objective, trainer.rows), BatchGenerator("cpu"), []
    generator.manual_seed(3)
    for _ in range(2):
        model.zero_grad()
        batch = loss.batch(torch.arange(BATCH) + 3, generator)
        means = loss.backward(*loss(batch, 0.5, generator))
        found += [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]
        found += [means.loss, means.reconstruction.mean(), means.kl.mean()]
    raise DoneError(torch.cat([part.flatten() for part in found]))


class Keeper(Monitor):
    """Keeps the state after a step."""

    def __init__(self, state: TrainingState) -> None:
        self.state = state

    def on_step(self, step: int, total: int) -> None:
        del total
        if step == STOPPED:
            self.kept = copy.deepcopy(self.state.state_dict())


def trained(run: Run, earlier: dict[str, Any] | None = None) -> Run:
    """A training in float64 to its end, from the first step or from a state; and the state after a few steps of it."""

    def whole(trainer: Trainer, state: TrainingState) -> Outcome:
        fresh = trainer.state(state.model.double())
        if earlier is not None:
            fresh.load_state_dict(earlier)
        keeper = Keeper(fresh)
        trainer.monitors = (keeper,)
        outcome = run(trainer, fresh)
        weights = {name: tensor.clone() for name, tensor in fresh.model.state_dict().items()}
        bounds = torch.tensor([record["val_elbo"] for record in outcome.history], dtype=torch.float64)
        raise DoneError({"weights": weights, "bounds": bounds, "kept": getattr(keeper, "kept", None)})

    return whole


def signalled(trainer: Trainer, state: TrainingState) -> Outcome:
    """After how many steps each process ends where Ctrl-C comes to the last one in the fifth."""
    stop = Stop()
    stop.training = True

    class Poke(Monitor):
        def on_step(self, step: int, total: int) -> None:
            del total
            if step == 5 and world.rank() == world.size() - 1:
                stop.take(signal.SIGINT)

    trainer.monitors = (Poke(), stop)
    outcome = PLAIN(trainer, state)
    raise DoneError(world.gathered((outcome.steps, outcome.interrupted)))


def verbs(run: likely.Run) -> dict[str, pd.DataFrame]:
    """Results that are computed row by row."""
    rows = weighted()
    return {
        "score": run.score(rows, samples=20),
        "impute": pd.concat(run.impute(rows, draws=2, samples=20)),
        "anomalies": run.anomalies(rows, samples=20),
        "encode": run.encode(rows),
        "ask": run.ask(rows, ["count>1"], samples=20),
    }


def refusal(name: str, **options: Any) -> str:
    """What a fit is refused with."""
    data, told = shapes()[name]
    try:
        likely.fit(data, progress=False, **{"steps": 2, "batch_size": BATCH, "latent": 2, **told, **options})
    except ConfigError as error:
        return str(error)
    return ""


def everything(folder: Path) -> dict[str, Any]:
    """All of it, in as many processes as there are."""
    names = ("table", "dynamic") if world.size() == 4 else tuple(shapes())
    found: dict[str, Any] = {"gradients": {name: within(name, gradients) for name in names}}
    if world.size() == 4:
        return found
    found["whole"] = within("table", trained(PLAIN))
    found["resumed"] = within("table", trained(PLAIN, found["whole"]["kept"]))
    found["signalled"] = within("table", signalled)
    found["verbs"] = verbs(likely.load(folder / "run", progress=False))
    found["refused"] = [
        refusal("table", objective="beta-tc:4"),
        refusal("table", model="normals:2", latent=None),
        refusal("dynamic", prior="exemplar:20"),
        refusal("table", batch_size=1),
    ]
    return found


def main() -> None:
    """Four processes together, then two."""
    folder, ports, number = Path(sys.argv[1]), sys.argv[2:], int(os.environ["RANK"])
    for size, port in zip((4, 2), ports, strict=True):
        if number < size:
            os.environ |= {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            with world.joined():
                found = everything(folder)
                if world.first():
                    torch.save(found, folder / f"{size}.pt")
                world.barrier()


if __name__ == "__main__":
    main()
