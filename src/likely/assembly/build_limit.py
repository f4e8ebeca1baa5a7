"""How much a model may take while it is made: sizes that others wrote are not trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, final

from torch.overrides import TorchFunctionMode

from likely.errors import ConfigError
from likely.files import gib

__all__ = ["BuildLimit"]

# What makes nothing; to refuse the switch of gradients would leave them off.
FREE = ("__get__", "dim", "size", "numel", "stride", "_set_grad_enabled", "set_grad_enabled")
OF_NUMBERS = ("tensor", "as_tensor", "asarray")  # what makes a tensor of the numbers that it is given, not of a shape
NUMBER_BYTES = 4  # of most tensors; what is counted is meant roughly


@final
class BuildLimit(TorchFunctionMode):
    """Within it a model may be built of so many bytes of tensors, and by so many torch operations, at most.

    The bytes of an operation are counted before it runs.

    Raises
    ------
    ConfigError
        At the operation that would exceed a limit.

    """

    def __init__(self, max_bytes: int, max_operations: int) -> None:
        super().__init__()
        self.max_bytes, self.max_operations = max_bytes, max_operations
        self.bytes = self.operations = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in FREE:
            return func(*args, **(kwargs or {}))
        self.operations += 1
        if not any(hasattr(one, "untyped_storage") for one in args):
            of_numbers = getattr(func, "__name__", "") in OF_NUMBERS
            self.bytes += NUMBER_BYTES * (_count(args[:1]) if of_numbers else math.prod(_shape(args, kwargs or {})))
        if self.bytes > self.max_bytes or self.operations > self.max_operations:
            raise ConfigError(
                f"the model would fill more than {gib(self.max_bytes)}, or have more parts than its weights; "
                "choose a smaller latent, width, blocks or members"
            )
        return func(*args, **(kwargs or {}))


def _count(numbers: Any) -> int:
    """How many numbers there are in lists of lists."""
    return sum(map(_count, numbers)) if isinstance(numbers, (list, tuple)) else 1


def _shape(args: Any, kwargs: Mapping[str, Any]) -> tuple[int, ...]:
    """What shape a function that makes a tensor is asked for; of numbers alone, as of a range, their product's."""
    given = [*args, *kwargs.values()]
    shape = next(
        (one for one in given if isinstance(one, (list, tuple)) and all(type(size) is int for size in one)), ()
    )
    return tuple(shape) or tuple(one for one in args if type(one) is int) or (0,)
