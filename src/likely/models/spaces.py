"""Which priors and posteriors speak of the same z."""

from __future__ import annotations

from likely import posteriors, priors
from likely.distributions.latent import Space
from likely.errors import ConfigError
from likely.posteriors import Posterior
from likely.priors import FromPosterior, Prior

__all__ = ["demand_same_space"]

WORDS: dict[Space, str] = {"real": "real vectors", "sphere": "unit vectors", "codes": "one-hot codes"}


def demand_same_space(prior: Prior | FromPosterior, posterior: Posterior) -> None:
    """Refuse a prior and a posterior whose codes are of different kinds.

    Raises
    ------
    ConfigError
        If their spaces differ, naming both and what would fit; or if their sizes do.

    """
    p, q = type(prior).__name__, type(posterior).__name__
    if prior.space is not None and prior.space != posterior.space:
        fit_q = ", ".join(name for name in priors.__all__ if _is(getattr(priors, name), posterior.space))
        fit_p = ", ".join(name for name in posteriors.__all__ if _is(getattr(posteriors, name), prior.space))
        raise ConfigError(
            f"prior {p} is over {WORDS[prior.space]}, posterior {q} over {WORDS[posterior.space]}; "
            f"with posterior {q} take prior {fit_q}; with prior {p} take posterior {fit_p}"
        )
    sizes = _sizes(prior, posterior)
    if sizes[0] != sizes[1]:
        raise ConfigError(f"prior {p} has z of {sizes[0]}, posterior {q} of {sizes[1]}; make them equal")


def _is(part: type[Prior] | type[FromPosterior] | type[Posterior], space: Space | None) -> bool:
    return part not in (Prior, FromPosterior, Posterior) and part.space in (None, space)


def _sizes(prior: Prior | FromPosterior, posterior: Posterior) -> list[str]:
    if isinstance(prior, priors.Categorical) and isinstance(posterior, posteriors.Categorical):
        return [f"{part.groups} groups of {part.classes} classes" for part in (prior, posterior)]
    return [f"{part.event_shape[0]} numbers" for part in (prior, posterior)]
