"""How probable an event is for each row, given what is observed of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from likely.data import EncodedRows
from likely.data.events import Event
from likely.evaluation.proposals import Mixture, ProposalRule
from likely.evaluation.sampling import PerRow, Progress
from likely.models import Model
from likely.tasks.chances import probability, recorded
from likely.tasks.draws import Draws, draws_again, posterior_draws

__all__ = ["Answers", "ask", "mean_and_error"]

ANSWERED = ("probability", "se", "ess")


@dataclass(frozen=True, eq=False)
class Answers:
    """P(event|x_observed) of some rows.

    Attributes
    ----------
    probability, se
        The estimate, and its standard error from sampling z: `(rows,)`, float64; NaN where one draw has all the weight.
    ess
        Effective sample size of the weights (Kong 1992): `(rows,)`.

    """

    probability: Tensor
    se: Tensor
    ess: Tensor


@torch.no_grad()
def ask(
    model: Model,
    rows: EncodedRows,
    events: Sequence[Event],
    *,
    like: Tensor,
    samples: int = 200,
    seed: int = 0,
    rule: ProposalRule | None = None,
    progress: Progress | None = None,
) -> Answers:
    """P(C|x_observed) = E_{P(z|x_observed)} Π_j P(x_j ∈ C_j|z) ≈ Σ_k w_k Π_j P(x_j ∈ C_j|z_k).

    Exact where z is summed over. Else self-normalised importance sampling of z ~ P(z|x_observed), as in `impute`; cells
    are independent given z. Rows whose weights have an effective sample size below 10 are drawn again (`draws_again`).

    Parameters
    ----------
    model, rows
        Of a table; the cells that are asked about are not observed.
    events
        What must hold together, at most one of each cell; none of a number without mass.
    like
        A row `(columns,)` that fills the other cells while probabilities are computed.
    samples
        Draws of z a row.
    seed
        Of the noise, which is keyed by (seed, row).
    rule
        For which rows z is drawn from more than Q(z|x); none unless given.
    progress
        Called with (rows done, rows).

    """
    request = _Request(recorded(events, model.p_x_z), like, seed)
    answers = _answers_with(model, rows, request, samples, None, progress)
    tries = draws_again(model, rows, rule or ProposalRule(), lambda: answers.ess, samples=samples, seed=seed)
    for again in tries:
        better = _answers_with(model, rows.take(again.index), request, again.samples, again.mixture, None)
        for name in ANSWERED:
            getattr(answers, name)[again.index.cpu()] = getattr(better, name)
    return answers


@dataclass(frozen=True, eq=False)
class _Request:
    events: Sequence[Event]
    like: Tensor
    seed: int


def _answers_with(
    model: Model, rows: EncodedRows, request: _Request, samples: int, mixture: Mixture | None, progress: Progress | None
) -> Answers:
    per_row = PerRow()
    drawn = posterior_draws(
        model, rows, per_row, samples=samples, seed=request.seed, mixture=mixture, progress=progress
    )
    for draws in drawn:
        value, se = mean_and_error(_chances(model, draws, request.events, request.like), draws.log_weight)
        if draws.every:
            se = torch.zeros_like(se)
        per_row.add(draws.chunk, probability=value, se=se, ess=draws.ess.nan_to_num())
    return Answers(*(per_row.tensor(name) for name in ANSWERED))


def _chances(model: Model, draws: Draws, events: Sequence[Event], like: Tensor) -> Tensor:
    """P(C|z_k): `(K, rows)`, float64."""
    parts = []
    for _, p_x_z in draws.likelihoods(model):
        filled = like.expand(p_x_z.batch_shape)
        each = torch.stack([probability(p_x_z, event, filled) for event in events])
        parts.append(each.prod(0))
    return torch.cat(parts)


def mean_and_error(values: Tensor, log_weight: Tensor) -> tuple[Tensor, Tensor]:
    """Σ_k w_k f_k, f from 0 to 1, w ∝ exp(log_weight), and its standard error: `(K, rows)` twice -> `(rows,)` twice.

    The error is the jackknife over single draws (Tukey 1958): without draw k the mean moves by
    w_k (mean − f_k)/(1 − w_k). So a draw that has nearly all the weight shows as the whole distance to the mean of the
    others, where the delta method, which lacks the divisor, would give nearly none. With it in quadrature goes
    1/(1 + ess), the most that one more draw could move a mean of numbers from 0 to 1: of an event that one draw in
    hundreds makes probable the draws that were taken may know nothing.
    """
    count = len(values)
    weight = torch.softmax(log_weight, 0).nan_to_num(nan=1 / count)
    mean = (weight * values).sum(0)
    place = weight.argmax(0, keepdim=True)
    others = torch.softmax(log_weight.scatter(0, place, -torch.inf), 0)
    moved = weight * (mean - values) / (1 - weight)
    moved = moved.scatter(0, place, ((others * values).sum(0) - mean).unsqueeze(0))
    spread = (moved - moved.mean(0)).square().sum(0)
    unseen = 1 / (1 + weight.square().sum(0).reciprocal())
    return mean.clamp(0, 1), torch.sqrt(spread * (count - 1) / count + unseen.square())
