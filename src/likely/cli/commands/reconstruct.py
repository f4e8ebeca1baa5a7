"""Each row as the model sees it."""

from __future__ import annotations

from likely.cli.arguments import Data, Device, Given, Json, Output, Overwrite, ResumedOutput, Stored
from likely.cli.loading import opened

__all__ = ["reconstruct"]


def reconstruct(
    run: Stored,
    data: Data,
    given: Given = None,
    output: Output = None,
    overwrite: Overwrite = False,
    resume: ResumedOutput = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Write each row as the model sees it: the mean of P(x|z) at the mean of Q(z|x) (of codes: its mode)."""
    from likely.cli.many import Target
    from likely.cli.options import given_values
    from likely.cli.output import write_or_print
    from likely.cli.rows import DataRows, as_table, is_table

    target = Target(output, overwrite, resume, json)
    target.demand_writable()
    fitted = opened(run, device)
    rows = DataRows.opened(fitted, data)
    how, frames = {"given": given_values(given)}, is_table(fitted, output)
    if target.in_parts(rows.store, frames=frames):
        rows.deliver(
            "reconstruct",
            how,
            lambda run, part, _: as_table(run.reconstruct(part, **how), frames=frames),
            target,
            frames=frames,
        )
        return
    write_or_print(fitted.schema, fitted.reconstruct(rows.source, **how), output, overwrite=overwrite, json=json)
