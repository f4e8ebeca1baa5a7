"""The command line: parse, call, print."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import warnings
from typing import Any

from likely.cli.telling import tell

__all__ = ["main"]

RARELY = (10_000, 10, 1000)  # cyclic garbage: what modules hold is never free; looking takes a tenth of a command
# How often a thread of libgomp, which torch has on Linux, looks for work before it sleeps. By its own 300,000 two
# threads beside another busy program take forty times as long as alone; by this five times, and no longer alone.
SPINS = "20000"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code is 0 (done), 2 (the user's input), 130 (interrupted) or 1 (our fault).

    A fit that SIGTERM or SIGHUP stops exits with 143 or 129, after a checkpoint.
    """
    words = sys.argv[1:] if arguments is None else arguments
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # read when torch is imported
    usual = gc.get_threshold()
    gc.set_threshold(*RARELY)
    _open_streams()
    try:
        if "WORLD_SIZE" in os.environ:  # torchrun sets it
            from likely.cli.processes import run_together

            return run_together(words, lambda: _flushed(_run(words)))
        return _flushed(_run(words))
    finally:
        gc.set_threshold(*usual)


def _open_streams() -> None:
    """Standard streams that were closed lead nowhere, and letters that one cannot hold are written as escapes."""
    for name in ("stdin", "stdout", "stderr"):  # in the order of their numbers, which the next opened files have
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: PTH123, SIM115
        elif name != "stdin" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _flushed(code: int) -> int:
    """The exit code, 2 where what was printed cannot be written; nothing is left for the interpreter to try again."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            _lead_nowhere(stream)
            if not isinstance(error, BrokenPipeError):
                tell(f"cannot print ({error.strerror}); -o FILE writes to another place")
                code = code or 2
    return code


def _lead_nowhere(stream: Any) -> None:
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _run(words: list[str]) -> int:
    from likely.cli.app import application

    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _note
            result = application(words)(words, prog_name="likely", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except KeyboardInterrupt as interrupt:
        tell(str(interrupt) or "interrupted")
        return 130
    except SystemExit as stopped:
        if hasattr(stopped, "text"):
            tell(stopped.text)
        if isinstance(stopped.__context__, BrokenPipeError):  # nobody reads on, as behind head
            return 0
        raise
    except Exception as error:
        if debug and type(error).__name__ not in ("Abort", "Exit"):
            raise
        return _explain(error)


def _note(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    if issubclass(category, UserWarning):
        from likely.cli.show import print_notice

        print_notice(f"note: {message}")


def _explain(error: Exception) -> int:
    from likely.errors import InputError, LikelyError, brief

    text = brief(str(error))
    if isinstance(error, LikelyError):
        tell(text)
        return 2 if isinstance(error, InputError) else 1
    if hasattr(error, "format_message"):
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message(), file=sys.stderr)
        else:
            tell(brief(error.format_message()))
        return 2
    if type(error).__name__ in ("Abort", "Exit"):
        return getattr(error, "exit_code", 130)
    if isinstance(error, (OSError, MemoryError)):
        tell(text or type(error).__name__)
        return 2
    tell(f"{type(error).__name__}: {text} (this is our fault; --debug shows the traceback)")
    return 1
