"""Modules of the user's as encoder and decoder of a model that is otherwise made by the form of x."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from likely.errors import ConfigError
from likely.networks.base import Network, takes_observed
from likely.networks.inputs import Features, Standardise
from likely.networks.probe import probe

__all__ = ["OwnDecoder", "OwnEncoder"]


class OwnEncoder(Network):
    """`module(first(x))` or `module(first(x), y)`: rows in data units to Q's parameters.

    The module is given numbers of order one: `(rows, C, H, W)` of pictures, one channel of grey ones, and
    `(rows, features)` of all other rows. A cell that is missing is 0, and a module whose `forward` takes `observed` is
    given the mask of cells, `(rows, C, H, W)` or `(rows, cells)`.

    Parameters
    ----------
    first
        Brings `(batch, *event)` to `(batch, features)` of order one.
    module
        The user's.
    event
        Shape of a row.
    covariates
        Numbers y per row.

    Attributes
    ----------
    outputs, widest
        Numbers per row that it gives, and holds at most after any of its modules.

    Raises
    ------
    ConfigError
        If the module does not take such rows, or gives no tensor `(rows, numbers)`.

    """

    takes_observed = True

    def __init__(
        self, first: Standardise | Features, module: nn.Module, event: tuple[int, ...], covariates: int = 0
    ) -> None:
        super().__init__()
        self.first, self.module, self.covariates = first, module, covariates
        self.event, self.pictured = event, isinstance(first, Standardise) and len(event) in (2, 3)
        self.inputs, self.masked = first.inputs, takes_observed(module)
        device = next((weight.device for weight in module.parameters()), torch.device("cpu"))
        rows = torch.zeros(2, first.outputs, device=device)
        y = torch.zeros(2, covariates, device=device) if covariates else None
        seen = torch.ones(2, *event, dtype=torch.bool, device=device)
        shape = tuple(self._shaped(rows).shape) if self.pictured else tuple(rows.shape)
        what = f"two rows of x, {shape}" + (f", and of y, {(2, covariates)}" if covariates else "")
        output, held = probe(module, lambda: self._run(rows, y, seen), what)
        self.outputs = output.shape[1]
        self.widest = max(first.outputs, *held)

    def forward(self, values: Tensor, covariates: Tensor | None = None, observed: Tensor | None = None) -> Tensor:
        """Values `(batch, *event)`, covariates `(batch, covariates)`, mask as the values -> `(batch, outputs)`."""
        features: Tensor = self.first(values)
        if observed is not None:
            features = torch.where(observed.flatten(1)[:, self.first.cells], features, features.new_zeros(()))
        seen = torch.ones_like(values, dtype=torch.bool) if observed is None else observed
        return self._run(features, covariates, seen)

    def _run(self, features: Tensor, y: Tensor | None, seen: Tensor) -> Tensor:
        dtype = next((weight.dtype for weight in self.module.parameters()), features.dtype)
        shaped = self._shaped(features) if self.pictured else features
        inputs = [part.to(dtype) for part in (shaped, y) if part is not None]
        mask = {"observed": self._shaped(seen) if self.pictured else seen.flatten(1)} if self.masked else {}
        output = self.module(*inputs, **mask)
        if not isinstance(output, Tensor) or output.dim() != 2 or len(output) != len(features):
            got = tuple(output.shape) if isinstance(output, Tensor) else f"a {type(output).__name__}"
            raise ConfigError(
                f"encoder {type(self.module).__name__} gives {got} for {len(features)} rows; one tensor "
                "(rows, numbers) is expected: Q's parameters end to end, torch.cat([mean, log_std], -1)"
            )
        return output

    def _shaped(self, flat: Tensor) -> Tensor:
        """Pictures with their channels in front."""
        rows = flat.reshape(-1, *self.event)
        return rows.unsqueeze(1) if len(self.event) == 2 else rows.movedim(-1, 1)


class OwnDecoder(Network):
    """`module(z)`, z and the features of y end to end, to the parameters of P(x|z).

    Parameters
    ----------
    module
        The user's: `(rows, inputs)` to the parameters of a row, flat, one parameter of all cells after the other;
        as `(rows, parameters per cell, *event)`; or of pictures as `(rows, parameters per cell x C, H, W)`.
    inputs
        Numbers per row.
    event
        Shape of a row of x.
    parameters
        Parameters of P(x|z) per row.
    what
        The likelihood in words.

    Attributes
    ----------
    outputs, widest
        Numbers per row that it gives, and holds at most after any of its modules.

    Raises
    ------
    ConfigError
        If the module does not take such rows, or gives other numbers.

    """

    inputs: int

    def __init__(self, module: nn.Module, inputs: int, event: tuple[int, ...], parameters: int, what: str) -> None:
        super().__init__()
        self.module, self.inputs, self.outputs, self.event = module, inputs, parameters, event
        self.what = what
        device = next((weight.device for weight in module.parameters()), torch.device("cpu"))
        rows = torch.zeros(2, inputs, device=device)
        output, held = probe(module, lambda: self(rows), f"two rows of z, {(2, inputs)} (latent= says how many)")
        self.widest = max(output.shape[1], *held)

    def forward(self, z: Tensor) -> Tensor:
        """Codes `(*batch, inputs)` -> parameters `(*batch, outputs)`."""
        lead = z.shape[:-1]
        dtype = next((weight.dtype for weight in self.module.parameters()), z.dtype)
        output = self.module(z.reshape(-1, self.inputs).to(dtype))
        return self._flat(output, lead.numel()).reshape(*lead, self.outputs)

    def _flat(self, output: object, rows: int) -> Tensor:
        """Parameters `(rows, outputs)`, one parameter of all cells after the other, channels last."""
        name = type(self.module).__name__
        if not isinstance(output, Tensor):
            raise ConfigError(f"decoder {name} gives a {type(output).__name__}; one tensor is expected")
        per_cell, rest = divmod(self.outputs, torch.Size(self.event).numel())
        shape = tuple(output.shape[1:]) if output.shape[:1] == (rows,) else tuple(output.shape)
        if shape == (self.outputs,):
            return output
        if not rest:
            if shape == (per_cell, *self.event):
                return output.flatten(1)
            if len(self.event) == 3 and shape == (per_cell * self.event[2], *self.event[:2]):
                split: Tensor = output.unflatten(1, (per_cell, self.event[2]))
                return split.movedim(2, -1).flatten(1)
        shapes = f"({self.outputs},)" + ("" if rest else f" or {self._shape(per_cell)}")
        raise ConfigError(f"decoder {name} gives rows of {shape}; {self.what} needs {shapes} for each row")

    def _shape(self, per_cell: int) -> tuple[int, ...]:
        """The shape in which a module of torch's gives a row."""
        if len(self.event) == 3:
            return (per_cell * self.event[2], *self.event[:2])
        return (per_cell, *self.event)
