"""Results of any number of rows: computed and written a part at a time, and gone on with after an interruption."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

import likely
from likely import world
from likely.cli.output import demand_writable_output, with_missing_texts
from likely.cli.show import document, print_notice
from likely.cli.sinks import RECORD, Done, Place, Sink, Text, sink_of
from likely.data import Rows, RowStore
from likely.errors import OutputError
from likely.files import MAX_DOCUMENT_BYTES, parsed, read_regular, refuse_existing, seen_to_exist, write
from likely.run.progress import bar

if TYPE_CHECKING:
    from likely.data import Schema
    from likely.run.run import Run

__all__ = ["Target", "Work", "deliver", "identity", "part_rows", "said_once", "stamp"]

MAX_ROWS, MAX_CELLS = 16384, 2**22  # of a part


@dataclass(frozen=True)
class Work:
    """What is to be computed, part by part.

    Attributes
    ----------
    what
        The verb, as the bar calls it.
    asked
        All that the results depend on: the run, the rows, the options; ready for JSON.
    rows, size
        How many there are, and how many a part has.
    frames
        Whether results are frames, not arrays.
    results
        The results of the parts from a number on.
    beside
        What is added to the document of `--json`, known at the end.

    """

    what: str
    asked: Mapping[str, Any]
    rows: int
    size: int
    frames: bool
    results: Callable[[int], Iterator[Any]]
    beside: Callable[[], Mapping[str, Any]] = dict


def part_rows(cells: int) -> int:
    """How many rows a part has, by the cells of a row: a power of two, the same on every machine."""
    return 1 << (max(1, min(MAX_ROWS, MAX_CELLS // max(1, cells))).bit_length() - 1)


def stamp(data: str) -> str:
    """SHA-256 of the names, sizes and times of change of the files that a path, a folder or a pattern names."""
    from likely.data.sources import files_of

    sha = hashlib.sha256()
    for file in files_of(data):
        known = file.stat()
        sha.update(f"{file.name}\0{known.st_size}\0{known.st_mtime_ns}\0".encode())
    return sha.hexdigest()


def identity(run: Run) -> dict[str, Any]:
    """What tells runs apart, and versions of the program."""
    return {"run": run.record.id, "steps": run.steps, "version": likely.__version__}


@dataclass(frozen=True)
class Target:
    """Where results go, as the command line has it."""

    output: Path | None
    overwrite: bool
    resume: bool
    json: bool

    def demand_writable(self) -> None:
        """Check, before anything is computed, that results can be written.

        Raises
        ------
        OutputError
            If the output exists and is neither to be replaced nor to go on.

        """
        if not world.first():
            return
        if self.resume and self.output is None:
            raise OutputError("--resume goes on with an output that was interrupted; name it: -o FILE or -o FOLDER/")
        if self.resume and self.overwrite:
            raise OutputError("--resume goes on with an output, --overwrite begins it anew; leave one out")
        if self.output is None:
            return
        if not self.resume and not self.overwrite and any(_unfinished(one) for one in records(self.output)):
            raise OutputError(
                f"{self.output} was begun and interrupted: --resume goes on with it, --overwrite begins anew"
            )
        demand_writable_output(self.output, overwrite=self.overwrite or self.resume)

    def in_parts(self, store: RowStore | None, *, frames: bool) -> bool:
        """Whether results are computed and written a part at a time: many rows, or a folder of tables."""
        folder = self.output is not None and not self.output.suffix
        mine = self.resume or (frames and folder) or not isinstance(store, Rows)
        return bool(world.of_first(float(mine)))  # what is free is not the same to each process


def deliver(work: Work, schema: Schema, target: Target) -> None:
    """Write all results, or print them where no output is given; of several processes the first one does.

    Raises
    ------
    OutputError
        If the output cannot hold them, exists already, or was begun with something else.

    """
    with said_once():
        if target.output is None:
            if target.json or not work.frames:
                raise OutputError(f"{work.rows:,} rows are not printed so; add -o FILE or -o FOLDER/")
            for number, result in enumerate(work.results(0)):
                with_missing_texts(schema, result).to_csv(sys.stdout, index=False, header=number == 0)
            return
        sink = sink_of(target.output, schema, frames=work.frames)
        if target.resume and sink.record is None:
            raise OutputError(f"{target.output}: one parquet file cannot be gone on with; a folder can: -o rows/")
        done = _kept(sink, work) if target.resume and world.first() else None
        number = int(world.of_first(0 if done is None else done.parts))
        if not world.first():
            for _ in work.results(number) if number * work.size < work.rows else ():
                pass  # its share of each part is computed, and put together where it is written
            return
        if done is not None and done.finished:
            print_notice(f"{target.output} is finished already: {work.rows:,} rows")
        else:
            _write(sink, work, schema, done)
            print_notice(f"wrote {work.rows:,} rows to {target.output}")
        if target.json:
            document({"rows": work.rows, "output": str(target.output), **work.beside()})


def _kept(sink: Sink, work: Work) -> Done | None:
    """How far the results are; `None` where they are not begun."""
    if sink.record is None or not sink.record.exists():
        refuse_existing(sink.place, overwrite=False)
        return None
    known = _recorded(sink.record)
    for name, value in work.asked.items():
        before = known["asked"].get(name)
        if before != json.loads(json.dumps(value)):
            raise OutputError(
                f"{sink.place} cannot go on: it was begun with {name} {_shown(before)}, and this is {_shown(value)}; "
                "ask the same, or begin anew with --overwrite"
            )
    done = Done(known["parts"], min(known["parts"] * work.size, work.rows), known["end"])
    if known.get("finished"):
        return replace(done, finished=True)
    if sink.again(done):
        return done
    if done.rows == work.rows and sink.place.exists():  # renamed, and killed before the record was removed
        sink.record.unlink()
        return replace(done, finished=True)
    raise OutputError(f"{sink.place}: what was written before is gone; begin anew with --overwrite")


def records(output: Path) -> tuple[Path, Path]:
    """Where it may be recorded how far the results of an output are."""
    return output / RECORD, output.with_name(f".{output.name}.json")


def _unfinished(record: Path) -> bool:
    return seen_to_exist(record) and not _recorded(record).get("finished")


def _recorded(path: Path) -> dict[str, Any]:
    try:
        known = parsed(read_regular(path, MAX_DOCUMENT_BYTES))
        return {**known, "asked": dict(known["asked"]), "parts": int(known["parts"]), "end": int(known["end"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{path} cannot be read ({error}); begin anew with --overwrite") from error


def _write(sink: Sink, work: Work, schema: Schema, done: Done | None) -> None:
    """Compute and write what is left; nothing is made, or replaced, before the first rows are computed."""
    asked, number = {"asked": dict(work.asked)}, 0 if done is None else done.parts
    end = 0 if done is None else done.end
    try:
        with bar(work.what) as tick:
            for result in work.results(number) if number * work.size < work.rows else ():
                shown = with_missing_texts(schema, result) if isinstance(sink, Text) else result
                if isinstance(shown, pd.DataFrame):
                    shown = shown.set_axis([str(name) for name in shown.columns], axis=1)
                if done is None:
                    sink.begin(work.rows)
                    _record(sink, {**asked, "parts": 0, "end": 0})
                    done = Done()
                end = sink.add(shown, Place(number, number * work.size))
                number += 1
                _record(sink, {**asked, "parts": number, "end": end})
                tick(min(number * work.size, work.rows), work.rows)
        sink.finish()
        if sink.record is not None and sink.record.parent == sink.place:
            _record(sink, {**asked, "parts": number, "end": end, "finished": True})
        elif sink.record is not None:
            sink.record.unlink()
    except KeyboardInterrupt as interrupt:
        sink.discard()
        count = f"{min(number * work.size, work.rows):,} of {work.rows:,} rows"
        how = "the same command with --resume goes on" if sink.record else "nothing is kept of one parquet file"
        raise KeyboardInterrupt(f"interrupted after {count}; {how}") from interrupt
    except OSError as error:
        sink.discard()
        reason = error.strerror or error
        raise OutputError(f"cannot write {sink.place}: {reason}; free some space, then go on with --resume") from error
    except BaseException:
        sink.discard()
        raise


def _record(sink: Sink, known: Mapping[str, Any]) -> None:
    if sink.record is not None:
        write(sink.record, json.dumps(known))


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:36]}..."


@contextmanager
def said_once() -> Iterator[None]:
    """Within it a warning is shown once, whatever numbers it names."""
    said: set[str] = set()
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(message: Warning | str, *about: Any, **more: Any) -> None:
            kind = re.sub(r"\d[\d.,]*", "#", str(message))
            if kind not in said:
                said.add(kind)
                usual(message, *about, **more)

        warnings.showwarning = show
        yield
