"""One step of training on several processes: each has a part of the batch's rows, and all get the gradient of all."""

from __future__ import annotations

import warnings
from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from likely import world
from likely.data import Batch, EncodedRows
from likely.data.drawing import BatchGenerator
from likely.errors import ConfigError
from likely.models import VAE, Model, Terms
from likely.objectives import Loss, Objective
from likely.priors import FromPosterior

__all__ = ["BatchMeans", "SharedLoss", "demand_shareable"]


class BatchMeans(NamedTuple):
    """Of a batch: the loss, and the reconstruction term and the KL, of each row or their mean."""

    loss: Tensor
    reconstruction: Tensor
    kl: Tensor


@final
class SharedLoss:
    """The loss of a batch and its gradient, which is the same in every process.

    The loss of a batch is Σ_i w_i l_i / Σ_i w_i over all its rows. A process has that of its own rows, and
    `DistributedDataParallel` takes the mean of the processes' gradients; so each loss is multiplied by the number of
    processes and by the share of its rows in Σ_i w_i. The first step shows which weights the loss uses; that costs time
    to look up, and is done in every step only where there are others. With one process there is nothing but the loss.

    Parameters
    ----------
    model, objective
        What is trained, and what is maximised.
    rows
        The training rows.

    """

    def __init__(self, model: Model, objective: Objective, rows: EncodedRows) -> None:
        self.rows, self.share, self.row_share = rows, 1.0, 1.0
        self.loss: Loss | DistributedDataParallel = Loss(model, objective)
        world.same_weights(model)

    def batch(self, numbers: Tensor, generator: BatchGenerator) -> Batch:
        """The rows of this process in the batch of these row numbers, `(batch,)`, the same in every process."""
        if world.size() == 1:
            return self.rows.training_batch(numbers, generator)
        part = world.share(len(numbers))
        mine = numbers[part.start : part.stop]
        generator.part, generator.rows = part, len(numbers)
        self.share = self.row_share = len(mine) / len(numbers)
        if (weights := self.rows.weights) is not None:
            mine_there, all_there = mine.to(weights.device), numbers.to(weights.device)
            self.share = float(weights[mine_there].sum() / weights[all_there].sum())
        return self.rows.training_batch(mine, generator)

    def __call__(self, batch: Batch, kl_weight: float, generator: BatchGenerator) -> tuple[Tensor, Terms]:
        """The loss of this process's rows, and the terms that it was made of."""
        with world.peers_watched():
            loss, terms = self.loss(batch, kl_weight, generator)
        return loss, terms

    def backward(self, loss: Tensor, terms: Terms) -> BatchMeans:
        """Leave the gradient of the whole batch's loss in the weights; what that batch's loss and terms are."""
        means = BatchMeans(loss.detach(), terms.reconstruction.detach(), terms.kl.detach())
        if world.size() == 1:
            loss.backward()
            return means
        shares = (self.share, self.row_share, self.row_share)
        wait = world.total_later(torch.stack([share * one.mean() for share, one in zip(shares, means, strict=True)]))
        with world.peers_watched(), warnings.catch_warnings():
            # of a 1 x 1 convolution in channels-last order, whose strides can be told in two ways
            warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
            (loss * (self.share * world.size())).backward()
        if isinstance(self.loss, Loss):
            self.loss = _averaging(self.loss)
        return BatchMeans(*wait())


def _averaging(loss: Loss) -> DistributedDataParallel:
    """The loss with gradients that are means over the processes from now on; those that there are become such now."""
    weights = [weight for weight in loss.parameters() if weight.requires_grad]
    used = world.total(torch.tensor([float(weight.grad is not None) for weight in weights]))
    for weight, times in zip(weights, used.tolist(), strict=True):
        if times:
            mine = torch.zeros_like(weight) if weight.grad is None else weight.grad
            weight.grad = world.total(mine / world.size())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # broadcast_buffers has another name from torch 2.13 on
        return DistributedDataParallel(
            loss,
            broadcast_buffers=False,
            init_sync=False,
            gradient_as_bucket_view=True,
            find_unused_parameters=bool((used < world.size()).any()),
        )


def demand_shareable(model: Model, objective: Objective, batch_size: int) -> None:
    """Refuse to train on several processes what needs all rows of a batch in one.

    Raises
    ------
    ConfigError
        If there are several processes, and the model, the objective or the size of a batch is none for them.

    """
    if world.size() == 1:
        return
    alone = "fit in one process, without torchrun"
    if model.closed:
        raise ConfigError(f"a model of normals is fitted by EM, which one process does: {alone}")
    if objective.couples_rows and not objective.couples_processes:
        raise ConfigError(
            f"the objective {type(objective).__name__} compares the rows of a batch with each other, of which each of "
            f"{world.size()} processes has a part: take another one, as --objective elbo, or {alone}"
        )
    if batch_size < world.size():
        raise ConfigError(
            f"batches of {batch_size} rows cannot be divided among {world.size()} processes: take a larger one, as "
            f"--set batch_size={world.size() * 32}, or fewer processes"
        )
    for member in model.members:
        if isinstance(member, VAE) and isinstance(member.p_z, FromPosterior) and member.p_z.knows_rows:
            raise ConfigError(
                "an exemplar prior stores codes of the rows of each step, which several processes do not share: take "
                f"--prior vamp, or {alone}"
            )
    if any(isinstance(module, _BatchNorm) for module in model.modules()):
        raise ConfigError(
            "a batch normalisation takes mean and deviation over the rows of a batch, of which each of "
            f"{world.size()} processes has a part: use another normalisation, or {alone}"
        )
