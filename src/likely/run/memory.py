"""Whether an error says that memory has run out."""

from __future__ import annotations

import torch

__all__ = ["MEMORY_ERRORS", "out_of_memory"]

MEMORY_ERRORS = (MemoryError, RuntimeError)  # among them; torch has no class of its own for the main memory's
ALLOCATOR = "DefaultCPUAllocator"  # whose message it is then


def out_of_memory(error: BaseException) -> bool:
    """Whether the memory of the device or the main memory has run out."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or ALLOCATOR in str(error)
