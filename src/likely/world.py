"""The processes that do one thing together, as torchrun starts them; without it there is one.

Everything here does nothing, and costs nothing, with one process. What several do must be the same sequence of these
calls in each: a process that goes another way keeps the others waiting.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous

from likely.errors import ConfigError, PeerError

__all__ = [
    "barrier",
    "first",
    "first_to_tell",
    "gathered",
    "joined",
    "launched",
    "of_first",
    "peers_watched",
    "rank",
    "same_weights",
    "share",
    "size",
    "total",
    "total_later",
]

NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")  # what torchrun sets
# How long one waits for another. It bounds what one does alone while the others wait, such as storing a large model; a
# process that ends closes its connections, which the others see at once.
PATIENCE = datetime.timedelta(hours=2)
NETWORK = ("gloo", "nccl", "connection closed by peer", "connection reset", "broken pipe", "socket")
TOLD = "likely: told"  # how many processes asked whether they are the first that ends early
LINGERING = 3.0  # seconds that the process which holds this number waits for the others to ask
LOST = "another process stopped, without which this one cannot go on"

_stores: list[Any] = []  # of the group that `joined` made: what all processes can read and write


def launched(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether torchrun started several processes, of which this is one."""
    return all(name in environment for name in NAMES) and environment["WORLD_SIZE"] not in ("", "1")


def size() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if size() > 1 else 0


def first() -> bool:
    """Whether this is process 0, which alone writes and prints."""
    return rank() == 0


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Within it the processes that torchrun started are one group; with a GPU for each, each takes its own.

    Raises
    ------
    ConfigError
        If they do not find each other.

    """
    gpus, here = torch.cuda.device_count(), int(os.environ["LOCAL_RANK"])
    each = gpus >= int(os.environ.get("LOCAL_WORLD_SIZE", here + 1))
    if gpus:
        torch.cuda.set_device(here % gpus)
    try:
        store, number, count = next(iter(rendezvous("env://", timeout=PATIENCE)))
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if gpus and each else "gloo",
            store=store,
            rank=number,
            world_size=count,
            timeout=PATIENCE,
        )
    except (RuntimeError, ValueError, OSError) as error:
        where = ", ".join(f"{name}={os.environ.get(name, '')}" for name in NAMES)
        raise ConfigError(f"the processes did not find each other ({where}): {error}") from error
    _stores[:] = [store]
    try:
        yield
        dist.destroy_process_group()  # not after an error: others may be waiting in the group
    finally:
        _stores.clear()


def first_to_tell() -> bool:
    """Whether this process is the first that ends early, and so has to say why; the others say nothing."""
    if size() == 1:
        return True
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # which torchrun sends once a process has ended
    if not _stores:
        return first()
    holds_store = first() and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"  # else torchrun does
    try:
        told = int(_stores[0].add(TOLD, 1))
        until = time.monotonic() + LINGERING
        while holds_store and _stores[0].add(TOLD, 0) < size() and time.monotonic() < until:
            time.sleep(0.05)
        return told == 1
    except RuntimeError:  # the store went with the process or the machine that held it
        return rank() == 1 or os.environ["LOCAL_RANK"] == "0"


@contextlib.contextmanager
def peers_watched() -> Iterator[None]:
    """Within it an error of the network is that another process has stopped.

    Raises
    ------
    PeerError
        In the place of such an error.

    """
    try:
        yield
    except RuntimeError as error:
        text = str(error).lower()
        if size() > 1 and (isinstance(error, dist.DistError) or any(word in text for word in NETWORK)):
            raise PeerError(LOST) from error
        raise


def share(count: int) -> range:
    """Which of so many rows are this process's: as many as the others', within one; the first always has one."""
    return range(-(-rank() * count // size()), -(-(rank() + 1) * count // size()))


def total(tensor: Tensor) -> Tensor:
    """The sum of this tensor over the processes."""
    return total_later(tensor)()


def total_later(tensor: Tensor, *, greatest: bool = False) -> Callable[[], Tensor]:
    """The sum, or the greatest, of this tensor over the processes, which the function that is returned waits for."""
    if size() == 1:
        return lambda: tensor
    summed = tensor.detach().clone()
    with peers_watched():
        work = dist.all_reduce(summed, dist.ReduceOp.MAX if greatest else dist.ReduceOp.SUM, async_op=True)

    def wait() -> Tensor:
        with peers_watched():
            work.wait()
        return summed

    return wait


def of_first(value: float) -> float:
    """The number that process 0 has, such as what its clock shows."""
    if size() == 1:
        return value
    told = torch.tensor(value, dtype=torch.float64)
    with peers_watched():
        dist.broadcast(told, 0)
    return float(told)


def gathered(thing: Any) -> list[Any]:
    """What each process has, in their order, for all of them."""
    if size() == 1:
        return [thing]
    things: list[Any] = [None] * size()
    with peers_watched():
        dist.all_gather_object(things, thing)
    return things


def barrier() -> None:
    """Wait until all processes are here."""
    if size() > 1:
        total(torch.zeros(1))


@torch.no_grad()
def same_weights(model: nn.Module) -> None:
    """Give the model of every process the weights and buffers that it has in process 0."""
    if size() == 1:
        return
    with peers_watched():
        for tensor in model.state_dict(keep_vars=True).values():
            sent = tensor.detach().contiguous()
            dist.broadcast(sent, 0)
            tensor.copy_(sent)
