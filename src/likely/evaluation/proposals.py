"""From what z is drawn for rows that Q(z|x) alone serves badly: Q with P(z), and Qs optimised for the row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from likely.data import Batch, EncodedRows
from likely.data.noise import Stream
from likely.distributions import LatentDistribution
from likely.evaluation.ascent import adam, climb
from likely.evaluation.averages import BLOCKS
from likely.evaluation.sampling import Chunk, PerRow, Progress, block_size, copy_keys, sample_blocks, terms_of
from likely.evaluation.tail import Tail
from likely.models import Model, frozen
from likely.networks.precision import Precision, autocast

__all__ = ["Mixture", "ProposalRule", "SeenRows", "effective_enough", "weighted_draws"]

# A pilot of so many draws of z, with noise of their own, decides which rows get other z: a decision by the draws that
# are then averaged would keep high averages and replace low ones. Weights worth MIN_EFFECTIVE of them (Kong 1992) are
# enough; where they are worth AMPLE of them, a row is served well wherever its cells are.
PILOT, MIN_EFFECTIVE, AMPLE = 100, 10.0, 90.0
PILOT_SEED = 2**40  # is added to the seed
PRIOR_SHARE = 0.3  # of the draws where cells are missing that never were in training
CANDIDATES = 1000  # draws of P(z), of which the best are starts
MAX_ANCHORS = 1000  # training rows whose codes are kept to start from
STEPS, ANTITHETIC_PAIRS = 100, 1  # of the optimiser; samples of z with their mirror images, behind each step
ROWS = 16  # optimised at once: few, so that one row alone is quick
APART = 2**20  # numbers of draws between two optimised Qs, whose noise has one stream
WIDER = 3.0  # half of them lie this many times as far from their mean: a row far out may come from where P(z) is small
DISTINCT, NEAR = 5, 0.75  # starts of each kind, which lie this share of the spread of P(z) apart
CENTRING = 60  # steps by which a Q is centred on a start


@dataclass(frozen=True, eq=False)
class Mixture:
    """For each row the mixture q_α(z) = Σ_c α_c q_c(z) that its z are drawn from.

    Its components are the encoder's Q(z|x), Qs that were optimised for the row, and P(z).

    Attributes
    ----------
    shares
        α: as many numbers as components, the same for every row; they sum to 1.
    encoded
        What the optimised Qs are made of, in the place of the encoder's output: `(Qs, rows, numbers)`.

    """

    shares: tuple[float, ...]
    encoded: Tensor

    def take(self, index: Tensor) -> Mixture:
        """The mixtures of the rows with these numbers."""
        return Mixture(self.shares, self.encoded[:, index])


@dataclass(frozen=True, eq=False)
class SeenRows:
    """What the training rows were like: beyond that the encoder was never trained.

    Attributes
    ----------
    encoded
        The encoder's outputs for at most 1,000 of them, chosen by their content, `(rows, numbers)`: where the optimiser
        may start.
    low, high
        The least and the greatest observed value of each cell, `(*event)` float64. Where there are fewer rows than
        twice the cells nearly every row holds one of them: they are -infinity and infinity then.
    complete
        Cells that no training row misses, `(*event)` boolean.
    y_low, y_high
        The least and the greatest of the conditions y, `(conditions,)` float64.

    """

    encoded: Tensor
    low: Tensor
    high: Tensor
    complete: Tensor
    y_low: Tensor
    y_high: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, model: Model, rows: EncodedRows) -> SeenRows:
        """What these training rows are like, on the processor."""
        model.eval()
        rows = rows.binarised_once(0)
        some, per_row = rows.take(copy_keys(rows, 0).argsort()[:MAX_ANCHORS]), PerRow()
        if not model.summed and not model.closed:  # nothing is optimised where z is summed over, or Q is a closed form
            for chunk in per_row.chunks(some, 0):
                per_row.add(chunk, encoded=model.encoded(chunk.batch))
        lows, highs, complete = [], [], []
        for index in torch.arange(len(rows), device=rows.device).split(MAX_ANCHORS):
            batch = rows.evaluation_batch(index)
            values = batch.values.to(torch.float64)
            seen = torch.ones_like(values, dtype=torch.bool) if batch.observed is None else batch.observed
            lows.append(values.where(seen, torch.inf).amin(0))
            highs.append(values.where(seen, -torch.inf).amax(0))
            complete.append(seen.all(0))
        low, high = torch.stack(lows).amin(0), torch.stack(highs).amax(0)
        if 2 * low.numel() > len(rows):
            low, high = low.fill_(-torch.inf), high.fill_(torch.inf)
        y = low.new_zeros((1, 0)) if rows.covariates is None else rows.covariates.to(torch.float64)
        none = torch.zeros((0, model.encoded_size))
        encoded = per_row.tensor("encoded") if "encoded" in per_row else none
        y_low, y_high, kept = y.amin(0).cpu(), y.amax(0).cpu(), encoded[encoded.isfinite().all(1)]
        return cls(kept, low.cpu(), high.cpu(), torch.stack(complete).all(0).cpu(), y_low, y_high)

    def beyond(self, batch: Batch) -> Tensor:
        """Which rows have a cell, or a number of y, beyond those of all training rows: `(rows,)`."""
        outside = _outside(batch.values, self.low, self.high)
        beyond = (outside if batch.observed is None else outside & batch.observed).flatten(1).any(1)
        if batch.covariates is None or not self.y_low.numel():
            return beyond
        return beyond | _outside(batch.covariates, self.y_low, self.y_high).any(1)

    def incomplete(self, batch: Batch) -> Tensor:
        """Which rows miss a cell that no training row misses: `(rows,)`."""
        if batch.observed is None:
            return torch.zeros(len(batch), dtype=torch.bool, device=batch.values.device)
        return (~batch.observed & self.complete.to(batch.values.device)).flatten(1).any(1)


def _outside(values: Tensor, low: Tensor, high: Tensor) -> Tensor:
    values = values.to(torch.float64)
    return (values < low.to(values.device)) | (values > high.to(values.device))


@dataclass(frozen=True, eq=False)
class ProposalRule:
    """For which rows z is drawn from more than Q(z|x); decided by the row alone. The default is none.

    Attributes
    ----------
    seen
        What the training rows were like. A row that misses a cell which none of them misses is of a kind that the
        encoder has never met: a part of its z are drawn from P(z).
    optimise
        Whether rows get Qs of their own whose weights are worth fewer than ten draws of z of a pilot of 100, and rows
        with a cell beyond those of all training rows, unless these are worth ninety: Q may miss where P(z|x) is, and
        the draws that it gives agree with each other.

    """

    seen: SeenRows | None = None
    optimise: bool = False

    def optimises(self, model: Model) -> bool:
        """Whether rows may get Qs of their own: draws of codes have no derivative in Q's parameters."""
        return self.optimise and model.prior().has_rsample

    def improved(
        self, model: Model, rows: EncodedRows, *, samples: int, seed: int, progress: Progress | None = None
    ) -> Iterator[tuple[Tensor, Mixture]]:
        """Numbers of rows that need other z, and what to draw these from; twice for rows that the first does not help.

        Parameters
        ----------
        model, rows
            The rows encoded and, where that applies, binarised once.
        samples, seed
            Draws of z a row; of the noise.
        progress
            Called with (rows optimised, rows to optimise).

        """
        if model.summed or model.closed or samples < 2 or (rows.observed is None and not self.optimises(model)):
            return
        beyond, incomplete = self._unfamiliar(rows)
        index = incomplete.nonzero().squeeze(1)
        with_prior = Mixture((1 - PRIOR_SHARE, PRIOR_SHARE), torch.zeros((0, len(index), 0), device=rows.device))
        if len(index):
            yield index, with_prior
        if not self.optimises(model):
            return
        effective = _effective(model, rows, None, seed)
        if len(index):
            effective[index] = _effective(model, rows.take(index), with_prior, seed)
        enough = torch.where(beyond, effective >= AMPLE, effective >= MIN_EFFECTIVE)
        index = (~enough).nonzero().squeeze(1)
        if len(index):
            encoded = _optimised(model, rows.take(index), self.seen, seed, progress)
            share = 1 / (len(encoded) + 2)
            yield index, Mixture((share,) * (len(encoded) + 2), encoded)

    def _unfamiliar(self, rows: EncodedRows) -> tuple[Tensor, Tensor]:
        """Which rows have a cell beyond all training rows; which miss one that no training row misses."""
        none = torch.zeros(len(rows), dtype=torch.bool, device=rows.device)
        if self.seen is None or not len(rows):
            return none, none
        beyond, incomplete = [], []
        for index in torch.arange(len(rows), device=rows.device).split(MAX_ANCHORS):
            batch = rows.evaluation_batch(index)
            beyond.append(self.seen.beyond(batch) if self.optimise else none[: len(batch)])
            incomplete.append(self.seen.incomplete(batch))
        return torch.cat(beyond), torch.cat(incomplete)


