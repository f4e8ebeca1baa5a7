"""The command line: what all commands share, and the commands."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection
from typing import Annotated

import typer

from likely.cli import commands
from likely.cli.group import Commands, tell_version
from likely.cli.loading import tell_factories

__all__ = ["application"]


def application(words: Collection[str] = ()) -> typer.Typer:
    """The command line with the commands that are among these words, or with all where none is.

    Those that are not asked for are left alone, as each takes its time to be built.
    """
    app = typer.Typer(
        name="likely",
        cls=Commands,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        epilog="--debug, anywhere, shows the traceback of an error.",
    )
    app.callback()(main)
    known = [module.name for module in pkgutil.iter_modules(commands.__path__)]
    for name in [name for name in known if name in words] or known:
        app.command()(getattr(importlib.import_module(f"likely.cli.commands.{name}"), name))
    return app


def main(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=tell_version, is_eager=True)
    ] = False,
    factory: Annotated[
        list[str] | None,
        typer.Option(
            "--factory",
            metavar="ROLE=MODULE:CALLABLE",
            callback=tell_factories,
            help="Import and call this for encoder, decoder, model or objective: what a run has of your own.",
        ),
    ] = None,
) -> None:
    """Learn the distribution P(X) of a data set with a variational autoencoder, and use it."""
