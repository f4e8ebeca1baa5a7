"""Whether the parts of a model fit each other."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from likely.errors import ConfigError
from likely.likelihoods import Likelihood
from likely.networks import Encoder, Shaped
from likely.networks.base import stated

__all__ = ["demand_fitting"]


def demand_fitting(
    likelihood: Likelihood,
    encoder: nn.Module | None,
    decoder: nn.Module,
    condition: nn.Module | None,
    *,
    encoded: tuple[int, str] = (0, ""),
    code: tuple[int, str],
    exposed: bool = False,
) -> None:
    """Check the sizes that networks state against those that the other parts need; a network may state none.

    Parameters
    ----------
    likelihood
        It needs `parameter_shape.numel()` numbers from the decoder.
    encoder, decoder, condition
        `inputs`, `outputs` and `covariates`, where they have them, are numbers per row. `None`: there is no encoder.
    encoded, code
        How many numbers the encoder must give, and for what; how many the decoder is given beside y, and of what.
    exposed
        Whether the encoder is also given the logarithm of an exposure.

    Raises
    ------
    ConfigError
        If a size does not fit.

    """
    cells = likelihood.event_shape.numel()
    covariates = 0 if condition is None else stated(condition).outputs
    written, parameters = stated(decoder), likelihood.parameter_shape.numel()
    wanted: list[tuple[str, nn.Module, int | None, str, int, str]] = [
        ("decoder", decoder, written.outputs, "gives", parameters, f"{type(likelihood).__name__} needs {parameters}"),
    ]
    if covariates is not None:
        z = f"{code[1]} has {code[0]}" + (f" and y {covariates}" if covariates else "")
        wanted.append(("decoder", decoder, written.inputs, "takes", code[0] + covariates, z))
    if encoder is not None:
        read = stated(encoder)
        wanted.insert(0, ("encoder", encoder, read.outputs, "gives", encoded[0], f"{encoded[1]} needs {encoded[0]}"))
        if covariates is not None:
            beside = covariates + exposed
            wanted.insert(2, ("encoder", encoder, read.covariates, "takes, of y,", beside, f"y has {beside}"))
            if not covariates and not exposed:
                wanted.append(("encoder", encoder, read.inputs, "takes", cells, f"x has {cells}"))
    for role, network, said, verb, needed, why in wanted:
        if said not in (None, needed):
            raise ConfigError(f"{role} {type(network).__name__} {verb} {said} numbers per row; {why}")
    event = tuple(likelihood.event_shape)
    reader = encoder.body if isinstance(encoder, Encoder) else encoder
    if isinstance(reader, Shaped):
        _demand_order("encoder: the module takes", reader.takes, event)
    if isinstance(decoder, Shaped):
        _demand_order("decoder: the module gives", decoder.gives, (likelihood.parameter_shape[-1], *event))


def _demand_order(what: str, shape: Sequence[int], needed: Sequence[int]) -> None:
    """A module of the user's with axes in another order would take one cell for another, silently."""
    said, plain = ([size for size in sizes if size > 1] for sizes in (shape, needed))
    if len(said) > 1 and said != plain and sorted(said) == sorted(plain):
        raise ConfigError(
            f"{what} rows of {shape}; {tuple(needed)} is needed "
            "(channels last; Shaped(..., channels_first=True) turns the picture)"
        )
