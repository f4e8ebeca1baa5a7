"""Pictures per second of a training step of `hierarchy:conv`, beside the same convolutions alone.

    python benchmarks/throughput_conv.py [--seconds 0.5] [--sizes small base] [--batches 128 256 512] [--threads 1]

Random binary pictures of 28x28, Bernoulli. A step is forward, backward and AdamW. The floor is what the step's
convolutions take alone, each with random maps of the shapes that it met, forward and backward, in the same precision
and memory format. Times are the median of the steps made in so many seconds of processor time, because other work may
run beside it: pictures per second of processor time, which at one thread and nothing beside it are those of the clock.
`contiguous` is the same model with its maps copied to channels-first memory where they are made.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from common import keep
from likely import networks
from likely.data import Batch
from likely.likelihoods import Bernoulli
from likely.models import HierarchicalVAE
from likely.networks import Level, conv_topdown, patches
from likely.networks.conv_topdown import patches_of

EVENT = (28, 28)
SIZES = {
    "small": (24, (Level(7, 3, 4), Level(14, 1, 4))),
    "base": (48, (Level(7, 4, 4), Level(14, 2, 4))),
}
PRECISIONS, FORMATS = ("float32", "bfloat16"), ("channels last", "contiguous")


def model_of(size: str) -> HierarchicalVAE:
    torch.manual_seed(0)
    width, levels = SIZES[size]
    patch, law = patches_of(EVENT, levels)[-1], Bernoulli(EVENT)
    encoder = networks.Encoder(networks.Standardise(0.5, 0.5, 784), networks.PatchEncoder(EVENT, width, patch))
    decoder = networks.PatchDecoder(law.parameter_shape, width, patch)
    return HierarchicalVAE(law, networks.ConvLadder(encoder, decoder, levels, EVENT, width))


@contextmanager
def laid_out(layout: str) -> Iterator[None]:
    """Maps in that memory format."""
    plain = patches.as_map

    def copied(flat: Tensor, size: tuple[int, int]) -> Tensor:
        return plain(flat, size).contiguous()

    chosen = plain if layout == "channels last" else copied
    with mock.patch.object(patches, "as_map", chosen), mock.patch.object(conv_topdown, "as_map", chosen):
        yield


def seconds_of(step: Callable[[], None], budget: float) -> float:
    """Median processor time of a step, over so many seconds, after two that do not count."""
    step()
    step()
    taken: list[float] = []
    while sum(taken) < budget:
        start = time.process_time()
        step()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def training_step(model: HierarchicalVAE, x: Tensor, precision: str) -> Callable[[], None]:
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3, fused=True)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False):
            terms = model.terms(Batch(x))
            loss = (terms.kl - terms.reconstruction).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return step


def floor(model: HierarchicalVAE, x: Tensor, precision: str, layout: str) -> Callable[[], None]:
    """The convolutions of a step alone."""
    met: list[tuple[nn.Module, torch.Size]] = []

    def note(module: nn.Module, given: Any, _: Any) -> None:
        met.append((module, given[0].shape))

    hooks = [one.register_forward_hook(note) for one in model.modules() if isinstance(one, nn.Conv2d)]
    model.terms(Batch(x))
    for hook in hooks:
        hook.remove()
    kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
    memory = torch.channels_last if layout == "channels last" else torch.contiguous_format
    maps = [torch.randn(shape).to(kind).to(memory_format=memory).requires_grad_() for _, shape in met]

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False):
            made = [module(given) for (module, _), given in zip(met, maps, strict=True)]
        torch.autograd.backward(made, [torch.ones_like(one) for one in made])

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--batches", type=int, nargs="+", default=[128, 256, 512])
    parser.add_argument("--threads", type=int, default=1)
    told = parser.parse_args()
    torch.set_num_threads(told.threads)
    found = []
    for size in told.sizes:
        for batch in told.batches:
            x = (torch.rand(batch, *EVENT) < 0.2).float()
            for precision in PRECISIONS:
                for layout in FORMATS:
                    with laid_out(layout):
                        model = model_of(size)
                        whole = seconds_of(training_step(model, x, precision), told.seconds)
                        alone = seconds_of(floor(model, x, precision, layout), told.seconds)
                    row = {"size": size, "batch": batch, "precision": precision, "layout": layout}
                    rates = {"pictures_per_second": batch / whole, "floor": batch / alone, "share": alone / whole}
                    print(*row.values(), *(f"{name} {rate:.3g}" for name, rate in rates.items()), flush=True)
                    found.append(row | rates)
    keep("throughput_conv", {"threads": told.threads, "seconds": told.seconds, "found": found})


if __name__ == "__main__":
    main()
