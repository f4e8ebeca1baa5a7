"""Whether the parts of a model fit each other."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from likely.errors import ConfigError
from likely.likelihoods import Likelihood
from likely.networks import Shaped

__all__ = ["demand_fitting"]


def demand_fitting(
    likelihood: Likelihood,
    encoder: nn.Module,
    decoder: nn.Module,
    condition: nn.Module | None,
    *,
    encoded: tuple[int, str],
    code: tuple[int, str],
    exposed: bool = False,
) -> None:
    """Check the sizes that networks state against those that the other parts need; a network may state none.

    Parameters
    ----------
    likelihood
        It needs `parameter_shape.numel()` numbers from the decoder.
    encoder, decoder, condition
        `inputs`, `outputs` and `covariates`, where they have them, are numbers per row.
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
    covariates = 0 if condition is None else getattr(condition, "outputs", None)
    wanted: list[tuple[str, nn.Module, str, str, int, str]] = [
        ("encoder", encoder, "outputs", "gives", encoded[0], f"{encoded[1]} needs {encoded[0]}"),
        ("decoder", decoder, "outputs", "gives", likelihood.parameter_shape.numel(), _needs(likelihood)),
    ]
    if isinstance(covariates, int):
        z = f"{code[1]} has {code[0]}" + (f" and y {covariates}" if covariates else "")
        wanted += [
            ("encoder", encoder, "covariates", "takes, of y,", covariates + exposed, f"y has {covariates + exposed}"),
            ("decoder", decoder, "inputs", "takes", code[0] + covariates, z),
        ]
        if not covariates and not exposed:
            wanted.append(("encoder", encoder, "inputs", "takes", cells, f"x has {cells}"))
    for role, network, name, verb, needed, why in wanted:
        stated = getattr(network, name, None)
        if isinstance(stated, int) and stated != needed:
            raise ConfigError(f"{role} {type(network).__name__} {verb} {stated} numbers per row; {why}")
    event = tuple(likelihood.event_shape)
    _demand_order("encoder", encoder, "takes", event)
    _demand_order("decoder", decoder, "gives", (likelihood.parameter_shape[-1], *event))


def _needs(part: Likelihood) -> str:
    return f"{type(part).__name__} needs {part.parameter_shape.numel()}"


def _demand_order(role: str, network: nn.Module, name: str, needed: Sequence[int]) -> None:
    """A module of the user's with axes in another order would take one cell for another, silently."""
    body = getattr(network, "body", network)
    if not isinstance(body, Shaped):
        return
    shape: tuple[int, ...] = getattr(body, name)
    stated, plain = ([size for size in sizes if size > 1] for sizes in (shape, needed))
    if len(stated) > 1 and stated != plain and sorted(stated) == sorted(plain):
        raise ConfigError(
            f"{role}: the module {name} rows of {shape}; {tuple(needed)} is needed "
            "(channels last; Shaped(..., channels_first=True) turns the picture)"
        )
