"""Each row as the model sees it."""

from __future__ import annotations

from likely.cli.arguments import Data, Device, Given, Json, Output, Overwrite, Stored
from likely.cli.loading import opened

__all__ = ["reconstruct"]


def reconstruct(
    run: Stored,
    data: Data,
    given: Given = None,
    output: Output = None,
    overwrite: Overwrite = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Write each row as the model sees it: the mean of P(x|z) at the mean of Q(z|x) (of codes: its mode)."""
    from likely.cli.options import given_values
    from likely.cli.output import demand_writable_output, write_or_print

    demand_writable_output(output, overwrite=overwrite)
    fitted = opened(run, device)
    rows = fitted.reconstruct(data, given=given_values(given))
    write_or_print(fitted.schema, rows, output, overwrite=overwrite, json=json)
