"""The peer's side of `race.py`: pythae's default network and trainer on static MNIST, and L_500 of test pictures.

Runs in pythae's virtual environment, never in ours; started by `race.py` as

    .cache/peers/pythae/bin/python benchmarks/peer_pythae_race.py TRAIN.npy TEST.npy EPOCHS THREADS

Both files hold pictures `(rows, 28, 28)` of zeros and ones. Left out of the time, in pythae's favour: its set-up, its
progress bars and log, and the copy of the model that its `train` makes after every epoch. Answers one line of JSON.
"""

from __future__ import annotations

import json
import math
import platform
import sys
import tempfile
import time
from importlib.metadata import version

import numpy as np
import torch
import torch.nn.functional as F
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import CallbackHandler, TrainingCallback
from torch import Tensor

SAMPLES, PART = 500, 50


@torch.no_grad()
def bound(model: VAE, rows: Tensor) -> Tensor:
    """L_500 of each row, in nats: log (1/K) Σ P(x|z_k) P(z_k)/Q(z_k|x)."""
    found = []
    for part in rows.split(PART):
        given = model.encoder(part)
        mean, deviation = given.embedding, (0.5 * given.log_covariance).exp()
        noise = torch.randn(SAMPLES, *mean.shape, generator=torch.Generator().manual_seed(0))
        z = mean + deviation * noise
        p = model.decoder(z.flatten(0, 1)).reconstruction.view(SAMPLES, len(part), -1)
        x = part.flatten(1).expand_as(p)
        log_px_z = -F.binary_cross_entropy(p, x, reduction="none").double().sum(-1)
        log_pz, log_qz = -0.5 * z.square().sum(-1), -0.5 * noise.square().sum(-1) - deviation.log().sum(-1)
        found.append(torch.logsumexp(log_px_z + log_pz - log_qz, 0) - math.log(SAMPLES))
    return torch.cat(found)


def main() -> None:
    train, test = (torch.from_numpy(np.load(path)).float().unsqueeze(1) for path in sys.argv[1:3])
    epochs, threads = int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = VAE(VAEConfig(input_dim=(1, 28, 28), reconstruction_loss="bce"))
    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder,
            per_device_train_batch_size=128,
            learning_rate=1e-3,
            optimizer_cls="Adam",
            no_cuda=True,
        )
        made = BaseTrainer(model, BaseDataset(train, torch.zeros(len(train))), training_config=config)
        made.set_optimizer()
        made.set_scheduler()
        made.callback_handler = CallbackHandler(callbacks=[TrainingCallback()], model=made.model)
        started = time.perf_counter()
        for epoch in range(1, epochs + 1):
            made.train_step(epoch)
        seconds = time.perf_counter() - started
    model.eval()
    found = bound(model, test)
    answer = {
        "versions": {
            **{name: version(name) for name in ("pythae", "torch", "numpy")},
            "python": platform.python_version(),
        },
        "threads": torch.get_num_threads(),
        "weights": sum(weight.numel() for weight in model.parameters()),
        "latent": model.latent_dim,
        "epochs": epochs,
        "seconds": seconds,
        "L_500": float(found.mean()),
        "se": float(found.std() / math.sqrt(len(found))),
    }
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
