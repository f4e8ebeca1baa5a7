"""Runs that somebody changed, with checksums made to fit again."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

__all__ = ["signed"]


def signed(folder: Path) -> None:
    """Give a run checksums that fit its files as they are."""
    facts = json.loads((folder / "run.json").read_text())
    for name in facts["files"]:
        content = (folder / name).read_bytes()
        facts["files"][name] = {"bytes": len(content), "sha256": sha256(content).hexdigest()}
    facts.pop("sha256", None)
    digest = sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    (folder / "run.json").write_text(json.dumps({**facts, "sha256": digest}))
