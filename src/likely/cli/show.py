"""Results to the terminal."""

from __future__ import annotations

import contextlib
import json as jsonlib
import shlex
import sys
from typing import TYPE_CHECKING, Any

from likely.errors import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from likely.data import Column
    from likely.evaluation import Entry, Ledger
    from likely.run.record import Stage
    from likely.run.run import Run

__all__ = ["console", "document", "fitted", "ledger", "line", "print_notice", "say"]

IDENTITY = "log P(X) - D[Q(z|X)||P(z|X)]  =  E_Q[log P(X|z)] - D[Q(z|X)||P(z)]"


def document(values: dict[str, Any]) -> None:
    """One JSON document."""
    print(jsonlib.dumps(_finite(values), allow_nan=False, default=str))


def _finite(values: Any) -> Any:
    """NaN and infinities are null in JSON."""
    if isinstance(values, dict):
        return {key: _finite(value) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [_finite(value) for value in values]
    return None if isinstance(values, float) and values - values != 0 else values


def console() -> Any:
    """The terminal, or a page of 150 characters where there is none."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else 150)


def say(*parts: Any) -> None:
    """Print texts as they are, but for what would move the cursor; and tables."""
    terminal = console()
    for part in parts:
        terminal.print(visible(part, kept="\n"), markup=False) if isinstance(part, str) else terminal.print(part)


def print_notice(text: str) -> None:
    """Print a line on standard error, where that is open."""
    with contextlib.suppress(OSError):  # nobody reads it: no reason to end what runs
        print(visible(text), file=sys.stderr)


def line(table: Any, *cells: str) -> None:
    """Add a line to a table, brackets and all, but for what would move the cursor."""
    from rich.text import Text

    table.add_row(*(Text(visible(cell, kept="\n")) for cell in cells))


def fitted(run: Run, *, json: bool) -> None:
    """What a fit did, and what to do next."""
    from likely.assembly import words
    from likely.run.described import doubt

    record, where = run.record, run.directory
    if json:
        document(
            {
                "run": str(where),
                **record.to_dict(),
                "config": run.config.to_dict(),
                "notices": list(run.notices),
                "parameters": parameters(run),
                "measure": run.measure,
                "objective": run.aim or "the ELBO",
            }
        )
        return
    model, training, parts = run.config.model, run.config.training, words(run.config)
    for notice in run.notices:
        print_notice(f"note: {notice}")
    if record.interrupted:
        option, does = ("--continue", "goes on") if record.continued else ("--resume", "finishes the fit")
        further = "" if where is None else f"; likely fit {option} {where} {does}"
        print_notice(f"interrupted: the best weights so far are kept{further}")
    say(
        f"fitted {run.division.training_rows} rows of {run.schema.dims} cells ({run.measure}): latent {model.latent}, "
        f"{f'size {model.size}, ' if model.size else ''}width {model.width}, {parameters(run)} parameters, "
        f"{training.precision}",
        ", ".join(f"{room} {parts[room]}" for room in ("prior", "posterior", "likelihood", "objective", "network")),
        *([f"of P(x|y), given: {', '.join(c.name for c in run.schema.conditions)}"] if run.schema.conditions else []),
        *([f"the mixture of {model.members} such models; what follows is of the first"] if model.members > 1 else []),
        *([_continued(record.continued[-1])] if record.continued else []),
        f"{run.steps} steps of {training.batch_size} rows in {record.seconds:.1f} s; "
        f"kept the {run.selected} of step {run.selected_step}",
        "no validation yet: the weights are those of the last step"
        if record.members[0].validation_elbo is None
        else f"validation ELBO {run.best:.3f} nats per row{doubt(run)} (these rows chose the weights)",
        *([f"training maximised {run.aim}; what is called ELBO here is always the ELBO"] if run.aim else []),
    )
    commands = (f"evaluate {where}", f"sample {where} -n 100{_given(run)}", f"report {where}")
    for place, command in enumerate(commands):  # a terminal wraps these, never we: they are to be copied
        print(visible(f"{'     ' if place else 'next:'} likely {command}"))


def _continued(stage: Stage) -> str:
    return (
        f"continued from step {stage.from_step} by {stage.steps} steps, "
        f"at {stage.peak:g} times the learning rate, falling to 0; all in all:"
    )


def _given(run: Run) -> str:
    """Words that give each condition a value."""
    words = [f"{c.name}={_example(c)}" for c in run.schema.conditions]
    return "".join(f" --given {shlex.quote(word)}" for word in words)


def _example(column: Column) -> Any:
    """A value that a condition may be given."""
    from likely.data import Kind, shown

    if column.categories:
        return column.categories[0]
    if column.kind == Kind.DATE:
        return shown(column, column.mean)
    return round(column.mean) if column.per_unit == 1 else f"{column.mean:.3g}"


def parameters(run: Run) -> int:
    """Number of weights."""
    return sum(weight.numel() for weight in run.model.parameters())


def ledger(measured: Ledger, *, json: bool) -> None:
    """The terms of the identity, one a line, and notices beside them."""
    if json:
        document(measured.to_dict())
        return
    from likely.evaluation import given_y

    apart = [name for name, entry in measured.entries.items() if entry.rows != measured.rows]
    say(
        measured.headline,
        "",
        given_y(IDENTITY) if measured.given else IDENTITY,
        _terms({name: entry for name, entry in measured.entries.items() if name not in apart}),
    )
    if apart:
        say(f"on {measured.entries[apart[0]].rows} of these rows, chosen by their content:")
        say(_terms({name: measured.entries[name] for name in apart}))
    if measured.given:
        say(f"given: {', '.join(measured.given)} (y; P(z) does not depend on it)")
    if measured.kl_groups:
        say(f"kl of each group, top first: {', '.join(f'{nats:.3f}' for nats in measured.kl_groups)}")
    say(*(f"{name}: {verdict}" for name, verdict in measured.verdicts.items()), *measured.how_annealed)
    if measured.baselines:
        say("", "baselines (plain models, compressors), on the same rows:", _baselines(measured))
    say("", *(f"- {sentence}" for sentence in measured.diagnosis.get("sentences", ())))
    part = f" of {measured.of:,}, chosen by their content" if measured.of > measured.rows else ""
    seen = "" if measured.cells == measured.dims else f" ({measured.cells:.2f} observed in the mean)"
    say(
        "",
        f"{measured.rows} rows{part} ({measured.split}), {measured.dims} cells each{seen}, "
        f"measure: {measured.measure}, seed {measured.seed}, {measured.seconds:.1f} s; "
        "se: over rows, se_mc: from sampling z with the rows given",
    )


AT_LEAST = ("gap", "ais_gap", "amortisation")


def _terms(entries: Mapping[str, Entry]) -> Any:
    table = _table("term", "nats/row", "se", "se_mc", "bits/dim", "K", last="what it is")
    for name, entry in entries.items():
        at_least = ">= " if name in AT_LEAST else ""
        numbers = (f"{at_least}{entry.nats:.3f}", f"{entry.se:.3f}", f"{entry.se_mc:.4f}", f"{entry.bits_per_dim:.4f}")
        line(table, name, *numbers, str(entry.samples or "-"), entry.kind)
    return table


def _baselines(measured: Ledger) -> Any:
    table = _table("model", "nats/row", "se", "bits/dim", "this model is better by", "se", last="what it is")
    for model in measured.baselines:
        numbers = [_number(model.get(key), 3) for key in ("nats", "se")]
        numbers += [_number(model["bits_per_dim"], 4)]
        numbers += [_number(model.get(key), 3) for key in ("difference", "difference_se")]
        line(table, model["name"], *numbers, model["kind"])
    return table


def _table(first: str, *numbers: str, last: str) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column(first)
    for name in numbers:
        table.add_column(name, justify="right")
    table.add_column(last)
    return table


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
