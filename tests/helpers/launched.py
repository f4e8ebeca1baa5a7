"""One command in two processes, as torchrun starts them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["environment", "free_port", "two"]


def free_port() -> str:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


def environment(rank: int, size: int, port: str) -> dict[str, str]:
    """What torchrun sets, and where this package and these helpers are."""
    there = {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    there |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size)}
    return {**os.environ, **there, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}


@contextmanager
def two(*words: str) -> Iterator[list[subprocess.Popen[str]]]:
    """`likely WORDS` in two processes, which are killed at the end if they still run."""
    port, pipe = free_port(), subprocess.PIPE
    command = [sys.executable, "-m", "likely", *words]
    each = [
        subprocess.Popen(command, env=environment(rank, 2, port), stdout=pipe, stderr=pipe, text=True)
        for rank in range(2)
    ]
    try:
        yield each
    finally:
        for process in each:
            process.kill()
            process.communicate()
