"""The command line: what all commands share, and the commands."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Annotated

import typer

from likely.cli import commands
from likely.cli.group import Commands, tell_version
from likely.cli.loading import tell_factories

__all__ = ["app"]


app = typer.Typer(
    name="likely",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    epilog="--debug, anywhere, shows the traceback of an error.",
)


@app.callback()
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


for module in pkgutil.iter_modules(commands.__path__):
    app.command()(getattr(importlib.import_module(f"likely.cli.commands.{module.name}"), module.name))
