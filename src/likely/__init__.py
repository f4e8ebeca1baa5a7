"""`likely` learns the distribution P(X) of a data set with a variational autoencoder, and lets you use it.

>>> import likely
>>> likely.__version__.count(".")
2
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likely.hooks import set_report_writer

__version__ = "0.2.0"

_WHERE = {
    "Batch": "likely.data",
    "Config": "likely.config",
    "ConfigError": "likely.errors",
    "DataError": "likely.errors",
    "HierarchicalVAE": "likely.models",
    "InputError": "likely.errors",
    "Integrated": "likely.models",
    "Ledger": "likely.evaluation",
    "LikelyError": "likely.errors",
    "OutputError": "likely.errors",
    "Run": "likely.run.run",
    "RunError": "likely.errors",
    "Schema": "likely.data",
    "VAE": "likely.models",
    "compare": "likely.run.compare",
    "fit": "likely.run.fit",
    "inspect": "likely.run.inspect",
    "load": "likely.run.store",
    "train": "likely.run.train",
}
_ROOMS = (
    "config",
    "data",
    "distributions",
    "estimators",
    "evaluation",
    "likelihoods",
    "models",
    "networks",
    "objectives",
    "posteriors",
    "priors",
    "training",
)

__all__ = ["__version__", *sorted(_WHERE), *_ROOMS]  # noqa: PLE0604

if TYPE_CHECKING:
    from likely.config import Config as Config
    from likely.data import Batch as Batch
    from likely.data import Schema as Schema
    from likely.errors import ConfigError as ConfigError
    from likely.errors import DataError as DataError
    from likely.errors import InputError as InputError
    from likely.errors import LikelyError as LikelyError
    from likely.errors import OutputError as OutputError
    from likely.errors import RunError as RunError
    from likely.evaluation import Ledger as Ledger
    from likely.models import VAE as VAE
    from likely.models import HierarchicalVAE as HierarchicalVAE
    from likely.models import Integrated as Integrated
    from likely.run.compare import compare as compare
    from likely.run.fit import fit as fit
    from likely.run.inspect import inspect as inspect
    from likely.run.run import Run as Run
    from likely.run.store import load as load
    from likely.run.train import train as train


def _write_report(run: Run, path: str | Path | None = None, *, overwrite: bool = False) -> Path:
    from likely.report import write_report

    return write_report(run, path, overwrite=overwrite)


set_report_writer(_write_report)


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"likely.{name}")
    raise AttributeError(f"module 'likely' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
