"""What all commands have in common."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from likely.cli.telling import tell

__all__ = ["Commands", "tell_version"]


class Commands(TyperGroup):
    """The commands, each with the whole sentence that says what it does.

    Ctrl-C outside training prints a line and exits with 130, where typer would exit without a word.
    """

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        helps = [(name, "" if command is None else command.help or "") for name, command in commands]
        lines = [(name, " ".join(text.partition("\n\n")[0].split())) for name, text in helps]
        with formatter.section("Commands"):
            formatter.write_dl(lines)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            tell(str(interrupt) or "interrupted")
            raise typer.Exit(130) from interrupt


def tell_version(asked: bool) -> None:
    """Print the version where it is asked for, and end."""
    if asked:
        import likely

        print(f"likely {likely.__version__}")
        raise typer.Exit
