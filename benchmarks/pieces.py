"""Pieces of a long measurement, each kept in a file as it is done: the same command goes on where it stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

Piece = dict[str, np.ndarray]


def piece(path: Path, make: Callable[[], Mapping[str, Any]]) -> Piece:
    """What `make` gives, from its file if it was made before, with its seconds by the clock and of the processor."""
    if not path.exists():
        wall, processor = time.perf_counter(), time.process_time()
        made = dict(make())
        made |= {"wall_s": time.perf_counter() - wall, "processor_s": time.process_time() - processor}
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"draft-{path.name}")
        np.savez(draft, threads=torch.get_num_threads(), **made)
        draft.replace(path)
        if made["wall_s"] > 5:
            print(f"{path.parent.name}/{path.stem}: {made['wall_s']:.0f} s", flush=True)
    with np.load(path) as found:
        return dict(found)


def cost(*pieces: Piece) -> dict[str, Any]:
    """Seconds of all of them, and the threads that they ran with."""
    total = {name: round(float(sum(one[name] for one in pieces)), 1) for name in ("wall_s", "processor_s")}
    return {**total, "threads": sorted({int(number) for one in pieces for number in np.atleast_1d(one["threads"])})}


def joined(pieces: Sequence[Piece]) -> Piece:
    """Rows after rows; seconds are added up."""
    arrays = {name: np.concatenate([one[name] for one in pieces]) for name in pieces[0] if pieces[0][name].ndim}
    return {**arrays, **{name: np.asarray(value) for name, value in cost(*pieces).items()}}


def average(values: np.ndarray) -> dict[str, float]:
    """Mean over rows, and its standard error over rows."""
    return {"mean": float(values.mean()), "se": float(values.std(ddof=1) / math.sqrt(len(values)))}


def mean_error(errors: np.ndarray) -> float:
    """Standard error of the mean of rows whose noise is independent."""
    return float(np.sqrt(np.square(errors).sum()) / len(errors))


def table(title: str, lines: Sequence[Mapping[str, Any]]) -> None:
    """Print Markdown: a column for each name of the first line."""
    print(f"\n### {title}\n\n{_line(lines[0])}\n|{'---|' * len(lines[0])}")
    for line in lines:
        print(_line([line[name] for name in lines[0]]))
    print(flush=True)


def _line(values: Iterable[Any]) -> str:
    return f"| {' | '.join(_cell(value).replace('|', chr(92) + '|') for value in values)} |"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float):
        return f"{round(value, 4) + 0.0:,.4f}".rstrip("0").rstrip(".")
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
