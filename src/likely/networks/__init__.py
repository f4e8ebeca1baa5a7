"""Tensors to tensors: residual networks, and the first layer that brings data to a common scale."""

from likely.networks.inputs import Features, Standardise
from likely.networks.residual import ResidualMLP

__all__ = ["Features", "ResidualMLP", "Standardise"]
