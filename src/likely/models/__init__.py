"""The model: prior, likelihood, posterior, encoder and decoder together."""

from likely.models.vae import VAE, Terms

__all__ = ["VAE", "Terms"]
