"""Run directories as others might leave them: a table's, pictures', an ensemble's, a conditional one's."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import likely
import mutations_bytes as change
from likely.run.states import read_states
from mutations_data import DiffersError, table

NAMES = ("table", "pictures", "ensemble", "conditional")
SIGNED_ANEW = 0.4  # of the changed files have checksums that fit, as one has who means harm
Read = Callable[[], Any]


def rows_of(name: str) -> Any:
    """Rows that a run is of."""
    if name == "pictures":
        return np.random.default_rng(0).integers(0, 256, (40, 5, 4), dtype=np.uint8)
    return table(0)


def make(folder: Path, names: tuple[str, ...] = NAMES) -> None:
    """The runs, and for each file that of another run of the same kind."""
    for seed, where in ((0, folder), (1, folder / "others")):
        common: dict[str, Any] = {"steps": 20, "seed": seed, "latent": 2, "width": 16, "blocks": 1}
        for name in names:
            more = {"ensemble": {"members": 2}, "conditional": {"condition": "town"}}.get(name, {})
            likely.fit(rows_of(name), out=where / name, **common, **more)


def scored(run: likely.Run, name: str) -> bytes:
    """What a run says of some rows, and draws."""
    scores = run.score(rows_of(name)[:6], samples=3).to_numpy(float).tobytes()
    given = {"town": "Oslo"} if name == "conditional" else None
    drawn = run.sample(3, given=given)
    told = drawn.to_csv().encode() if isinstance(drawn, pd.DataFrame) else drawn.tobytes()
    return bytes(scores) + told


def signed(folder: Path) -> None:
    """Checksums that fit the files as they are."""
    place = folder / "run.json"
    facts = json.loads(place.read_text())
    for name in facts["files"]:
        if (folder / name).is_file():
            content = (folder / name).read_bytes()
            facts["files"][name] = {"bytes": len(content), "sha256": sha256(content).hexdigest()}
    facts.pop("sha256", None)
    digest = sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    place.write_text(json.dumps({**facts, "sha256": digest}))


class Runs:
    """The untouched runs, what they say, and a place for a mutated one."""

    def __init__(self, originals: Path, work: Path, names: tuple[str, ...] = NAMES) -> None:
        self.originals, self.work, self.names = originals, work, names
        self.before = {name: scored(likely.load(originals / name), name) for name in names}

    def mutated(self, rng: np.random.Generator) -> tuple[str, str, bool, Read, Callable[[Any], None]]:
        """File, how it was changed, whether its checksum fits, and how what became of it is found out."""
        name = self.names[int(rng.integers(len(self.names)))]
        folder = self.work / name
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.originals / name, folder)
        files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        weights = np.array([3.0 if file.suffix == ".json" else 1.0 for file in files])
        file = files[int(rng.choice(len(files), p=weights / weights.sum()))]
        way = self._changed(rng, folder, name, file)
        anew = bool(rng.random() < SIGNED_ANEW) and (folder / "run.json").is_file()
        if anew:
            try:
                signed(folder)
            except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, MemoryError):
                anew = False

        def read() -> bytes:
            run = likely.load(folder)
            if file.parts[0] == "checkpoints":
                read_states(folder)
            return scored(run, name)

        def compare(got: bytes) -> None:
            if got != self.before[name]:
                raise DiffersError("other scores or rows")

        return f"{name}/{'checkpoints/' if len(file.parts) > 1 else ''}{file.name}", way, anew, read, compare

    def _changed(self, rng: np.random.Generator, folder: Path, name: str, file: Path) -> str:
        place, content = folder / file, (folder / file).read_bytes()
        found = sorted((self.originals / "others" / name).rglob(file.name))
        other = found[0].read_bytes() if found else content
        drawn = rng.random()
        if drawn < 0.1:
            return _replaced(rng, folder, place)
        if drawn < 0.15:
            shutil.copy(self.originals / self.names[int(rng.integers(len(self.names)))] / "config.json", place)
            return "a configuration"
        if place.suffix == ".json" and drawn < 0.75:
            place.write_bytes(change.document(rng, content, other))
            return "document"
        ways = change.TEXT if place.suffix in (".json", ".csv", "") else change.BINARY
        way = ways[int(rng.integers(len(ways)))]
        place.write_bytes(way(rng, content, other))
        return way.__name__


def _replaced(rng: np.random.Generator, folder: Path, place: Path) -> str:
    """Nothing in the place of a file, or a folder, a pipe, a device, a file of 64 GiB, a neighbour."""
    way = ("gone", "folder", "pipe", "device", "large", "neighbour")[int(rng.integers(6))]
    neighbours = sorted(path for path in folder.iterdir() if path.is_file() and path != place)
    neighbour = neighbours[int(rng.integers(len(neighbours)))].read_bytes()
    place.unlink()
    if way == "folder":
        place.mkdir()
    elif way == "pipe":
        os.mkfifo(place)
    elif way == "device":
        place.symlink_to("/dev/zero")
    elif way == "large":
        with place.open("wb") as file:
            file.truncate(2**36)
    elif way == "neighbour":
        place.write_bytes(neighbour)
    return way
