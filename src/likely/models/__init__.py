"""The model: prior, likelihood, posterior and networks together."""

from likely.models.base import Model, frozen
from likely.models.ensemble import Ensemble
from likely.models.exposure import Exposure
from likely.models.hierarchical import HierarchicalVAE
from likely.models.integrated import Integrated, quantiles, uniform_points
from likely.models.normals import Normals, Outputs
from likely.models.terms import KLKind, Sums, Terms
from likely.models.vae import VAE

__all__ = [
    "VAE",
    "Ensemble",
    "Exposure",
    "HierarchicalVAE",
    "Integrated",
    "KLKind",
    "Model",
    "Normals",
    "Outputs",
    "Sums",
    "Terms",
    "frozen",
    "quantiles",
    "uniform_points",
]
