"""Tensors to tensors: residual networks, invertible maps, and the first layer that brings data to a common scale."""

from likely.networks.encoder import Encoder
from likely.networks.flows import Steps
from likely.networks.inputs import Features, Standardise
from likely.networks.residual import ResidualMLP

__all__ = ["Encoder", "Features", "ResidualMLP", "Standardise", "Steps"]
