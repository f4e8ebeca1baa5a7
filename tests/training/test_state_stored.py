"""A state that was stored after any step and loaded by a new process ends as training that never stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import golden_fits
import stored_shapes
from stored_shapes import SHAPES, kept


def test_every_shape_goes_on_from_every_step_in_a_new_process_to_the_same_bits(tmp_path: Path) -> None:
    whole = kept(tmp_path)
    words = [sys.executable, stored_shapes.__file__, str(tmp_path)]
    path = os.pathsep.join([str(Path(golden_fits.__file__).parent), os.environ.get("PYTHONPATH", "")])
    ran = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path})
    found = json.loads(ran.stdout)
    assert len(whole) == len(SHAPES) + 1  # the second member
    assert found.keys() == whole.keys()
    for place, ends in found.items():
        assert len(ends) >= 4, place
        assert not [step for step, end in ends.items() if end != whole[place]], place
