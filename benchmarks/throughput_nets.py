"""The networks of `throughput.py`, of torch alone, so that pythae's own environment can import them too."""

from __future__ import annotations

from torch import nn

SIDE, CELLS, HIDDEN, LATENT, MAPS = 28, 784, 512, 32, (32, 64)
NETWORKS = {
    "mlp": f"{CELLS}-{HIDDEN}-({LATENT})-{HIDDEN}-{CELLS}, ReLU",
    "conv": f"3x3 convolutions of stride 2 to {MAPS[0]} maps of 14x14 and {MAPS[1]} of 7x7, one of stride 1, "
    f"a linear layer to ({LATENT}), one back, two transposed 4x4 convolutions, ReLU",
}


def encoder(name: str) -> nn.Sequential:
    """`(batch, 784) -> (batch, 2 * 32)`."""
    if name == "mlp":
        return nn.Sequential(nn.Linear(CELLS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2 * LATENT))
    few, many = MAPS
    return nn.Sequential(
        nn.Unflatten(1, (1, SIDE, SIDE)),
        nn.Conv2d(1, few, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(few, many, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(many, many, 3, 1, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(many * (SIDE // 4) ** 2, 2 * LATENT),
    )


def decoder(name: str) -> nn.Sequential:
    """`(batch, 32) -> (batch, 784)` logits."""
    if name == "mlp":
        return nn.Sequential(nn.Linear(LATENT, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CELLS))
    few, many = MAPS
    return nn.Sequential(
        nn.Linear(LATENT, many * (SIDE // 4) ** 2),
        nn.ReLU(),
        nn.Unflatten(1, (many, SIDE // 4, SIDE // 4)),
        nn.ConvTranspose2d(many, few, 4, 2, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(few, 1, 4, 2, 1),
        nn.Flatten(),
    )
