"""What each term of the ledger is, in formulae and words, and what the measures of x mean."""

from __future__ import annotations

__all__ = ["CHOSEN", "GAP", "KL", "MEASURES", "PX", "RECONSTRUCTION", "TERMS"]

PX = "log <i>P</i>(<i>x</i>)"
GAP = "<i>D</i>[<i>Q</i>(<i>z</i>|<i>x</i>) ‖ <i>P</i>(<i>z</i>|<i>x</i>)]"
KL = "<i>D</i>[<i>Q</i>(<i>z</i>|<i>x</i>) ‖ <i>P</i>(<i>z</i>)]"
RECONSTRUCTION = "<i>E<sub>Q</sub></i>[log <i>P</i>(<i>x</i>|<i>z</i>)]"

TERMS = {
    "reconstruction": (
        "Reconstruction term",
        RECONSTRUCTION,
        "How well the decoder explains a row from its own code: the mean of log P(x|z) over codes z drawn from Q(z|x).",
    ),
    "kl": (
        "KL to the prior",
        KL,
        "What a row's code costs: how far its posterior Q(z|x) lies from the prior P(z).",
    ),
    "elbo": (
        "ELBO",
        f"{RECONSTRUCTION} − {KL}",
        "Evidence lower bound: reconstruction less KL. In expectation it never exceeds log P(x).",
    ),
    "iwae": (
        "Importance-weighted bound",
        "<i>L<sub>K</sub></i> = <i>E</i> log <sup>1</sup>⁄<sub><i>K</i></sub> Σ<sub><i>k</i></sub> "
        "<i>P</i>(<i>x</i>, <i>z<sub>k</sub></i>) ⁄ <i>Q</i>(<i>z<sub>k</sub></i>|<i>x</i>)",
        "K codes from Q(z|x), each divided by how much Q favours it: what Q proposes too often counts for less. "
        "Still a lower bound; it rises towards log P(x) as K grows.",
    ),
    "gap": (
        "Variational gap",
        GAP,
        "What the ELBO loses because Q(z|x) is not the true posterior P(z|x). "
        "Found by subtraction, L<sub>K</sub> − ELBO, so the true gap is at least this.",
    ),
    "ais": (
        "Annealed importance sampling",
        "<i>E</i> log <sup>1</sup>⁄<sub><i>C</i></sub> Σ<sub><i>c</i></sub> <i>w<sub>c</sub></i>",
        "C chains walk from Q(z|x) to P(z|x) by small steps, and their weights w gather P(x) on the way. A lower bound "
        "in expectation, as a rule far nearer to log P(x) than weighting alone where Q(z|x) fits badly.",
    ),
    "ais_gain": (
        "What annealing gains",
        "AIS − <i>L<sub>K</sub></i>",
        "How much of log P(x) the importance-weighted bound misses at least, on the same rows. Below 0 only by error "
        "of sampling, or where the chains are too few or too short.",
    ),
    "ais_gap": (
        "Variational gap, by annealing",
        GAP,
        "AIS − ELBO on the same rows: the true gap is at least this in expectation.",
    ),
    "approximation": (
        "Approximation gap",
        f"{PX} − max<sub><i>Q</i></sub> ELBO",
        "What the best Q of its family still loses, row by row: a richer family of Q would mend it, no encoder can.",
    ),
    "amortisation": (
        "Amortisation gap",
        "max<sub><i>Q</i></sub> ELBO − ELBO",
        "What is lost because one encoder serves all rows: Q optimised for each row alone gains this much at least.",
    ),
    "exact": (
        "Evidence, exact",
        "log Σ<sub><i>z</i></sub> <i>P</i>(<i>x</i>|<i>z</i>) <i>P</i>(<i>z</i>)",
        "z has few enough values to sum over all of them: this is log P(x) itself, up to rounding.",
    ),
    "exact_gain": (
        "What L_K misses",
        "exact − <i>L<sub>K</sub></i>",
        "How far the importance-weighted bound lies below log P(x), on the same rows.",
    ),
    "exact_gap": (
        "Variational gap, exact",
        GAP,
        "log P(x) − ELBO on the same rows, where log P(x) is known.",
    ),
    "prior_sampling": (
        "Simple Monte Carlo over the prior",
        "log <sup>1</sup>⁄<sub><i>N</i></sub> Σ<sub><i>n</i></sub> <i>P</i>(<i>x</i>|<i>z<sub>n</sub></i>), "
        "<i>z<sub>n</sub></i> ~ <i>P</i>(<i>z</i>)",
        "The mean over prior draws is unbiased for P(x), but its logarithm is only a lower bound: in high dimension "
        "almost no draw resembles the row, and the number falls far short. This is why the encoder is needed.",
    ),
    "unweighted": (
        "Unweighted mean under Q",
        "log <i>E<sub>Q</sub></i>[<i>P</i>(<i>x</i>|<i>z</i>)]",
        "What one gets by forgetting the weights P(z) ⁄ Q(z|x). It is not log P(x) and it bounds nothing; "
        "shown so that it is not mistaken for either.",
    ),
}
MEASURES = {
    "mass": "Every column is discrete or recorded on a grid, so P(x) is a probability and log P(x) is at most 0.",
    "density": "P(x) is a density in the units of the data: log P(x) may be positive, and shifts if the units change.",
    "mixed": "Some columns or values have probabilities and some densities: log P(x) may be positive, and shifts with "
    "the units.",
}
CHOSEN = {
    "train": "The weights were fitted to these very rows, so the numbers flatter the model.",
    "validation": "These rows chose the weights and when to stop, so the numbers are slightly optimistic.",
}
