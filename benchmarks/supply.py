"""What a user installs: built from this checkout, installed into an empty environment, run without the source tree.

    python benchmarks/supply.py [--write-licences]

Builds the source distribution and, from that, the wheel; makes a virtual environment outside the checkout, installs
the wheel with the versions of `constraints.txt`, and runs `likely demo`, `sample` and `score` there in an empty folder,
with every way to a network cut: `sitecustomize` lets no socket be opened. Prints what was built, what ran, its seconds,
and the licence that each installed package states; `--write-licences` writes these to `docs/licences.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from common import keep

ROOT = Path(__file__).resolve().parents[1]
OFFLINE = """
import socket

def closed(*_, **__):
    raise OSError("a socket was opened: nothing may reach a network")

socket.socket.__init__ = closed
"""
LICENCES = """
import json
from importlib.metadata import distributions
rows = {}
for one in distributions():
    said = one.metadata
    classes = [name.split(" :: ")[-1] for name in said.get_all("Classifier") or [] if name.startswith("License ::")]
    named = (said.get("License") or "").strip().split("\\n")[0][:60]
    text = said.get("License-Expression") or ", ".join(classes) or named
    rows[said["Name"]] = (one.version, text or "not stated")
print(json.dumps(rows))
"""


def ran(words: list[str], folder: Path) -> tuple[float, str]:
    """Seconds and output of a command that must succeed, without what this shell adds to Python's path."""
    started, clean = time.perf_counter(), {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(words, cwd=folder, check=False, capture_output=True, text=True, env=clean)
    if done.returncode:
        sys.exit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return round(time.perf_counter() - started, 1), done.stdout


def main() -> None:
    """Build, install, run, list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write-licences", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as aside:
        place = Path(aside)
        tools, home = place / "tools", place / "home"
        ran([sys.executable, "-m", "venv", str(tools)], place)
        ran([str(tools / "bin" / "pip"), "install", "--quiet", "build"], place)
        built, _ = ran(
            [str(tools / "bin" / "python"), "-m", "build", "--outdir", str(place / "dist"), str(ROOT)], place
        )
        wheel = next((place / "dist").glob("*.whl"))
        inside = zipfile.ZipFile(wheel).namelist()
        ran([sys.executable, "-m", "venv", str(home)], place)
        pip = [str(home / "bin" / "pip"), "install", "--quiet", "--constraint", str(ROOT / "constraints.txt")]
        ran([*pip, "torch"], place)
        installed, _ = ran([*pip, str(wheel)], place)
        _, licences = ran([str(home / "bin" / "python"), "-c", LICENCES], place)
        site = next((home / "lib").glob("python*")) / "site-packages"
        (site / "sitecustomize.py").write_text(OFFLINE)
        work = place / "work"
        work.mkdir()
        likely = str(home / "bin" / "likely")
        demo, _ = ran([likely, "demo", "-o", "demo"], work)
        ran([likely, "sample", "demo", "-n", "20", "-o", "drawn.npy"], work)
        score, document = ran([likely, "score", "demo", "drawn.npy", "--json"], work)
        rows = json.loads(licences)
        needed = {name: facts for name, facts in sorted(rows.items(), key=lambda row: row[0].lower()) if name != "pip"}
        if asked.write_licences:
            write(needed)
        keep(
            "supply",
            {
                "sdist": next((place / "dist").glob("*.tar.gz")).name,
                "wheel": wheel.name,
                "wheel_bytes": wheel.stat().st_size,
                "files": len(inside),
                "seconds": {"build": built, "install": installed, "demo": demo, "score of 20 rows": score},
                "rows_scored": len(json.loads(document)["rows"]),
                "network": "no socket could be opened in any command after the installation",
                "licences": {name: text for name, (_, text) in needed.items()},
            },
        )


def write(rows: dict[str, list[str]]) -> None:
    """The list as a page."""
    lines = [
        "# Licences of what is installed with likely",
        "",
        "As each package states it, in an environment that holds `likely` (Apache-2.0) and what it needs; made by",
        "`python benchmarks/supply.py --write-licences`.",
        "",
        "| package | version | licence |",
        "|---|---|---|",
        *(f"| {name} | {version} | {text} |" for name, (version, text) in rows.items()),
    ]
    (ROOT / "docs" / "licences.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
