"""Training throughput of one network: `likely`, a bare torch loop, and pythae 0.1.2, interleaved in one run.

    LIKELY_DATA=... python benchmarks/throughput.py [--networks mlp conv] [--batches 128 512] [--rounds 7] [--threads 2]

LIKELY_DATA names a folder that holds `mnist`. The networks are those of `throughput_nets.py`, with Bernoulli
likelihood; rows are MNIST pixels in [0, 1], binarised at 0.5 once. Every round gives every contestant the same number
of rows, in an order that rotates and with a new optimiser (old Adam moments become subnormal numbers, which are
slow), and measures this machine's rate of float32 matrix products beside them. A turn in which other processes took
more than 5% of the processor is left out and repeated, whatever it showed; what was left out is listed in the
results. What the convolutions of `hierarchy:conv` take alone is measured by `throughput_conv.py`.

likely
    `likely.training.train`: AdamW, clipping, averaged weights; validation of 128 rows at the end of a round.
bare
    The same steps written out here with torch alone.
pythae
    Its own `train_step` with its Adam (no clipping, no averaging), in a virtual environment in `.cache/peers/pythae`.
likely-bf16, bare-bf16
    The first two under autocast to bfloat16, where the processor has it and batches are large.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import likely
from common import PEERS, data, environment, keep
from likely import likelihoods, posteriors, priors
from likely.config import WEIGHT_DECAY, TrainingConfig
from likely.data import ResidentRows
from likely.data.sources.idx import read_folder
from likely.networks.precision import Precision, native_bfloat16
from likely.training import Schedule, train
from throughput_nets import CELLS, LATENT, NETWORKS, decoder, encoder

RATE, CLIP, DECAY = 1e-3, 5.0, 0.999
ROWS, EPOCHS = 20_480, {"mlp": 6, "conv": 1}
"""Rows, and how often a turn goes over them: 3 to 10 seconds."""
TARGETS = {"likely/pythae": 1.3, "likely/bare": 0.95, "likely-bf16/likely": 1.8, "likely-bf16/bare-bf16": 0.95}
WIDE = 512
"""The least batch at which bfloat16 is measured."""
OTHERS = 0.05
LONGEST = 400.0
"""Seconds after which no further round begins."""
HOME = PEERS / "pythae"
INSTALLS = (
    ("torch==2.13.0",),
    ("pythae==0.1.2", "--no-deps"),
    ("numpy", "pydantic", "tqdm", "scipy", "scikit-learn", "imageio", "cloudpickle", "typing_extensions"),
)

Answer = dict[str, float]


class Cast(nn.Module):
    """Levels as float32."""

    def forward(self, values: Tensor) -> Tensor:
        return values.to(torch.float32)


class Flat(nn.Module):
    """A network of rows, for codes `(sample, rows, latent)`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, z: Tensor) -> Tensor:
        made: Tensor = self.network(z.flatten(0, -2))
        return made.unflatten(0, z.shape[:-1])


class Likely:
    """A composed `likely.VAE` and the package's own loop, on uint8 rows."""

    def __init__(self, rows: Tensor, network: str, batch: int, precision: Precision) -> None:
        torch.manual_seed(0)
        parts = priors.StandardNormal(LATENT), likelihoods.Bernoulli((CELLS,)), posteriors.Normal(LATENT)
        self.model = likely.VAE(*parts, nn.Sequential(Cast(), *encoder(network)), Flat(decoder(network)))
        self.rows, self.validation = ResidentRows(rows), ResidentRows(rows[:128])
        self.settings = TrainingConfig(
            batch_size=batch, learning_rate=RATE, clip=CLIP, ema_decay=DECAY, precision=precision
        )

    def __call__(self, epochs: int) -> Answer:
        batch = int(self.settings.batch_size or 0)
        steps = epochs * len(self.rows) // batch
        plan = Schedule(steps, open=True, warmup_steps=0, validate_every=2 * steps)
        started, used = time.perf_counter(), time.process_time()
        outcome = train(self.model, self.rows, self.validation, self.settings, plan)
        seconds = time.perf_counter() - started
        return {
            "steps": outcome.steps,
            "rows": outcome.steps * batch,
            "seconds": seconds,
            "cpu": time.process_time() - used,
            "loss": -outcome.history[-1]["objective"],
        }


