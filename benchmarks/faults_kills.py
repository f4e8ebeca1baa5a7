"""One kill of one fit, and what became of it; used by `faults.py`."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
import signal
import stat
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import torch
from sklearn.datasets import load_digits

import likely
from golden_fits import table
from likely.errors import RunError
from likely.run import checkpoints
from likely.run.directory import leftovers_notice

__all__ = ["KINDS", "Found", "Reference", "killed", "prepare"]

SMALL: dict[str, Any] = {"latent": 2, "device": "cpu"}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "mlp": ("digits.npy", {"width": 16, "steps": 20}),
    "conv": ("digits.npy", {"network": "conv", "width": 8, "steps": 12, "batch_size": 16}),
    "table": ("table.csv", {"width": 16, "steps": 16}),
    "ensemble": ("table.csv", {"width": 16, "steps": 8, "members": 2}),
}
OLD_STEPS = 2  # of the run that is replaced
EACH = 3  # steps from one checkpoint to the next
OPERATIONS = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir")


def prepare(folder: Path, kinds: Sequence[str]) -> None:
    """Import all that a fit imports, with one thread, in which forks are safe: a first fork tells what that is."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    checkpoints.CheckpointTimer = EachSteps  # type: ignore[misc, assignment]
    names, log = folder / "modules.json", folder / "log.txt"

    def work() -> None:
        for kind in kinds:
            _fit(kind, _rows(kind, folder), folder / f"{kind}-first", steps=2)
            _digests(folder / f"{kind}-first")
        names.write_text(json.dumps([name for name in sys.modules if name != "__main__"]))

    _end(_fork(work, log), log)
    for name in json.loads(names.read_text()):
        with suppress(ImportError):
            importlib.import_module(name)


def _rows(kind: str, folder: Path) -> Path:
    rows = folder / KINDS[kind][0]
    if rows.suffix == ".npy":
        np.save(rows, (load_digits().images[:200] > 7).astype(np.uint8))
    else:
        table().iloc[:120].to_csv(rows, index=False)
    return rows


class EachSteps:
    """A checkpoint is due after so many steps, whatever the clock says."""

    def __init__(self) -> None:
        self.steps = 0

    def due(self) -> bool:
        """Whether it is."""
        self.steps += 1
        return self.steps % EACH == 0

    def written_in(self, seconds: float) -> None:
        """One was written."""


@dataclass(frozen=True)
class Reference:
    """A fit that was not stopped.

    Attributes
    ----------
    kind, data, digests
        Which fit, of what, and what it came to.
    seconds, operations, writes
        How long it took; its file operations, and those of them below `checkpoints/`.

    """

    kind: str
    data: Path
    digests: dict[str, str]
    seconds: float
    operations: int
    writes: int

    @classmethod
    def of(cls, kind: str, folder: Path) -> Reference:
        """Fit, and look at it."""
        rows, place, told = _rows(kind, folder), folder / f"{kind}-whole", folder / "told.json"

        def work() -> None:
            counts = [0, 0]
            _heed(place, counts.__setitem__, counts)
            started = time.perf_counter()
            _fit(kind, rows, place)
            seconds, counted = time.perf_counter() - started, list(counts)
            told.write_text(json.dumps([_digests(place), seconds, *counted]))

        _end(_fork(work, folder / "log.txt"), folder / "log.txt")
        return cls(kind, rows, *json.loads(told.read_text()))


@dataclass(frozen=True)
class Found:
    """What became of a kill: how it came about, for counting, and what was lost; empty where nothing was.

    A replaced run that a kill kept from being removed is no loss: the next command that opens the new one tells of it.
    """

    words: tuple[str, ...]
    lost: str


