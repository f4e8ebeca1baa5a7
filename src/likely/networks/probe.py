"""Modules of the user's, run once on two rows to learn what they give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from likely.errors import ConfigError

__all__ = ["probe"]


def probe(module: nn.Module, run: Callable[[], Tensor], what: str) -> tuple[Tensor, list[int]]:
    """A module's output for two rows, and the numbers per row that each module inside it gives.

    It is run in evaluation mode, which leaves its mode, its buffers and torch's generator as they were.

    Parameters
    ----------
    module
        The module.
    run
        Calls it with the two rows.
    what
        The rows in words.

    Raises
    ------
    ConfigError
        If the module does not take them.

    """
    widths: list[int] = []

    def record(_: nn.Module, __: object, output: object) -> None:
        if isinstance(output, Tensor):
            widths.append(output.numel() // 2)

    device = next((weight.device for weight in module.parameters()), torch.device("cpu"))
    hooks = [part.register_forward_hook(record) for part in module.modules()]
    try:
        with _untouched(module, device):
            return run(), widths
    except ConfigError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"{type(module).__name__} does not take {what}: {reason}") from error
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _untouched(module: nn.Module, device: torch.device) -> Iterator[None]:
    """Evaluation mode without gradients; afterwards modes, buffers and generators are as before."""
    modes = [(part, part.training) for part in module.modules()]
    buffers = [(part, name, b, b.clone()) for part, _ in modes for name, b in part.named_buffers(recurse=False)]
    module.eval()
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []), torch.no_grad():
            yield
    finally:
        for part, training in modes:
            part.training = training
        for part, name, buffer, kept in buffers:
            setattr(part, name, buffer)
            with torch.no_grad():
                buffer.copy_(kept)