class Bare:
    """The same steps with torch alone, on float32 rows."""

    def __init__(self, rows: Tensor, network: str, batch: int, precision: Precision) -> None:
        torch.manual_seed(0)
        self.rows, self.batch, self.halved = rows.to(torch.float32), batch, precision == "bfloat16"
        self.encoder, self.decoder = encoder(network), decoder(network)
        self.weights: list[Tensor] = [*self.encoder.parameters(), *self.decoder.parameters()]
        self.averaged = [weight.detach().clone() for weight in self.weights]

    def loss(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.halved, cache_enabled=False):
            mean, log_std = self.encoder(x).float().chunk(2, -1)
            logits = self.decoder(mean + log_std.exp() * torch.randn_like(mean)).float()
            reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
            kl = (0.5 * ((2 * log_std).exp() + mean.square() - 1) - log_std).sum()
        loss: Tensor = (reconstruction + kl) / len(x)
        return loss

    def __call__(self, epochs: int) -> Answer:
        total, steps = torch.zeros(()), 0
        optimiser = torch.optim.AdamW(self.weights, lr=RATE, weight_decay=WEIGHT_DECAY, fused=True)
        started, used = time.perf_counter(), time.process_time()
        for _ in range(epochs):
            shuffled = torch.randperm(len(self.rows))
            for first in range(0, len(self.rows), self.batch):
                loss = self.loss(self.rows[shuffled[first : first + self.batch]])
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.weights, CLIP, foreach=True)
                optimiser.step()
                with torch.no_grad():
                    torch._foreach_lerp_(self.averaged, self.weights, 1 - DECAY)
                    total += loss.detach()
                steps += 1
        mean_loss = total.item() / steps
        seconds = time.perf_counter() - started
        return {
            "steps": steps,
            "rows": epochs * len(self.rows),
            "seconds": seconds,
            "cpu": time.process_time() - used,
            "loss": mean_loss,
        }


class Pythae:
    """The peer, a process that stays alive."""

    def __init__(self, rows: Tensor, network: str, batch: int) -> None:
        python = environment("pythae", INSTALLS)
        file, self.log = HOME / "rows.npy", HOME / "stderr.log"
        np.save(file, rows.numpy())
        script = Path(__file__).with_name("peer_pythae.py")
        command = [python, script, file, network, batch, torch.get_num_threads(), RATE]
        with self.log.open("w") as errors:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=os.environ | {"PYTHONPATH": str(script.parent)},
            )
        self.about = self.hear()

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"pythae stopped:\n{self.log.read_text()[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __call__(self, epochs: int) -> Answer:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"epochs": epochs}) + "\n")
        self.process.stdin.flush()
        return self.hear()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)


