"""The pages of the command line, made from the commands themselves."""

import re
from pathlib import Path
from typing import Any

from typer.main import get_command

from likely.cli.app import application

DOCS = Path(__file__).parents[1]
SHOWN_IN = ("tutorials", "howto", "explain", "own", "learn", ".")


def program() -> Any:
    """The command line with all its commands."""
    return get_command(application())


def pages() -> dict[str, str]:
    """The name of a page under reference/commands -> its text."""
    likely = program()
    made = {name: page(name, command) for name, command in likely.commands.items()}
    rows = [f"[`likely {name}`]({name}.md)\n: {first(command.help)}\n" for name, command in likely.commands.items()]
    common = "\n".join(option(parameter, likely) for parameter in likely.params)
    hidden = "\n".join(["```{toctree}", ":hidden:", *made, "```"])
    made["index"] = (
        "# Command line\n\nHere you find every command with all it takes, as `likely COMMAND --help` prints it.\n\n"
        + "\n".join(rows)
        + "\n## Before the command\n\n```{program} likely\n```\n"
        + common
        + "\n`--debug`, anywhere, shows the traceback of an error.\n\n"
        + "## Exit codes\n\n0 done, 2 what was given is to be mended, 130 interrupted, 1 a fault of the program.\n"
        + "With `--json` one document goes to standard output, everything else to standard error.\n\n"
        + hidden
        + "\n"
    )
    return made


def page(name: str, command: Any) -> str:
    """One command: what it does, how it is called, its arguments and options, and where it is shown."""
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    context = command.make_context(name, [], resilient_parsing=True)
    usage = " ".join(["likely", name, *(called(each, context) for each in arguments), "[OPTIONS]"])
    parts = [f"# likely {name}", *(prose(text) for text in command.help.split("\n\n"))]
    parts += [f"```text\n{usage}\n```", f"```{{program}} likely {name}\n```"]
    if arguments:
        parts += ["## Arguments", *(f"`{called(each, context)}`\n: {prose(each.help or '')}" for each in arguments)]
    parts += ["## Options", *(option(each, command) for each in options)]
    if found := shown_in(name):
        parts += ["## Shown in", "\n".join(f"- [](../../{place})" for place in found)]
    return "\n\n".join(parts) + "\n"


def called(argument: Any, context: Any) -> str:
    """An argument as the help's text names it, in brackets where it may be left out."""
    name = argument.metavar or argument.make_metavar(context).strip("[]{}").upper()
    return name if argument.required else f"[{name}]"


def option(parameter: Any, command: Any) -> str:
    """One option, as an entry that can be linked to and searched for."""
    context = command.make_context("likely", [], resilient_parsing=True)
    value = "" if parameter.is_flag else f" {parameter.make_metavar(context)}"
    words = [prose(parameter.help or "")]
    if parameter.multiple:
        words.append("May be given several times.")
    if parameter.required:
        words.append("Required.")
    elif not parameter.is_flag and parameter.default not in (None, (), []):
        words.append(f"Default: `{parameter.default}`.")
    return f"````{{option}} {', '.join(parameter.opts)}{value}\n\n{' '.join(words)}\n````"


def shown_in(name: str) -> list[str]:
    """Pages with this command in a block of code or text."""
    use = re.compile(rf"\blikely {name}\b")
    found = [path for room in SHOWN_IN for path in sorted((DOCS / room).glob("*.md"))]
    return [path.relative_to(DOCS).as_posix() for path in found if use.search(path.read_text())]


def prose(text: str) -> str:
    """Help as one paragraph of Markdown, where every mark but a backtick means itself."""
    return re.sub(r"([*_<>\[\]|{}])", r"\\\1", " ".join(text.split()))


def first(text: str) -> str:
    """The first sentence or paragraph."""
    return prose(text.partition("\n\n")[0])
