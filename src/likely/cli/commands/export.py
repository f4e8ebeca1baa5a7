"""Encoder and decoder for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from likely.cli.arguments import Overwrite, Stored
from likely.cli.loading import opened
from likely.errors import visible

__all__ = ["export"]


def export(
    run: Stored,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for the files.")],
    overwrite: Overwrite = False,
) -> None:
    """Write encoder and decoder as ONNX and torch's .pt2, with schema and model card: docs/export.md."""
    print(visible(str(opened(run).export(output, overwrite=overwrite))))
