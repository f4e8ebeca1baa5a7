"""The categorical prior of discrete codes."""

from __future__ import annotations

import torch
from torch import nn

from likely.distributions import OneHot, RelaxedOneHot
from likely.distributions.one_hot import demand_code
from likely.priors.base import Prior

__all__ = ["Categorical"]


class Categorical(Prior):
    """P(z) = Π_g P(z_g): `groups` one-hot vectors of `classes`, π_g = softmax(logits_g), learned, uniform at first.

    For the posterior `Categorical`. In training the distribution is relaxed, with this temperature: bounds that ask for
    log P(z) of relaxed draws are then bounds of the relaxed model (Maddison et al. 2017), whose prior is the Concrete
    distribution. In evaluation it is the categorical.

    Parameters
    ----------
    groups, classes
        Number of one-hot vectors, and the length of each.
    temperature
        λ of the relaxed distribution, as the posterior's unless there is a reason.

    Raises
    ------
    ConfigError
        If there is no group, less than two classes, or the temperature is not positive.

    """

    space = "codes"

    def __init__(self, groups: int, classes: int, temperature: float = 2 / 3) -> None:
        super().__init__()
        demand_code(groups, classes, temperature)
        self.groups, self.classes, self.temperature = groups, classes, temperature
        self.event_shape = torch.Size((groups * classes,))
        self.logits = nn.Parameter(torch.zeros(groups, classes))

    def forward(self) -> OneHot | RelaxedOneHot:
        """The distribution, over vectors `(groups * classes,)`; relaxed in training."""
        return RelaxedOneHot(self.logits, self.temperature) if self.training else OneHot(self.logits)
