"""What every benchmark says of itself: data, machine, versions."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import likely

RESULTS = Path(__file__).parent / "results"
PEERS = Path(__file__).resolve().parents[1] / ".cache" / "peers"


def data(name: str) -> Path:
    """A data set below the folder that LIKELY_DATA names."""
    root = os.environ.get("LIKELY_DATA")
    if not root or not (Path(root) / name).exists():
        sys.exit(f"set LIKELY_DATA to a folder that holds {name}")
    return Path(root) / name


def environment(name: str, installs: Sequence[Sequence[str]]) -> Path:
    """The python of a peer's own virtual environment, made where it is missing by one `pip install` after another."""
    home = PEERS / name
    python, ready = home / "bin" / "python", home / "ready"
    if not ready.exists():
        print(f"making {home}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        for packages in installs:
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", *packages], check=True)
        ready.touch()
    return python


def machine() -> dict[str, Any]:
    """Processor, threads and versions."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    processor = next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.processor())
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "versions": {"likely": likely.__version__, "torch": torch.__version__, "python": platform.python_version()},
    }


def keep(name: str, document: dict[str, Any]) -> None:
    """Print the results and write them under `results/`."""
    document = {**document, "machine": machine()}
    print(json.dumps(document, indent=1))
    store(name, document)


def store(name: str, document: dict[str, Any]) -> None:
    """Write the results under `results/`."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
