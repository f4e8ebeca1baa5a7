"""The peer's side of `throughput.py`: pythae's own trainer on the same network, told by standard input what to run.

Runs in pythae's virtual environment, never in ours; started by `throughput.py` as

    .cache/peers/pythae/bin/python benchmarks/peer_pythae.py ROWS.npy NETWORK BATCH THREADS LEARNING_RATE

NETWORK is one of `throughput_nets.py`, which PYTHONPATH makes known. ROWS.npy holds `(rows, 784)` zeros and ones as
uint8. A line `{"epochs": n}` on standard input makes a new optimiser, runs `train_step` n times and answers one line
of JSON. Left out of the time, all in pythae's favour: its set-up, its progress bars and log, and the copy of the
model that its `train` makes after every epoch.
"""

from __future__ import annotations

import json
import platform
import sys
import tempfile
import time
from importlib.metadata import version

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import CallbackHandler, TrainingCallback
from torch import Tensor, nn

from throughput_nets import CELLS, LATENT, decoder, encoder


class Encoder(BaseEncoder):
    """Means and log variances."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.layers = encoder(name)

    def forward(self, x: Tensor) -> ModelOutput:
        mean, log_variance = self.layers(x).chunk(2, -1)
        return ModelOutput(embedding=mean, log_covariance=log_variance)


class Decoder(BaseDecoder):
    """pythae's binary cross-entropy wants probabilities."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.layers = nn.Sequential(*decoder(name), nn.Sigmoid())

    def forward(self, z: Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=self.layers(z))


def trainer(rows: Tensor, name: str, batch: int, rate: float, folder: str) -> BaseTrainer:
    """pythae's trainer as its `prepare_training` makes it, without progress bars and log."""
    told = VAEConfig(input_dim=(CELLS,), latent_dim=LATENT, reconstruction_loss="bce")
    model = VAE(told, Encoder(name), Decoder(name))
    config = BaseTrainerConfig(
        output_dir=folder,
        per_device_train_batch_size=batch,
        learning_rate=rate,
        optimizer_cls="Adam",
        no_cuda=True,
    )
    made = BaseTrainer(model, BaseDataset(rows, torch.zeros(len(rows))), training_config=config)
    made.set_optimizer()
    made.set_scheduler()
    made.callback_handler = CallbackHandler(callbacks=[TrainingCallback()], model=made.model)
    return made


def main() -> None:
    path, name, batch, threads, rate = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    rows = torch.from_numpy(np.load(path)).float()
    with tempfile.TemporaryDirectory() as folder:
        made = trainer(rows, name, batch, rate, folder)
        versions = {name: version(name) for name in ("pythae", "torch", "numpy", "pydantic")}
        hello = {
            "versions": {**versions, "python": platform.python_version()},
            "threads": torch.get_num_threads(),
            "weights": sum(weight.numel() for weight in made.model.parameters()),
            "optimiser": type(made.optimizer).__name__,
            "loader_workers": made.train_loader.num_workers,
        }
        print(json.dumps(hello), flush=True)
        epoch = 0
        for line in sys.stdin:
            epochs = json.loads(line)["epochs"]
            losses = []
            made.set_optimizer()
            started, used = time.perf_counter(), time.process_time()
            for _ in range(epochs):
                epoch += 1
                losses.append(made.train_step(epoch))
            seconds = time.perf_counter() - started
            steps = epochs * len(made.train_loader)
            answer = {
                "steps": steps,
                "rows": epochs * len(rows),
                "seconds": seconds,
                "cpu": time.process_time() - used,
                "loss": sum(losses) / len(losses),
            }
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
