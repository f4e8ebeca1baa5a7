"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from likely.cli.options import checked_seed

__all__ = [
    "Background",
    "Beyond",
    "Binarized",
    "Cache",
    "Channels",
    "Conditions",
    "Continued",
    "Data",
    "Device",
    "Exposed",
    "FitData",
    "Given",
    "Init",
    "Json",
    "Kinds",
    "Limited",
    "Memory",
    "Output",
    "Overwrite",
    "Resize",
    "Resumed",
    "ResumedOutput",
    "RowsData",
    "ScoreSamples",
    "Seed",
    "Split",
    "Stored",
    "Weighted",
]

Binarizing = Literal["dynamic", "static", "threshold"]
# Written out, so that help loads no reader; the error for a file that cannot be read lists all formats.
FORMS = (
    "A file such as csv, parquet, npy or npz (or FILE.npz:NAME), a folder or a pattern ('*.csv') of such files, or a "
    "folder, zip or tar of images or IDX files."
)
Data = Annotated[str, typer.Argument(help=FORMS)]
FitData = Annotated[str | None, typer.Argument(help=FORMS)]
Continued = Annotated[
    Path | None,
    typer.Option("--continue", metavar="RUN", help="Lengthen this finished fit by --minutes, --epochs or steps=N."),
]
Resumed = Annotated[
    Path | None,
    typer.Option("--resume", metavar="RUN", help="Finish this fit, which was killed, stopped or interrupted."),
]
ResumedOutput = Annotated[
    bool, typer.Option("--resume", help="Go on with an output (not one parquet file) that was interrupted.")
]
Init = Annotated[
    Path | None, typer.Option("--init", metavar="RUN", help="Start from the model and the weights of this run.")
]
Stored = Annotated[Path, typer.Argument(help="Directory of a fitted run.", metavar="RUN")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.", callback=checked_seed)]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="Where to write the result.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="NAME=KIND",
        help="Model a column as listed, real, positive, grid, count, levels, binary, categorical, ordered, constant, "
        "date; identifier, text, ignore leave it out. The cells of an array are x: levels, binary, real, grid.",
    ),
]
Conditions = Annotated[
    list[str] | None,
    typer.Option(
        "--condition",
        metavar="COLUMN",
        help="Learn P(x|y) with this column given, not modelled; label for the labels of pictures and arrays, "
        "or a column of the table that lies beside pictures.",
    ),
]
Given = Annotated[
    list[str] | None,
    typer.Option("--given", metavar="COLUMN=VALUE", help="The value of a condition, for every row."),
]
Binarized = Annotated[
    Binarizing | None, typer.Option(help="Make levels 0/1: drawn anew each time, drawn once, or cut at half.")
]
Resize = Annotated[str | None, typer.Option(metavar="HxW", help="Scale pictures to this height and width.")]
Background = Annotated[
    str | None,
    typer.Option(metavar="COLOUR", help="What transparent pictures are laid on: white unless given, R,G,B, #rrggbb."),
]
Channels = Annotated[
    Literal["first", "last"] | None,
    typer.Option(help="Which axis of an array of pictures holds channels: (rows, C, H, W) or (rows, H, W, C)."),
]
Limited = Annotated[
    list[str] | None,
    typer.Option(
        "--limits",
        metavar="COLUMN=LOW:HIGH",
        help="Hard limits: P(x) is 0 beyond, rows beyond are refused; one side may be empty. Of an array: LOW:HIGH.",
    ),
]
Exposed = Annotated[
    str | None,
    typer.Option(
        "--exposure",
        metavar="COLUMN",
        help="Positive numbers that counts are in proportion to (a size factor): given, not modelled.",
    ),
]
Weighted = Annotated[
    str | None,
    typer.Option("--weight", metavar="COLUMN", help="How many rows each row counts as: numbers above 0, not modelled."),
]
Split = Annotated[
    str,
    typer.Option(
        "--split",
        metavar="random|time:COLUMN|group:COLUMN|FILE",
        help="Which rows train, validate and test: by the seed; the last ones by a column test; no group in two parts; "
        "a file has train, val or test for each row.",
    ),
]
Memory = Annotated[
    float | None,
    typer.Option(
        metavar="BYTES",
        help="What the rows may fill, such as 4e9; a third of free memory unless given. More are read in chunks and "
        "mapped from files.",
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Where rows that do not fit into memory are kept, encoded; RUN.cache unless given."
    ),
]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, ...; where it was fitted unless given.")]
Beyond = Annotated[
    bool,
    typer.Option("--beyond-range", help="Draw from all of P(x): numbers outside what training rows span, too."),
]
ScoreSamples = Annotated[int, typer.Option("--samples", help="K of the importance-weighted bound.")]
RowsData = Annotated[str | None, typer.Argument(help="Where the rows are; the stored test rows unless given.")]
