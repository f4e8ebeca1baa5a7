"""How much a model may take while it is made: sizes that others wrote are not trusted."""

from __future__ import annotations

import math
from typing import Any, final

from torch.utils._python_dispatch import TorchDispatchMode

from likely.errors import ConfigError
from likely.files import gib

__all__ = ["Allowance"]

NUMBER_BYTES = 4  # of most tensors; what is counted is meant roughly


@final
class Allowance(TorchDispatchMode):
    """Within it no more than so many bytes of tensors are made, and no more than so many operations done.

    What an operation asks for is counted before it is done.

    Raises
    ------
    ConfigError
        At the operation that would be too much.

    """

    def __init__(self, most_bytes: int, most_operations: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.most_bytes, self.most_operations = most_bytes, most_operations
        self.bytes = self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operations += 1
        asked = next((one for one in args if _is_shape(one)), None)
        makes = asked is not None and not any(hasattr(one, "untyped_storage") for one in args)
        self.bytes += NUMBER_BYTES * math.prod(asked) if makes and asked is not None else 0
        if self.bytes > self.most_bytes or self.operations > self.most_operations:
            raise ConfigError(
                f"the model would fill more than {gib(self.most_bytes)}, or have more parts than its weights; "
                "choose a smaller latent, width, blocks or members"
            )
        return func(*args, **(kwargs or {}))


def _is_shape(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(size, int) for size in value)
