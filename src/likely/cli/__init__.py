"""The command line: parse, call, print."""

from __future__ import annotations

import gc
import sys
import warnings
from typing import Any

__all__ = ["main"]

RARELY = (700, 10, 1000)  # of cyclic garbage: what modules hold is never free, and looking takes a tenth of a command


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code is 0 (done), 2 (the user's input), 130 (interrupted) or 1 (our fault).

    A fit that SIGTERM or SIGHUP stops exits with 143 or 129, after a checkpoint.
    """
    words = sys.argv[1:] if arguments is None else arguments
    usual = gc.get_threshold()
    gc.set_threshold(*RARELY)
    try:
        return _run(words)
    finally:
        gc.set_threshold(*usual)


def _run(words: list[str]) -> int:
    from likely.cli.app import app

    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _note
            result = app(words, prog_name="likely", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except KeyboardInterrupt as interrupt:
        print(f"likely: {interrupt or 'interrupted'}", file=sys.stderr)
        return 130
    except SystemExit as stopped:
        if hasattr(stopped, "text"):
            print(f"likely: {stopped.text}", file=sys.stderr)
        raise
    except BrokenPipeError:
        return 0
    except Exception as error:
        if debug and type(error).__name__ not in ("Abort", "Exit"):
            raise
        return _explain(error)


def _note(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    if issubclass(category, UserWarning):
        print(f"note: {message}", file=sys.stderr)


def _explain(error: Exception) -> int:
    from likely.errors import InputError, LikelyError, brief

    text = brief(str(error))
    if isinstance(error, InputError):
        print(f"likely: {text}", file=sys.stderr)
        return 2
    if isinstance(error, LikelyError):
        print(f"likely: {text}", file=sys.stderr)
        return 1
    if hasattr(error, "format_message"):
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message(), file=sys.stderr)
        else:
            print(f"likely: {brief(error.format_message())}", file=sys.stderr)
        return 2
    if type(error).__name__ in ("Abort", "Exit"):
        return getattr(error, "exit_code", 130)
    if isinstance(error, (OSError, MemoryError)):
        print(f"likely: {text or type(error).__name__}", file=sys.stderr)
        return 2
    print(f"likely: {type(error).__name__}: {text} (this is our fault; --debug shows the traceback)", file=sys.stderr)
    return 1
