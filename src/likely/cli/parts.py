"""The list of parts."""

from __future__ import annotations

from likely.assembly import PARTS, Part, known
from likely.cli import show

__all__ = ["show_parts"]

ROOMS = {
    "model": "what is made of the other parts",
    "prior": "P(z)",
    "posterior": "Q(z|x)",
    "likelihood": "P(x|z)",
    "objective": "what training maximises; reports give the ELBO whatever it is",
    "network": "encoder and decoder",
}


def show_parts(room: str | None, *, json: bool) -> None:
    """Print every part, or those of one room: how it is written, what it is, what arguments left out mean, its source.

    Raises
    ------
    ConfigError
        If there is no such room.

    """
    rooms = list(PARTS) if room is None else [known("room", room, PARTS)]
    listed = {name: {word: part for word, part in PARTS[name].items() if not part.alias} for name in rooms}
    if json:
        show.document({name: [_record(word, part) for word, part in listed[name].items()] for name in rooms})
        return
    for name in rooms:
        lines = [(part.written(word), _line(part), part.source) for word, part in listed[name].items()]
        first, second = (max(len(line[place]) for line in lines) for place in (0, 1))
        print(f"{name}: {ROOMS[name]}")
        for written, what, source in lines:
            print(f"  {written:{first}}  {what:{second}}  {source}")


def _line(part: Part) -> str:
    return f"{part.what} ({part.defaults})" if part.defaults else part.what


def _record(name: str, part: Part) -> dict[str, object]:
    arguments = [
        {"written": str(a), "expected": a.expected, "default": a.default, "required": a.default is None}
        for a in part.arguments
    ]
    return {
        "name": name,
        "written": part.written(name),
        "what": part.what,
        "source": part.source,
        "arguments": arguments,
    }
