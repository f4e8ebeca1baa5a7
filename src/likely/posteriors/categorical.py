"""The categorical posterior of discrete codes, relaxed in training."""

from __future__ import annotations

import torch
from torch import Tensor

from likely.distributions import OneHot, RelaxedOneHot
from likely.distributions.one_hot import demand_code
from likely.posteriors.base import Posterior

__all__ = ["Categorical"]

MAX_LOGIT = 10.0  # either way: no class has less than e^-20 of the mass of another


class Categorical(Posterior):
    """Q(z|x) = Π_g Q(z_g|x): `groups` one-hot vectors of `classes`, π_g = softmax(logits_g(x)).

    In training z is relaxed, a draw of the Concrete distribution (Maddison et al. 2017; Jang et al. 2017), so that
    gradients flow; in evaluation it is the exact code. The KL is that of the categoricals, in closed form, in both (as
    Jang et al. do): what training maximises with relaxed z is then no bound on log P(x), relaxed or not, while
    evaluation is exact. Importance-weighted bounds, and any KL that is sampled, take the relaxed densities of Q and P
    instead: in training they bound the evidence of the relaxed model, and in evaluation that of the model. What is good
    for the one need not be for the other: in a small trial the ELBO trained the better model of codes.

    Logits are kept within −10 and 10, so that relaxed draws do not underflow at temperatures from ½ on.

    Parameters
    ----------
    groups, classes
        Number of one-hot vectors, and the length of each.
    temperature
        λ of the relaxed distribution; ⅔ by Maddison et al. 2017. Lower is nearer to codes, and noisier in gradient.

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
        self.event_shape = self.parameter_shape = torch.Size((groups * classes,))

    def forward(self, parameters: Tensor) -> OneHot | RelaxedOneHot:
        """`(batch, groups * classes)`: logits -> the distribution, over `(groups * classes,)`; relaxed in training."""
        logits = parameters.clamp(-MAX_LOGIT, MAX_LOGIT).unflatten(-1, (self.groups, self.classes))
        return RelaxedOneHot(logits, self.temperature) if self.training else OneHot(logits)
