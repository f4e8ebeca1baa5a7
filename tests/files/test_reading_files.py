from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from likely.files import read_regular


def test_a_regular_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert read_regular(tmp_path / "a", 3) == b"abc"
    with pytest.raises(OSError, match="it has 3 bytes, expected at most 2"):
        read_regular(tmp_path / "a", 2)


def test_nothing_else_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(OSError, match=re.escape(str(path))):
            read_regular(path, 100)
