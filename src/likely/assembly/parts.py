"""The parts by name: what a configuration may say, and what `likely parts` lists.

What an entry's `make` is called with, before the arguments: a prior with `(schema, latent)`, a posterior with
`(latent)`, a likelihood with `(columns, shape)`, an objective with `(schema)`, a network with
`(schema, model configuration, sizes)`, for encoder and decoder; a model with what `assembly.models` says. A part that
stands in both tables of P(z) and Q(z|x) with the same arguments is a pair: to tell one is to tell both. `ladder`, in
both, is how a hierarchy was written first, and makes the sizes of its groups.
"""

from __future__ import annotations

import torch

from likely import objectives, posteriors, priors
from likely.assembly import families, maps, models, networks, normals
from likely.assembly.grammar import AUTO, Argument, Part, Trait
from likely.data import Kind, Schema
from likely.data.encode import is_byte
from likely.errors import ConfigError
from likely.networks.ladder import MAX_GROUPS
from likely.priors import FromPosterior

__all__ = ["PARTS"]


def _vamp(schema: Schema, latent: int, count: int) -> FromPosterior:
    small = schema.cells_alike and is_byte(schema.columns[0])
    dtype = torch.float32 if small else torch.float64
    missing = any(column.missing for column in schema.modelled)
    return priors.Vamp(latent, schema.event_shape, min(count, schema.rows), dtype, len(schema.conditions), missing)