def killed(reference: Reference, folder: Path, seed: tuple[int, ...]) -> Found:
    """Kill a fit, look at what is there, resume it, and compare."""
    random = np.random.default_rng(seed)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    place, log, kind = folder / "run", folder / "log.txt", reference.kind
    within, over = bool(seed[-1] % 2), seed[-1] % 4 < 2 and bool(random.random() < 0.5)
    words = ["within_a_checkpoint" if within else "at_a_file_operation" if over else "at_a_moment"]
    if over:
        words.append("replacing_a_run")
        _end(_fork(lambda: _fit(kind, reference.data, place, steps=OLD_STEPS, members=1), log), log)
    limit = reference.writes if within else reference.operations
    last, torn = int(random.integers(1, limit + 1)), bool(random.random() < 0.25)
    moment = float(random.uniform(0, reference.seconds))

    def work() -> None:
        if within or over:
            _die(place, last, within=within, torn=torn)
        _fit(kind, reference.data, place, overwrite=over)

    child = _fork(work, log)
    if not within and not over:
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code != -signal.SIGKILL:
        words.append("ended_before_the_kill")
        if code != 0:
            return Found(tuple(words), f"the fit failed: {log.read_text()[-300:]}")
    told = folder / "told.json"
    try:
        if over:
            _end(_fork(lambda: _loads(place), log), log)
        if random.random() < 0.25:
            words.append("killed_again")
            again = _fork(lambda: _resume(reference, place, over=over), log)
            time.sleep(float(random.uniform(0, reference.seconds)))
            os.kill(again, signal.SIGKILL)
            os.waitpid(again, 0)
        _end(_fork(lambda: told.write_text(json.dumps(_resume(reference, place, over=over))), log), log)
    except RuntimeError as error:
        return Found(tuple(words), str(error)[-300:])
    answer = json.loads(told.read_text())
    words += ["begun_again"] if answer["anew"] else []
    apart = [name for name, digest in reference.digests.items() if answer["digests"][name] != digest]
    left = sorted(entry.name for entry in folder.iterdir() if entry.name not in ("run", "log.txt", "told.json"))
    if left == [".run.old"] and ".run.old holds a run that was replaced" in answer["beside"]:
        words.append("replaced_run_left_and_told")
        left = []
    lost = [f"differs: {', '.join(apart)}"] * bool(apart) + [f"left beside: {', '.join(left)}"] * bool(left)
    return Found(tuple(words), "; ".join(lost))


def _loads(place: Path) -> None:
    """In a fork: where an older run is replaced, a run is there, and loads."""
    if len(likely.load(place).sample(2)) != 2:
        raise RuntimeError("what is there draws nothing")


def _resume(reference: Reference, place: Path, *, over: bool) -> dict[str, Any]:
    """In a fork: resume, and where there is nothing yet to resume give the same command again; what it came to."""
    try:
        anew = likely.fit(resume=place).steps == OLD_STEPS and over
    except RunError as error:
        if not any(text in str(error) for text in ("no run directory", "no run.json", "killed before it began")):
            raise
        anew = True
    if anew:
        _fit(reference.kind, reference.data, place, overwrite=True)
    return {"digests": _digests(place), "anew": anew, "beside": leftovers_notice(place)}


def _fit(kind: str, data: Path, place: Path, *, overwrite: bool = False, **changed: Any) -> None:
    likely.fit(data, out=place, overwrite=overwrite, progress=False, **SMALL | KINDS[kind][1] | changed)


def _digests(place: Path) -> dict[str, str]:
    names = ("weights.safetensors", "schema.json", "config.json", "rows.safetensors")
    made = {name: (place / name).read_bytes() for name in names}
    made["history"] = pd.read_csv(place / "history.csv", dtype=str).drop(columns="seconds").to_csv().encode()
    drawn = likely.load(place, progress=False).sample(20, seed=1)
    made["drawn rows"] = drawn.to_csv().encode() if isinstance(drawn, pd.DataFrame) else np.asarray(drawn).tobytes()
    return {name: hashlib.sha256(content).hexdigest() for name, content in made.items()}


def _heed(place: Path, act: Callable[..., Any], counts: list[int]) -> None:
    """Count the file operations at a run's place and beside it, and those of them below `checkpoints/`."""
    around, inside = str(place.parent) + os.sep, f"{os.sep}checkpoints{os.sep}"

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in OPERATIONS or not isinstance(arguments[0], (str, os.PathLike)):
            return
        path = os.fspath(arguments[0])
        writes = event != "open" or (isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"))
        if writes and path.startswith(around) and place.name in Path(path[len(around) :]).parts[0]:
            for number in (0, 1) if inside in path else (0,):
                act(number, counts[number] + 1)

    sys.addaudithook(hook)


def _die(place: Path, last: int, *, within: bool, torn: bool) -> None:
    """End this process at an operation; or, where files are torn, when the content of the next one is half there."""
    counts, fsync = [0, 0], os.fsync

    def act(number: int, count: int) -> None:
        counts[number] = count
        if number == int(within) and count >= last and not torn:
            os.kill(os.getpid(), signal.SIGKILL)

    def half(file: int) -> None:
        if torn and counts[int(within)] >= last and stat.S_ISREG(os.fstat(file).st_mode):
            os.ftruncate(file, os.fstat(file).st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(file)

    _heed(place, act, counts)
    os.fsync = half


def _fork(work: Callable[[], object], log: Path) -> int:
    """The number of a fork that does this, and then ends."""
    child = os.fork()
    return child if child else _alone(work, log)


def _alone(work: Callable[[], object], log: Path) -> NoReturn:
    code = 1
    try:
        with log.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            try:
                work()
                code = 0
            except BaseException:
                traceback.print_exc(file=file)
                file.flush()
    finally:
        os._exit(code)


def _end(child: int, log: Path) -> None:
    """Wait for a fork that must end well."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise RuntimeError(f"exit code {code}: {log.read_text()}")