def effective_enough(ess: Tensor, samples: int) -> Tensor:
    """Whether the weights of K draws are worth ten of them, and a tenth: `(rows,)`; not where all are zero."""
    return ess >= MIN_EFFECTIVE * max(1.0, samples / PILOT)


@torch.no_grad()
def _effective(model: Model, rows: EncodedRows, mixture: Mixture | None, seed: int) -> Tensor:
    """Effective sample sizes of the pilot from Q(z|x), or from a mixture: `(rows,)`, NaN where no weight has mass."""
    model.eval()
    p, per_row, block = model.prior(), PerRow(), block_size(model, rows, PILOT, size=ROWS)
    for chunk in per_row.chunks(rows, seed + PILOT_SEED, ROWS):
        tail = Tail(PILOT, len(chunk.batch), chunk.keys.device)
        if mixture is None:
            drawn = terms_of(model, chunk, p, stream=Stream.POSTERIOR, samples=PILOT, block=block)
            weights = (terms.log_weight for _, terms in drawn)
        else:
            mixed = weighted_draws(model, chunk, p, mixture.take(chunk.index), samples=PILOT, block=block)
            weights = (log_weight for _, _, log_weight in mixed)
        for log_weight in weights:
            tail.add(log_weight)
        per_row.add(chunk, ess=tail.ess)
    return per_row.tensor("ess").to(rows.device)


