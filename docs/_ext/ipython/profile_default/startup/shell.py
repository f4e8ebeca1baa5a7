"""Shell cells of the pages: what a command prints comes as one text, notes and results in their order."""

import os
import subprocess

from IPython.core.magic import register_cell_magic

PLAIN = {name: value for name, value in os.environ.items() if "COLOR" not in name} | {"TERM": "dumb"}


@register_cell_magic
def bash(line: str, cell: str) -> None:
    """Run the cell; it fails where its last command does."""
    words = ["bash", "-c", cell]
    done = subprocess.run(words, check=False, text=True, env=PLAIN, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(done.stdout, end="")
    done.check_returncode()