def _groups(_: object, latent: int, count: int) -> tuple[int, ...]:
    """Sizes of a ladder's groups, as even as can be, the top one first."""
    if count > latent:
        raise ConfigError(f"{count} groups need as many latent dimensions at least, got {latent}; see --latent")
    return tuple(latent // count + (place < latent % count) for place in range(count))


MAX_STORED = 2**22  # points of z that is integrated out
MAX_DIMENSION = 64  # of z that is integrated out: far beyond what points can fill


def _count(name: str, default: int | None, least: int = 1) -> Argument:
    return Argument(name, default, whole=True, least=least)


CODE = (_count("GROUPS", 16), _count("CLASSES", 8, least=2), Argument("TEMPERATURE", 0.67))
GROUPS = (Argument("GROUPS", 3, whole=True, most=MAX_GROUPS),)
FAMILY = Argument(words=tuple(families.FAMILY), default="gaussian")
GRADIENT = Argument(words=("plain", "stl", "dreg"), default="plain")

MODELS = {
    "vae": Part(models.vae, "one group of z, with a prior and a posterior by name", "Kingma and Welling 2014"),
    "hierarchy": Part(
        models.hierarchy,
        "GROUPS of z, each given those above it, P(z) and Q(z|x) sharing networks; mlp: a number; conv, for pictures: "
        "maps, SIDExCOUNT[xCHANNELS] a size, coarse to fine",
        "Sonderby et al. 2016; Vahdat and Kautz 2020; Child 2021",
        (
            Argument(words=("mlp", maps.CONV), default="mlp"),
            Argument("GROUPS", AUTO, (AUTO,), True, most=MAX_GROUPS, pattern=maps.PATTERN, example="7x2x4,14x2x4"),
        ),
        traits=frozenset({Trait.HIERARCHY}),
    ),
    "integrated": Part(
        models.integrated,
        "few DIM of z, integrated out over POINTS of P(z) in training, STORED of them after it: no Q(z|x), no gap",
        "Correia et al. 2023",
        (
            Argument("DIM", AUTO, words=(AUTO,), whole=True, most=MAX_DIMENSION),
            _count("POINTS", 1024),
            Argument("STORED", AUTO, words=(AUTO,), whole=True, most=MAX_STORED),
        ),
        traits=frozenset({Trait.INTEGRATED}),
    ),
    "normals": Part(
        normals.normals,
        "of a table, ten mixtures of at most K normals with full covariances, by EM: Q(z|x) has a closed form",
        "Ghahramani and Jordan 1994",
        (Argument("K", AUTO, words=(AUTO,), whole=True, most=1000),),
        traits=frozenset({Trait.CLOSED}),
    ),
}

PRIORS = {
    "normal": Part(
        lambda _, latent: priors.StandardNormal(latent), "the standard normal N(0, I)", "Kingma and Welling 2014"
    ),
    "diagonal": Part(
        lambda _, latent: priors.DiagonalNormal(latent), "one diagonal normal, learned", "Kingma and Welling 2014"
    ),
    "mixture": Part(
        lambda _, latent, count: priors.Mixture(latent, count),
        "a mixture of K diagonal normals, learned",
        "Tomczak and Welling 2018",
        (_count("K", 200),),
    ),
    "vamp": Part(
        _vamp,
        "VampPrior: the mean of Q(z|u) over K learned pseudo-inputs u, at most one a row",
        "Tomczak and Welling 2018",
        (_count("K", 500),),
        traits=frozenset({Trait.ANY_SPACE}),
    ),
    "exemplar": Part(
        lambda schema, latent, count, near: priors.Exemplar(latent, min(count, schema.rows), near),
        "kernels at K encoded training rows, at most all; in training the NEAREST alone count, a lower bound",
        "Norouzi et al. 2020",
        (_count("K", 1000, least=2), _count("NEAREST", 10)),
    ),
    "flow": Part(
        lambda _, latent, steps, kind: priors.Flow(latent, steps, kind),
        "N(0, I) bent by a chain of invertible maps",
        "Chen et al. 2017",
        (_count("STEPS", 4), Argument(words=("coupling", "spline", "autoregressive"), default="coupling")),
    ),
    "sphere": Part(
        lambda _, latent: priors.Hypersphere(latent),
        "uniform on the unit hypersphere",
        "Davidson et al. 2018",
        traits=frozenset({Trait.PAIR}),
    ),
    "categorical": Part(
        lambda _, __, *code: priors.Categorical(*code),
        "discrete codes: GROUPS one-hot vectors of CLASSES, relaxed in training",
        "Jang et al. 2017; Maddison et al. 2017",
        CODE,
        traits=frozenset({Trait.PAIR, Trait.CODES}),
    ),
    "ladder": Part(
        _groups,
        "the prior of model hierarchy:mlp",
        "Sonderby et al. 2016; Vahdat and Kautz 2020",
        GROUPS,
        traits=frozenset({Trait.PAIR, Trait.HIERARCHY}),
        alias="hierarchy:mlp",
    ),
}

POSTERIORS = {
    "normal": Part(posteriors.Normal, "one diagonal normal a row", "Kingma and Welling 2014"),
    "full": Part(posteriors.FullNormal, "one normal with full covariance a row", "Kingma and Welling 2019"),
    "mixture": Part(
        posteriors.Mixture,
        "K diagonal normals a row, samples stratified over them",
        "Morningstar et al. 2021",
        (_count("K", 4),),
    ),
    "flow": Part(
        posteriors.Flow,
        "a diagonal normal bent by a chain of invertible maps given x",
        "Rezende and Mohamed 2015; Kingma et al. 2016",
        (_count("STEPS", 2), Argument(words=("iaf", "coupling"), default="iaf")),
    ),
    "sphere": Part(
        posteriors.VonMisesFisher,
        "von Mises-Fisher on the unit hypersphere, one a row",
        "Davidson et al. 2018",
        traits=frozenset({Trait.PAIR}),
    ),
    "categorical": Part(
        lambda _, *code: posteriors.Categorical(*code),
        "discrete codes: GROUPS one-hot vectors of CLASSES, relaxed in training",
        "Jang et al. 2017; Maddison et al. 2017",
        CODE,
        traits=frozenset({Trait.PAIR, Trait.CODES}),
    ),
    "ladder": Part(
        lambda latent, count: _groups(None, latent, count),
        "the posterior of model hierarchy:mlp",
        "Sonderby et al. 2016; Vahdat and Kautz 2020",
        GROUPS,
        traits=frozenset({Trait.PAIR, Trait.HIERARCHY}),
        alias="hierarchy:mlp",
    ),
}

LIKELIHOODS = {
    "bernoulli": Part(families.bernoulli, "0 or 1", "Kingma and Welling 2014", refuses=families.kinds(Kind.BINARY)),
    "categorical": Part(
        families.categorical, "unordered codes, or levels 0, 1, 2, ...", "Bridle 1990", refuses=families.codes
    ),
    "gaussian": Part(
        families.gaussian,
        "normal density; SIGMA fixed, in data units, or learned: one, one a column, or given z",
        "Kingma and Welling 2014",
        (Argument("SIGMA", "predicted", ("shared", "column", "predicted")),),
        families.numeric,
    ),
    "kernel": Part(
        families.kernel,
        "normal density of width H in each cell's standard deviations, or H at least: blind to finer detail than that",
        "Kingma and Welling 2014",
        (Argument("H", 0.25), Argument(words=("column",), default="")),
        families.numeric,
    ),
    "laplace": Part(
        families.laplace,
        "Laplace density: absolute error, weighed",
        "Johnson, Kotz and Balakrishnan 1995",
        refuses=families.numeric,
    ),
    "student": Part(
        families.student,
        "Student's t density, degrees of freedom given z: heavy tails",
        "Lange, Little and Taylor 1989",
        refuses=families.numeric,
    ),
    "logistic": Part(
        families.logistic,
        "on levels, listed numbers and grids the mass of the recorded cell; on real columns the density",
        "Kingma et al. 2016",
        refuses=families.numeric,
    ),
    "logistic-mixture": Part(
        families.logistic_mixture,
        "mass of the recorded cell under K logistics; coupled: a pixel's three colours together",
        "Salimans et al. 2017",
        (_count("K", 5), Argument(words=("coupled",), default="")),
        families.on_grid,
    ),
    "mixture": Part(
        families.mixture,
        "density of K members of a family: several modes",
        "Bishop 1994",
        (_count("K", 5), FAMILY),
        families.numeric,
    ),
    "warped": Part(
        families.warped,
        "K logistics on the axis that training rows warp: tails, modes; listed numbers, atoms, rounded grids",
        "Hothorn et al. 2018; Salimans et al. 2017",
        (_count("K", 5),),
        families.numeric,
        traits=frozenset({Trait.ALL_FORMS}),
    ),
    "lognormal": Part(
        families.lognormal,
        "density on x > 0 whose logarithm is normal",
        "Johnson, Kotz and Balakrishnan 1994",
        refuses=families.positive,
    ),
    "gamma": Part(families.gamma, "density on x > 0", "McCullagh and Nelder 1989", refuses=families.positive),
    "beta": Part(families.beta, "density on 0 < x < 1", "Ferrari and Cribari-Neto 2004", refuses=families.inside),
    "poisson": Part(
        families.poisson,
        "counts 0, 1, 2, ..., their variance the mean",
        "Johnson, Kemp and Kotz 2005",
        refuses=families.counts,
        traits=frozenset({Trait.EXPOSED}),
    ),
    "negative-binomial": Part(
        families.negative_binomial,
        "counts of a variance above the mean",
        "Hilbe 2011",
        refuses=families.counts,
        traits=frozenset({Trait.EXPOSED}),
    ),
    "zero-inflated": Part(
        families.zero_inflated,
        "counts with zeros in excess",
        "Lambert 1992",
        (Argument(words=tuple(families.COUNTS)),),
        families.counts,
        traits=frozenset({Trait.EXPOSED}),
    ),
    "truncated": Part(
        families.truncated,
        "density within hard limits, or on the column's side of 0",
        "Johnson, Kotz and Balakrishnan 1994",
        (FAMILY,),
        families.limited,
    ),
}

OBJECTIVES = {
    "elbo": Part(
        lambda _, kl: objectives.ELBO(kl=kl),
        "evidence lower bound; the KL in closed form where there is one, or sampled",
        "Kingma and Welling 2014",
        (Argument(words=("closed", "sampled"), default="closed"),),
    ),
    "beta": Part(
        lambda _, beta: objectives.Beta(beta),
        "beta-VAE: the KL times B; a bound if B >= 1",
        "Higgins et al. 2017",
        (Argument("B"),),
    ),
    "capacity": Part(
        lambda _, capacity, gamma: objectives.Capacity(capacity, gamma),
        "a KL of C nats; GAMMA is paid for each nat it is off",
        "Burgess et al. 2018",
        (Argument("C"), Argument("GAMMA", 1000.0)),
    ),
    "free-bits": Part(
        lambda _, nats, per: objectives.FreeBits(nats, per),
        "the first NATS of the KL are free, of each dimension, of each group of a ladder or in total",
        "Kingma et al. 2016",
        (Argument("NATS"), Argument(words=("dimension", "group", "total"), default="dimension")),
        traits=frozenset({Trait.BY_DIMENSION}),
    ),
    "iwae": Part(
        lambda _, count, gradient: objectives.IWAE(count, gradient),
        "importance-weighted bound of K samples; stl, dreg: less noise in the encoder's gradient",
        "Burda et al. 2016; Roeder et al. 2017; Tucker et al. 2019",
        (_count("K", None), GRADIENT),
    ),
    "trimmed": Part(
        lambda _, share: objectives.Trimmed(share),
        "the ELBO of a batch's most probable rows, SHARE of them left out: rows unlike the others do not count",
        "Hadi and Luceno 1997",
        (Argument("SHARE", 0.4),),
    ),
    "miwae": Part(
        lambda _, m, count, gradient: objectives.MIWAE((m, count), gradient),
        "the mean of M importance-weighted bounds of K samples",
        "Rainforth et al. 2018",
        (_count("M", None), _count("K", None), GRADIENT),
    ),
    "beta-tc": Part(
        lambda schema, beta: objectives.BetaTC(beta, schema.rows),
        "beta-TCVAE: the total correlation of z times B; needs posterior normal",
        "Chen et al. 2018",
        (Argument("B"),),
    ),
    "mmd": Part(
        lambda _, weight, kl: objectives.MMD(weight, kl),
        "InfoVAE: WEIGHT times the discrepancy of Q(z) and P(z), KL times the KL",
        "Zhao et al. 2019",
        (Argument("WEIGHT", 1000.0), Argument("KL", 0.0)),
    ),
}

NETWORKS = {
    "mlp": Part(networks.mlp, "residual multilayer perceptrons, for rows of any form", "He et al. 2016"),
    "linear": Part(
        networks.linear,
        "linear maps that start at principal components, and residual perceptrons that bend them",
        "Tipping and Bishop 1999; He et al. 2016",
    ),
    "conv": Part(
        networks.conv,
        "residual convolutions, upsampling by nearest neighbours, for pictures of any size",
        "He et al. 2016; Odena et al. 2016",
        traits=frozenset({Trait.ONE_BLOCK}),
    ),
}

PARTS: dict[str, dict[str, Part]] = {
    "model": MODELS,
    "prior": PRIORS,
    "posterior": POSTERIORS,
    "likelihood": LIKELIHOODS,
    "objective": OBJECTIVES,
    "network": NETWORKS,
}
