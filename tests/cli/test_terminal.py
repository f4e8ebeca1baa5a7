"""What moves the cursor is shown escaped; closed streams and absurd numbers get one line at most."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import likely
from likely.cli import main
from quick import quick_reports
from refusals import STEPS, Capture, refused

EVIL = "\x1b[31m\u202ered\x07"
HIDDEN = ("\x1b", "\u202e", "\x07", "\x9b")


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a table whose names, categories and place move the cursor."""
    folder = tmp_path_factory.mktemp("evil")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        EVIL: rng.choice([f"a{EVIL}", "b[bold]", "c"], 60), "n": rng.integers(0, 5, 60), "id\x9b": range(60)
    })  # fmt: skip
    frame.to_csv(folder / "t\x1b[2J.csv", index=False)
    assert main(["fit", str(folder / "t\x1b[2J.csv"), "-o", str(folder / "run\x1b[2J"), *STEPS]) == 0
    return folder


@pytest.mark.parametrize(
    "words", ["inspect DATA", "evaluate RUN --samples 2 --anneal 0", "anomalies RUN DATA --samples 2", "score RUN gone",
              "score RUN DATA --given x=1", "report RUN", "fit DATA -o RUN", "compare RUN RUN --samples 2"]
)  # fmt: skip
def test_nothing_moves_the_cursor(words: str, evil: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    quick_reports(monkeypatch)
    places = {"DATA": str(evil / "t\x1b[2J.csv"), "RUN": str(evil / "run\x1b[2J"), "gone": str(evil / "\x1b[1A")}
    main([places.get(word, word) for word in words.split()])
    out, err = capsys.readouterr()
    assert out or err
    assert not any(mark in out + err for mark in HIDDEN)


def test_what_is_hidden_is_shown(evil: Path, capsys: Capture) -> None:
    main(["inspect", str(evil / "t\x1b[2J.csv")])
    out = capsys.readouterr().out
    assert r"\x1b[31m\u202ered\x07" in out
    assert "b[bold]" in out


def test_tables_on_a_terminal_are_escaped_and_files_are_not(
    evil: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["sample", str(evil / "run\x1b[2J"), "-n", "20"]
    assert main(words) == 0
    assert EVIL in capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert main(words) == 0
    assert not any(mark in capsys.readouterr().out for mark in HIDDEN)


def test_pages_hold_no_control_characters(evil: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick_reports(monkeypatch)
    likely.load(evil / "run\x1b[2J").report(tmp_path / "r.html")
    likely.inspect(evil / "t\x1b[2J.csv")
    main(["inspect", str(evil / "t\x1b[2J.csv"), "-o", str(tmp_path / "i.html")])
    for name in ("r.html", "i.html"):
        page = (tmp_path / name).read_text()
        assert "\\x1b" in page
        assert not any(mark in page for mark in HIDDEN)


HUGE = "1" + "0" * 20
NUMBERS = [
    *(f"sample RUN -n {n}" for n in (HUGE, "-1", "0", "1e9", "999999999", "")),
    *(f"score RUN DATA --samples {n}" for n in (HUGE, "0", "-3", "2.5")),
    *(f"evaluate RUN --samples {n}" for n in (HUGE, "0")),
    f"evaluate RUN --anneal {HUGE}",
    f"impute RUN DATA --draws {HUGE}",
    f"interpolate RUN 0 1 -n {HUGE}",
    f"traverse RUN -n {HUGE}",
    *(f"fit DATA -o OUT --latent {n}" for n in ("100000000000", "0", "-2", "1e5")),
    *(f"fit DATA -o OUT --epochs {n}" for n in ("1e300", HUGE, "0", "-1")),
    *(f"fit DATA -o OUT --minutes {n}" for n in ("1e300", "nan", "inf", "-1", "0")),
    *(f"fit DATA -o OUT --set steps={n}" for n in (HUGE, "1e300", "-5", "Infinity", "NaN")),
    *(f"fit DATA -o OUT --set batch_size={n}" for n in (HUGE, "0", "-5", "1.5")),
    *(f"fit DATA -o OUT --set width={n}" for n in (HUGE, "0")),
    *(f"fit DATA -o OUT --set blocks={n}" for n in (HUGE, "-1")),
    *(f"fit DATA -o OUT --set learning_rate={n}" for n in ("1e300", "NaN", "0", "-1")),
    f"fit DATA -o OUT --members {HUGE}",
    f"fit DATA -o OUT --seed {HUGE}",
    f"fit DATA -o OUT --config {os.devnull}",
    "fit DATA -o OUT --config /dev/zero",
    f"score {'r' * 5000} DATA",
    f"score RUN {'d' * 300}/{'d' * 300}",
    f"fit DATA -o {'o' * 5000}",
]


@pytest.mark.parametrize("words", NUMBERS, ids=lambda words: words[:50])
def test_numbers_and_names_of_absurd_size_get_one_line(
    words: str, stored: Path, tmp_path: Path, capsys: Capture
) -> None:
    places = {"DATA": stored / "t.csv", "RUN": stored / "run", "OUT": tmp_path / "out"}
    told = refused(capsys, *(places.get(word, word) for word in words.split(" ")))
    assert len(told) <= 300 + len("likely: \n")
    assert not list(tmp_path.iterdir())


def shell(command: str, stored: Path) -> subprocess.CompletedProcess[str]:
    script = f"likely() {{ {sys.executable} -c 'import sys; from likely.cli import main; sys.exit(main())' \"$@\"; }}\n"
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail\ncd {stored}\n{script}{command}"], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("likely sample run -n 20000 | head -1", 0),
        ("likely inspect t.csv 2>&1 >/dev/full", 2),
        ("likely sample run -n 5 >&-", 0),
        ("likely nope 2>&-", 2),
        ("likely nope 2>/dev/full", 2),
        ("likely inspect t.csv >&- 2>&- <&-", 0),
    ],
)
def test_closed_and_full_streams_leave_no_traceback(command: str, code: int, stored: Path) -> None:
    done = shell(command, stored)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "Exception" not in done.stdout + done.stderr
    assert done.stderr.count("\n") <= 1


def test_names_that_are_no_text_are_kept(
    stored: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_reports(monkeypatch)
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "t.csv").write_bytes((stored / "t.csv").read_bytes())
    assert main(["fit", str(folder / "t.csv"), "-o", str(folder / "run"), *STEPS]) == 0
    assert main(["evaluate", str(folder / "run"), "--samples", "2", "--anneal", "0"]) == 0
    assert main(["report", str(folder / "run")]) == 0
    assert "our fault" not in capsys.readouterr().err
    assert likely.load(folder / "run").record.data.path == str((folder / "t.csv").resolve())