def weighted_draws(
    model: Model,
    chunk: Chunk,
    p: LatentDistribution,
    mixture: Mixture,
    *,
    samples: int,
    block: int,
    precision: Precision = "float32",
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Draws of z ~ q_α(z), block by block, with log P(x, z)/q_α(z): the mean of P(x, z)/q_α(z) estimates P(x).

    Of K draws α_c K come from the component c, and every draw is weighed by the whole mixture, whichever it came from:
    multiple importance sampling with the balance heuristic (Veach and Guibas 1995, Optimally combining sampling
    techniques for Monte Carlo rendering, section 3.3), which is unbiased for P(x). The noise is not that which the Qs
    were optimised or chosen by.

    Parameters
    ----------
    model, chunk, p
        The rows, and P(z).
    mixture
        Of these rows, as many as the chunk has.
    samples, block
        K, and how many of them at once.
    precision
        In which networks are multiplied; see `evidence`.

    Yields
    ------
    tuple
        The number of the first draw; z `(block, rows, latent)`; log-weights `(block, rows)`, float64, nats.

    """
    optimised = [model.posterior_from(one) for one in mixture.encoded]
    parts = [model.posterior(chunk.batch), *optimised, p]
    streams = [Stream.PROPOSE_POSTERIOR, *[Stream.PROPOSE_OPTIMISED] * len(optimised), Stream.PROPOSE_PRIOR]
    counts = _counts(mixture.shares, samples)
    ends = torch.tensor(counts).cumsum(0)
    log_share = torch.tensor(counts, dtype=torch.float64, device=chunk.keys.device).div(samples).log()
    for first, size in sample_blocks(samples, block):
        z = torch.cat(
            [
                part.from_noise(chunk.noise(stream, part, number * APART + begin, end - begin))
                for number, part, stream, begin, end in _pieces(parts, streams, ends.tolist(), first, first + size)
            ]
        )
        with autocast(precision, chunk.keys.device):
            log_px_z = model.log_px_z(chunk.batch, z)
        each = torch.stack([part.log_prob(z).to(torch.float64).expand(len(z), len(chunk.batch)) for part in parts])
        log_mixture = torch.logsumexp(each + log_share.view(-1, 1, 1), 0)
        yield first, z, log_px_z.to(torch.float64) + each[-1] - log_mixture


def _pieces(
    parts: list[LatentDistribution], streams: list[Stream], ends: list[int], first: int, last: int
) -> Iterator[tuple[int, LatentDistribution, Stream, int, int]]:
    """Which draws from `first` to before `last` are of which component: its number, itself, and its stream of noise."""
    begin = 0
    for number, (part, stream, end) in enumerate(zip(parts, streams, ends, strict=True)):
        low, high = max(begin, first), min(end, last)
        if low < high:
            yield number, part, stream, low, high
        begin = end


def _counts(shares: tuple[float, ...], samples: int) -> list[int]:
    """How many of the draws each component gets: at least one of each where there are enough.

    Of many draws each gets a multiple of 20, so that the groups of the jackknife have equal parts of each component.
    """
    unit = BLOCKS if samples >= BLOCKS * len(shares) else 1
    counts = [unit * max(1, round(share * samples / unit)) for share in shares[1:]]
    return [samples - sum(counts), *counts] if sum(counts) < samples else [samples, *[0] * len(counts)]


def _optimised(model: Model, rows: EncodedRows, seen: SeenRows | None, seed: int, progress: Progress | None) -> Tensor:
    """What Qs optimised for the rows are made of, from six or eleven starts: `(starts, rows, numbers)`."""
    model.eval()
    p, per_row, block = model.prior(), PerRow(), block_size(model, rows, CANDIDATES, size=ROWS)
    with frozen(model):
        known = None if seen is None else _Anchors.of(model, seen.encoded.to(p.like))
        for chunk in per_row.chunks(rows, seed, ROWS, progress=progress):
            starts = _starts(model, chunk, p, known, block)
            ends = climb(
                model, _repeated(rows, chunk, len(starts)), p, torch.cat(starts), steps=STEPS, pairs=ANTITHETIC_PAIRS
            )
            per_row.add(chunk, encoded=ends.unflatten(0, (len(starts), -1)).movedim(0, 1))
    return per_row.tensor("encoded").to(rows.device).movedim(1, 0)


def _repeated(rows: EncodedRows, chunk: Chunk, times: int) -> Chunk:
    """The rows of the chunk, several times in one, so that all starts are optimised at once."""
    index = chunk.index.repeat(times)
    return Chunk(rows.evaluation_batch(index), chunk.keys.repeat(times), len(index), index)


@dataclass(frozen=True, eq=False)
class _Anchors:
    """The encoder's outputs for training rows `(rows, numbers)`, and the centres of their Qs `(rows, latent)`."""

    encoded: Tensor
    codes: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, model: Model, encoded: Tensor) -> _Anchors:
        """With the centres."""
        return cls(encoded, torch.cat([model.posterior_from(part).centre for part in encoded.split(100)]))


