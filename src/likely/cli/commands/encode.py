"""Each row's code."""

from __future__ import annotations

from likely.cli.arguments import Data, Device, Given, Json, Output, Overwrite, Stored
from likely.cli.loading import opened

__all__ = ["encode"]


def encode(
    run: Stored,
    data: Data,
    given: Given = None,
    output: Output = None,
    overwrite: Overwrite = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Write each row's code: the mean of Q(z|x); of discrete codes, their probabilities."""
    from likely.cli.options import given_values
    from likely.cli.output import codes_frame, demand_writable_output, write_or_print

    demand_writable_output(output, overwrite=overwrite)
    fitted = opened(run, device)
    write_or_print(
        fitted.schema,
        codes_frame(fitted.encode(data, given=given_values(given)), output),
        output,
        overwrite=overwrite,
        json=json,
    )
