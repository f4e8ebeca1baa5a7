"""Each row's code."""

from __future__ import annotations

from likely.cli.arguments import Data, Device, Given, Json, Output, Overwrite, ResumedOutput, Stored
from likely.cli.loading import opened

__all__ = ["encode"]


def encode(
    run: Stored,
    data: Data,
    given: Given = None,
    output: Output = None,
    overwrite: Overwrite = False,
    resume: ResumedOutput = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Write each row's code: the mean of Q(z|x); of discrete codes, their probabilities."""
    from likely.cli.many import Target
    from likely.cli.options import given_values
    from likely.cli.output import codes_frame, goes_to_array, write_or_print
    from likely.cli.rows import DataRows

    target = Target(output, overwrite, resume, json)
    target.demand_writable()
    fitted = opened(run, device)
    rows = DataRows.opened(fitted, data)
    how = {"given": given_values(given)}
    frames = not goes_to_array(output)
    if target.in_parts(rows.store, frames=frames):
        rows.deliver(
            "encode", how, lambda run, part, _: codes_frame(run.encode(part, **how), output), target, frames=frames
        )
        return
    codes = codes_frame(fitted.encode(rows.source, **how), output)
    write_or_print(fitted.schema, codes, output, overwrite=overwrite, json=json)
