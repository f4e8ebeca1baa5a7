"""The model: prior, likelihood, posterior and networks together."""

from likely.models.base import Model
from likely.models.terms import Terms
from likely.models.vae import VAE

__all__ = ["VAE", "Model", "Terms"]