@torch.no_grad()
def _starts(model: Model, chunk: Chunk, p: LatentDistribution, anchors: _Anchors | None, block: int) -> list[Tensor]:
    """Where the optimiser starts: `(rows, numbers)` each.

    The encoder's output; Qs centred on five of 1,000 draws of P(z), of greatest log P(x, z) among those that lie apart,
    where half of the draws are taken further out; and the encoder's outputs for five training rows with such codes.
    """
    batch, start = chunk.batch, model.encoded(chunk.batch)
    parts = [
        p.from_noise(chunk.noise(Stream.CANDIDATE, p, first, size)) for first, size in sample_blocks(CANDIDATES, block)
    ]
    drawn = torch.cat(parts)
    near = NEAR * drawn.std(0).square().sum(-1).sqrt()
    if p.convex:
        centre, half = drawn.mean(0), len(drawn) // 2
        drawn = torch.cat([drawn[:half], centre + WIDER * (drawn[half:] - centre)])
    best = _distinct(model, batch, p, drawn, near, block)
    starts = [start, *(_centred(model, start, drawn[number, torch.arange(len(batch))]) for number in best)]
    if anchors is not None and len(anchors.codes):
        codes = anchors.codes.unsqueeze(1).expand(-1, len(batch), -1)
        starts += [anchors.encoded[number] for number in _distinct(model, batch, p, codes, near, block)]
    return starts


def _distinct(model: Model, batch: Batch, p: LatentDistribution, z: Tensor, near: Tensor, block: int) -> list[Tensor]:
    """Numbers of the z `(any number, rows, latent)` with the greatest log P(x, z) that lie apart, for each row."""
    parts = [model.log_px_z(batch, part) + p.log_prob(part) for part in z.split(block)]
    value = torch.cat(parts).nan_to_num(-torch.inf)
    rows, chosen = torch.arange(z.shape[1], device=z.device), list[Tensor]()
    for _ in range(DISTINCT):
        number = value.argmax(0)
        chosen.append(number)
        away = (z - z[number, rows]).square().sum(-1).sqrt()
        value = value.masked_fill(away <= near, -torch.inf)
    return chosen


@torch.enable_grad()
def _centred(model: Model, start: Tensor, z: Tensor) -> Tensor:
    """The encoder's output, from `start` on, of a Q with its centre at z: `(rows, numbers)`."""

    def closeness(encoded: Tensor) -> Tensor:
        return -(model.posterior_from(encoded).centre - z).square().sum()

    return adam(closeness, start, CENTRING)
