"""Two versions of `likely` side by side: their sources, copied aside."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Version:
    """Sources of `likely` that lie aside, and what to call them."""

    name: str
    sources: Path


def git(*words: str, at: Path) -> bytes:
    return subprocess.run(["git", "-C", str(at), *words], check=True, stdout=subprocess.PIPE).stdout


def version(told: str, folder: Path) -> Version:
    """The sources of a revision, or of a checkout as it is now, copied into a folder."""
    path = Path(told)
    checkout = path if (path / "src" / "likely").is_dir() else None
    if checkout is not None and git("status", "--porcelain", "--", "src", at=checkout):
        shutil.copytree(checkout / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
        files = sorted(file for file in (folder / "src" / "likely").rglob("*") if file.is_file())
        whole = hashlib.sha256(b"".join(str(file.relative_to(folder)).encode() + file.read_bytes() for file in files))
        return Version(f"{commit('HEAD', checkout)}+{whole.hexdigest()[:7]}", folder / "src")
    named = commit("HEAD" if checkout is not None else told, checkout or ROOT)
    with tarfile.open(fileobj=BytesIO(git("archive", named, "src", at=checkout or ROOT))) as packed:
        packed.extractall(folder, filter="data")
    return Version(named, folder / "src")


def commit(revision: str, at: Path) -> str:
    try:
        return git("rev-parse", "--short=10", "--verify", f"{revision}^{{commit}}", at=at).decode().strip()
    except subprocess.CalledProcessError:
        sys.exit(f"{revision!r} is neither a revision of this repository nor a folder that holds src/likely")