def pixels(path: Path, rows: int, batch: int) -> Tensor:
    """So many of MNIST's training pictures, `(rows, 784)` uint8, 1 where pixel/255 is at least 0.5; whole batches."""
    images = np.asarray(read_folder(path).splits["train"].read(np.arange(rows // batch * batch)).values)
    return torch.from_numpy((images.reshape(len(images), -1) >= 127.5).astype(np.uint8))


def matrix_product(size: int = 2048, seconds: float = 0.5) -> float:
    """Float32 matrix products of this machine now, in GFLOP/s."""
    left, right, out = torch.rand(size, size), torch.rand(size, size), torch.empty(size, size)
    torch.mm(left, right, out=out)
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        torch.mm(left, right, out=out)
        count += 1
    return count * 2 * size**3 / (time.perf_counter() - started) / 1e9


def busy() -> float:
    """Processor seconds that all processes of this machine have used, where Linux tells."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return float("nan")
    user, nice, system, _, _, irq, soft = (int(word) for word in stat.read_text().split()[1:8])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def turn(contestant: Callable[[int], Answer], epochs: int) -> Answer:
    """A contestant's answer, and the share of the processor that others took meanwhile."""
    before, started = busy(), time.perf_counter()
    answer = contestant(epochs)
    whole = (time.perf_counter() - started) * (os.cpu_count() or 1)
    return {**answer, "others": (busy() - before - answer["cpu"]) / whole}


def settle(deadline: float) -> None:
    """Wait until other processes rest."""
    while time.perf_counter() < deadline:
        before, started = busy(), time.perf_counter()
        time.sleep(0.5)
        if not busy() - before > OTHERS * (time.perf_counter() - started) * (os.cpu_count() or 1):
            return


def spread(values: Sequence[float], digits: int) -> dict[str, float]:
    """Median, lowest and highest."""
    return {
        name: round(f(values), digits) for name, f in (("median", statistics.median), ("lowest", min), ("highest", max))
    }


def measure(contestants: dict[str, Callable[[int], Answer]], rounds: int, epochs: int) -> dict[str, Any]:
    """All rounds, and what they come to."""
    names = list(contestants)
    warm = {name: contestant(1)["seconds"] for name, contestant in contestants.items()}
    print(f"warm-up, seconds per epoch: { {name: round(s, 2) for name, s in warm.items()} }", flush=True)
    print(f"{rounds} rounds", flush=True)
    answers: list[dict[str, Answer]] = []
    left_out: list[dict[str, Any]] = []
    products: list[float] = []
    deadline = time.perf_counter() + LONGEST
    while len(answers) < rounds and time.perf_counter() < deadline:
        first = len(answers) % len(names)
        waiting, found = names[first:] + names[:first], dict[str, Answer]()
        settle(deadline)
        product = matrix_product()
        while waiting and time.perf_counter() < deadline:
            settle(deadline)
            answer = turn(contestants[waiting[0]], epochs)
            quiet = not answer["others"] > OTHERS
            said = f"{waiting[0]} {answer['rows'] / answer['seconds']:,.0f} rows/s, others {answer['others']:.1%}"
            print(f"round {len(answers) + 1}: {said}{'' if quiet else ' (left out)'}", flush=True)
            if quiet:
                found[waiting.pop(0)] = answer
            else:
                left_out.append({"contestant": waiting[0], **answer})
        if not waiting:
            answers.append(found)
            products.append(product)
    if len(answers) < rounds:
        print(f"WARNING: only {len(answers)} of {rounds} rounds were quiet within {LONGEST:.0f} seconds", flush=True)
    if not answers:
        sys.exit("other processes disturbed every round; run again when this machine is quiet")
    rates = {name: [a[name]["rows"] / a[name]["seconds"] for a in answers] for name in names}
    pairs = [pair for pair in TARGETS if set(pair.split("/")) <= set(names)]
    ratios = {pair: [a / b for a, b in zip(*(rates[n] for n in pair.split("/")), strict=True)] for pair in pairs}
    return {
        "rounds_wanted": rounds,
        "rounds_counted": len(answers),
        "turns_left_out": left_out,
        "others_highest": round(max(a["others"] for found in answers for a in found.values()), 3),
        "steps_per_round": {name: answers[0][name]["steps"] for name in names},
        "rows_per_second": {name: spread(rates[name], 0) for name in names},
        "ratios": {pair: {**spread(found, 3), "target": TARGETS[pair]} for pair, found in ratios.items()},
        "matrix_product_gflops": spread(products, 1),
        "seconds_per_round": {name: spread([a[name]["seconds"] for a in answers], 2) for name in names},
        "training_loss_last_round": {name: round(answers[-1][name]["loss"], 2) for name in names},
    }


def flops(bare: Bare) -> int:
    """Operations of a row in a training step, as torch counts them."""
    with FlopCounterMode(display=False) as counter:
        bare.loss(bare.rows[: bare.batch]).backward()
    return int(counter.get_total_flops() / bare.batch)


def case(network: str, batch: int, rounds: int) -> dict[str, Any]:
    """All contestants on one network and batch."""
    rows = pixels(data("mnist"), ROWS, batch)
    print(f"{network}, batches of {batch}: {len(rows):,} of MNIST's training pictures, binarised at 0.5", flush=True)
    precisions: dict[str, Precision] = {"": "float32"}
    if native_bfloat16() and batch >= WIDE:
        precisions["-bf16"] = "bfloat16"
    contestants: dict[str, Callable[[int], Answer]] = {}
    for ending, precision in precisions.items():
        contestants[f"likely{ending}"] = Likely(rows, network, batch, precision)
        contestants[f"bare{ending}"] = Bare(rows, network, batch, precision)
    peer = Pythae(rows, network, batch)
    try:
        bare = Bare(rows, network, batch, "float32")
        work, weights = flops(bare), sum(weight.numel() for weight in bare.weights)
        if weights != peer.about["weights"]:
            sys.exit(f"pythae's network has {peer.about['weights']} weights, the others {weights}")
        found = measure({**contestants, "pythae": peer}, rounds, EPOCHS[network])
    finally:
        peer.close()
    for pair, ratio in found["ratios"].items():
        ratio["verdict"] = "met" if ratio["median"] >= ratio["target"] else "missed"
        if found["rounds_counted"] < rounds:
            ratio["verdict"] = "undecided: too few quiet rounds"
        print(f"{pair}: {ratio['median']:.3f} ({ratio['lowest']:.3f} to {ratio['highest']:.3f}): {ratio['verdict']}")
    rate = found["rows_per_second"]["likely"]["median"] * work / 1e9
    return {
        "network": f"{NETWORKS[network]}; Bernoulli",
        "batch": batch,
        "rows": len(rows),
        "weights": weights,
        "peer": peer.about,
        "flops_per_row": work,
        "share_of_matrix_product_rate": round(rate / found["matrix_product_gflops"]["median"], 3),
        **found,
    }


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--batches", nargs="+", type=int, default=[128, 512])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    told = parser.parse_args()
    torch.set_num_threads(told.threads)
    load, started = os.getloadavg()[0], time.perf_counter()
    cases = [case(network, batch, told.rounds) for network in told.networks for batch in told.batches]
    document = {
        "data": "MNIST training pictures, pixel/255 >= 0.5",
        "protocol": "one pass each to warm up, then rounds of equal rows, order rotated, new optimisers; turns in "
        f"which other processes took more than {OTHERS:.0%} of the processor are repeated; ratios are taken within a "
        "round; median, lowest and highest of the rounds; loss is the mean of the last round in nats per row",
        "contestants": {
            "likely": "likely.training.train, uint8 rows, fused AdamW, clip, average, validation of 128 rows a round",
            "bare": "torch loop in this file, float32 rows, fused AdamW, clip, average",
            "pythae": "BaseTrainer.train_step, float32 rows, its default Adam, no clip, no average",
            "-bf16": "under autocast to bfloat16",
        },
        "seconds": round(time.perf_counter() - started, 1),
        "load_before": round(load, 2),
        "cases": cases,
    }
    keep("throughput", document)


if __name__ == "__main__":
    main()
