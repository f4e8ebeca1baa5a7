"""What a distribution of z does beyond torch's contract."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import cache, cached_property, partial
from typing import Any, Literal, final

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints, kl_divergence

from likely.data.drawing import randn

__all__ = ["Draws", "Index", "LatentDistribution", "Space", "closed_kl", "fixed_noise", "full_precision"]

Index = Tensor | tuple[Tensor, ...]
Space = Literal["real", "sphere", "codes"]

MOMENT_DRAWS = 256  # half of them mirrored, for the mean and deviation of a distribution without closed form
MANY_NUMBERS, FEW_DRAWS = 256, 32  # of a larger z fewer are drawn


@final
class Draws:
    """Draws of z `(sample, *batch, latent)` and the log-probability of each, computed when it is first read.

    Parameters
    ----------
    z
        The draws, or what gives them when they are first read.
    log_prob
        Gives their log-probabilities `(sample, *batch)`, in nats.

    """

    def __init__(self, z: Tensor | Callable[[], Tensor], log_prob: Callable[[], Tensor]) -> None:
        self._z, self._log_prob = z, log_prob

    @cached_property
    def z(self) -> Tensor:
        """The draws `(sample, *batch, latent)`."""
        return self._z if isinstance(self._z, Tensor) else self._z()

    @cached_property
    def log_prob(self) -> Tensor:
        """Log-probability of each draw, under the distribution that it was drawn from: `(sample, *batch)`, nats."""
        return self._log_prob()


class LatentDistribution(Distribution):
    """A distribution of z `(latent,)` that draws from given noise, so that evaluation can key its noise by the row.

    Attributes
    ----------
    convex
        Whether means of z are points of z's space: not on a sphere, and not of codes.

    """

    convex: bool = True
    arg_constraints: dict[str, constraints.Constraint] = {}  # noqa: RUF012
    support = constraints.real_vector
    has_rsample = True

    @property
    def noise_size(self) -> int:
        """How many standard normal numbers a draw takes: `latent`, and one more where a component is chosen."""
        return int(self.event_shape[0])

    @property
    def noise_moves(self) -> tuple[bool, ...]:
        """Of each number of the noise whether it moves a draw about; else it chooses a component or a member."""
        return (True,) * self.noise_size

    @property
    @abstractmethod
    def like(self) -> Tensor:
        """One of the distribution's tensors: z has its type and device."""

    @property
    def centre(self) -> Tensor:
        """The point of z's space that stands for all, `(*batch, latent)`: the mean, or the mode if not `convex`."""
        return self.mean if self.convex else self.mode

    @abstractmethod
    def from_noise(self, noise: Tensor) -> Tensor:
        """Standard normal noise `(sample, *batch, noise_size)` -> draws of z `(sample, *batch, latent)`."""

    @abstractmethod
    def at(self, index: Index) -> LatentDistribution:
        """The distributions at these indices of the batch axes: one whose batch has the index's shape."""

    def rsample(self, sample_shape: Any = torch.Size(), generator: torch.Generator | None = None) -> Tensor:
        """Draws of z `(*sample, *batch, latent)`, differentiable in the parameters."""
        return self.from_noise(self.noise(torch.Size(sample_shape), generator))

    def noise(self, sample_shape: torch.Size, generator: torch.Generator | None = None) -> Tensor:
        """Standard normal numbers for as many draws: `(*sample, *batch, noise_size)`."""
        shape = (*sample_shape, *self.batch_shape, self.noise_size)
        axis = len(sample_shape) if self.batch_shape else None
        return randn(shape, axis, generator, dtype=self.like.dtype, device=self.like.device)

    def sample_with_log_prob(
        self, k: int = 1, *, generator: torch.Generator | None = None, noise: Tensor | None = None
    ) -> Draws:
        """Draws of z `(sample, *batch, latent)` with their log-probabilities, differentiable in the parameters.

        Parameters
        ----------
        k
            How many of each distribution.
        generator
            Where their random numbers come from; torch's own unless given.
        noise
            Standard normal numbers to draw from, in place of k draws from a generator: as for `from_noise`.

        """
        z = self.rsample(torch.Size((k,)), generator) if noise is None else self.from_noise(noise)
        return Draws(z, partial(self.log_prob, z))


def closed_kl(q: LatentDistribution, p: LatentDistribution) -> Tensor | None:
    """D[q‖p] in nats where torch has a closed form registered for the pair, else `None`."""
    try:
        return kl_divergence(q, p)
    except NotImplementedError:
        return None


def fixed_noise(distribution: LatentDistribution) -> Tensor:
    """Fixed antithetic noise to estimate moments by, the same for the whole batch: `(draws, *batch, noise_size)`.

    256 draws; 32 of a z of more than 256 numbers, whose decoder takes as much longer.
    """
    axes = [1] * len(distribution.batch_shape)
    noise = _half_of_noise(distribution.noise_size).view(-1, *axes, distribution.noise_size).to(distribution.like)
    return torch.cat([noise, -noise]).expand(2 * len(noise), *distribution.batch_shape, -1)


@cache
def _half_of_noise(size: int) -> Tensor:
    """Kept, so that a trace of a model finds numbers and no generator."""
    draws = MOMENT_DRAWS if size <= MANY_NUMBERS else FEW_DRAWS
    return torch.randn(draws // 2, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def full_precision(like: Tensor) -> torch.autocast:
    """The context in which densities are computed: no autocast, so that no matrix product is rounded to bfloat16."""
    return torch.autocast(like.device.type, enabled=False)
