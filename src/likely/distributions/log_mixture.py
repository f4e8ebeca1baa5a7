"""Logarithms of mixtures of logistics, which are most of what the model of a table computes."""

from __future__ import annotations

import math
from functools import reduce
from itertools import cycle
from typing import Protocol

import torch
from torch import Tensor

from likely.distributions.shapes import broadcast_shapes

__all__ = ["log_mixture", "log_shares"]

LOG2_E = math.log2(math.e)
NEGLIGIBLE = -100.0  # powers of 2 by which a component's part is below the greatest, and counts for nothing
MAX_IN_CACHE, MIN_PART = 2**17, 16  # numbers of an intermediate result, and places along the axis that is cut


def log_shares(logits: Tensor) -> Tensor:
    """log softmax over the last axis, whose entries lie in memory as the logits do."""
    return logits - logits.logsumexp(-1, keepdim=True)


def log_mixture(parameters: tuple[Tensor, Tensor, Tensor], edges: tuple[Tensor, ...]) -> Tensor:
    """log Σ_k w_k (σ(b_k) − σ(a_k)), a and b the arguments of σ at both edges, without cancellation.

    A component's part is w σ(b) σ(−a) (1 − e^(a−b)), or σ(|a|) σ(|b|) (1 − e^(a−b)) e^−r, r = max(a, −b, 0) − log w.
    The least r is taken out of the sum, so that it is never too small for a number. Gradients are those of the formula,
    written down.

    Parameters
    ----------
    parameters
        log w, locations and log-scales, with the components on the last axis.
    edges
        Lower and upper edge, and the width between them; or one place, and it is the density that is mixed there:
        log Σ_k w_k σ(a_k) σ(−a_k)/s_k. They are without gradient, and broadcast against the parameters, which have one
        shape but for weights of an axis of their own: the edges' last axis is 1, or components have edges of their own.

    """
    dims = max(one.dim() for one in (*parameters, *edges))
    given = [_components_first(one, dims) for one in (*parameters, *edges)]
    if given[0].is_cpu and not torch.is_grad_enabled():
        return _in_parts(given)
    mixed: Tensor = _Mix.apply(*given)  # type: ignore[no-untyped-call]
    return mixed


def _in_parts(given: list[Tensor]) -> Tensor:
    """`log_mixture` without gradients, along the first axis of the batch, of parts that stay in the cache."""
    shape = broadcast_shapes(*(one.shape for one in given))
    axis = next((axis for axis in range(1, len(shape)) if shape[axis] > 1), 0)
    size = max(MIN_PART, MAX_IN_CACHE * shape[axis] // max(1, shape.numel()))
    if axis == 0 or size >= shape[axis]:
        return _share(*given)[1]
    cuts = [one.split(size, axis) if one.shape[axis] > 1 else cycle([one]) for one in given]
    each = [_share(*part)[1] for part in zip(*cuts, strict=False)]
    if each[0].stride(axis - 1) == 1:  # torch.cat would put the last axis closest again
        return torch.cat([one.movedim(axis - 1, -1) for one in each], -1).movedim(-1, axis - 1)
    return torch.cat(each, axis - 1)


def _share(
    log_weights: Tensor, loc: Tensor, log_scale: Tensor, lower: Tensor, *rest: Tensor
) -> tuple[tuple[Tensor, ...], Tensor]:
    """What gradients are made of: shares of the components, a, 1/s, −b and b − a; and the logarithm of the sum.

    Functions are those that take the least time on processors: σ, 2^x and maxima.
    """
    inverse = (-log_scale).exp()
    a, others = (lower - loc).mul_(inverse), tuple[Tensor, ...]()
    if rest:
        narrow = (rest[1] * inverse).clamp_min_(torch.finfo(loc.dtype).tiny)
        minus_b = (loc - rest[0]).mul_(inverse)
        others = minus_b, narrow
        away = torch.maximum(a, minus_b).relu_().sub_(log_weights)
        share = torch.expm1(-narrow).neg_().mul_(minus_b.abs().sigmoid_()).mul_(a.abs().sigmoid_())
    else:
        away = a.abs()
        share = torch.sigmoid(away).square_().mul_(inverse)
        away.sub_(log_weights)
    least = reduce(torch.minimum, away.unbind(0))
    share.mul_((least - away).mul_(LOG2_E).clamp_min_(NEGLIGIBLE).exp2_())
    first, *more = share.unbind(0)
    total = reduce(torch.add, more, first.clone())
    return (share.div_(total), a, inverse, *others), total.log_().sub_(least)


def _components_first(parameter: Tensor, dims: int) -> Tensor:
    """`(components, *batch)` of `(*batch, components)`, in memory too, unless the batch's first axis lies closest."""
    moved = parameter[(None,) * (dims - parameter.dim())].movedim(-1, 0)
    first = next((axis for axis in range(1, dims) if moved.shape[axis] > 1), 0)
    return moved if moved.stride(first) == 1 else moved.contiguous()


class _Saved(Protocol):
    """What `_Mix` keeps for its gradients."""

    saved_tensors: tuple[Tensor, ...]
    shapes: tuple[torch.Size, ...]

    def save_for_backward(self, *tensors: Tensor) -> None: ...


class _Mix(torch.autograd.Function):
    """`log_mixture` of parameters with the components on the first axis."""

    @staticmethod
    def forward(ctx: _Saved, *given: Tensor) -> Tensor:
        saved, mixed = _share(*given)
        ctx.save_for_backward(*saved)
        ctx.shapes = tuple(part.shape for part in given[:3])
        return mixed

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: _Saved, gradient: Tensor) -> tuple[Tensor | None, ...]:
        share, a, inverse, *rest = ctx.saved_tensors
        of_weights = share * gradient
        minus_b = rest[0] if rest else -a
        above, below = torch.sigmoid(minus_b), torch.sigmoid(a)
        of_scale = (rest[1] / torch.expm1(rest[1])) if rest else torch.ones_like(a)
        of_scale.addcmul_(minus_b, above, value=-1).addcmul_(a, below, value=-1)
        found = (of_weights, (below - above).mul_(inverse).mul_(of_weights), of_scale.neg_().mul_(of_weights))
        return (
            *(one.sum_to_size(shape) for one, shape in zip(found, ctx.shapes, strict=True)),
            None,
            *([None, None] if rest else []),
        )
