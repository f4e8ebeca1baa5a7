"""`fit --continue`, a finished fit lengthened, and `fit --resume`, one that was stopped, finished."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from likely.errors import ConfigError, quoted

if TYPE_CHECKING:
    import typer

__all__ = ["demanded", "lengthened", "resumed"]

TAKEN = ("data", "output", "overwrite", "continue_", "minutes", "epochs", "set_", "device", "json")


def demanded(data: str | None, output: Path | None) -> tuple[str, Path]:
    """DATA and -o, which a new fit needs.

    Raises
    ------
    ConfigError
        If one is not given.

    """
    if data is None:
        raise ConfigError("fit needs DATA: likely fit DATA -o RUN")
    if output is None:
        raise ConfigError("fit needs a directory for the run: likely fit DATA -o RUN")
    return data, output


def lengthened(ctx: typer.Context, run: Path, *, json: bool) -> int:
    """Train a stored run further and say what came of it; the exit code.

    Raises
    ------
    ConfigError
        If an option is given that the run has already.

    """
    from likely.cli import show
    from likely.cli.loading import opened
    from likely.cli.options import settings

    chosen = _chosen(ctx)
    options = settings(chosen.get("set_"))
    if "profile" in chosen:
        raise ConfigError("--profile is for a fit, not for one that is continued: likely fit DATA -o RUN --profile")
    words = _words(set(chosen) - set(TAKEN))
    words += [f"--set {name}" for name in options if name not in ("steps", "training.steps")]
    if words:
        raise ConfigError(
            f"{words[0]} is set by the run that is continued; start another fit from its weights: "
            f"likely fit DATA --init {run} -o RUN"
        )
    budget: dict[str, Any] = {name: chosen[name] for name in ("minutes", "epochs") if name in chosen}
    steps = next(iter(options.values()), None)
    if steps is not None:
        budget["steps"] = _whole(steps)
    fitted = opened(run, chosen.get("device"))
    longer = fitted.continue_training(
        chosen.get("data"), out=chosen.get("output", run), overwrite=bool(chosen.get("overwrite")), **budget
    )
    show.fitted(longer, json=json)
    return 130 if longer.record.interrupted else 0


def resumed(ctx: typer.Context, run: Path, *, json: bool) -> int:
    """Finish a fit that was stopped and say what came of it; the exit code.

    Raises
    ------
    ConfigError
        If an option is given that the fit has already.

    """
    import likely
    from likely.assembly import Own
    from likely.cli import show
    from likely.cli.loading import brought

    chosen = _chosen(ctx)
    words = _words(set(chosen) - {"data", "resume", "memory", "cache", "profile", "json"})
    if words:
        raise ConfigError(f"{words[0]} is set by the fit that is resumed; leave it out: likely fit --resume {run}")
    own = Own.of(brought())
    done = likely.fit(
        chosen.get("data"),
        resume=run,
        memory=chosen.get("memory"),
        cache=chosen.get("cache"),
        profile=bool(chosen.get("profile")),
        encoder=own.encoder,
        decoder=own.decoder,
        model=own.model,
        objective=own.objective,
    )
    show.fitted(done, json=json)
    return 130 if done.record.interrupted else 0


def _chosen(ctx: typer.Context) -> dict[str, Any]:
    """The options that are on the command line."""
    given = [name for name in ctx.params if getattr(ctx.get_parameter_source(name), "name", "") == "COMMANDLINE"]
    return {name: ctx.params[name] for name in given}


def _words(names: set[str]) -> list[str]:
    return [f"--{name.rstrip('_').replace('_', '-')}" for name in sorted(names)]


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(f"--set steps takes a whole number, got {quoted(text)}")
    return int(text)
