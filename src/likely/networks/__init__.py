"""Tensors to tensors: residual networks, invertible maps, and the first layer that brings data to a common scale.

A `Network` states, in numbers per row, what it takes (`inputs`), what it gives (`outputs`) and the most that any of its
layers holds (`widest`); those that can be a decoder `start` their output at a given row.
"""

from likely.networks.base import Network
from likely.networks.conv_topdown import ConvLadder, Level
from likely.networks.convolution import ConvDecoder, ConvEncoder
from likely.networks.encoder import Encoder
from likely.networks.flows import Steps
from likely.networks.inputs import Features, Standardise
from likely.networks.ladder import Ladder
from likely.networks.linear import LinearMLP
from likely.networks.patches import PatchDecoder, PatchEncoder
from likely.networks.residual import ResidualMLP
from likely.networks.shaped import Shaped
from likely.networks.topdown import Group, TopDown

__all__ = [
    "ConvDecoder",
    "ConvEncoder",
    "ConvLadder",
    "Encoder",
    "Features",
    "Group",
    "Ladder",
    "Level",
    "LinearMLP",
    "Network",
    "PatchDecoder",
    "PatchEncoder",
    "ResidualMLP",
    "Shaped",
    "Standardise",
    "Steps",
    "TopDown",
]
