"""Tests run in forks of this process, as they are or on a mutant."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType

import coverage
import pytest

from mutants_drawn import Mutant


class Reached:
    """A plugin of pytest: what lines each test reaches, its seconds, and which fail."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self.measured = measured
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[item.nodeid] = time.perf_counter() - started

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self.measured.switch_context(f"{item.nodeid}|shared")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        self.measured.switch_context(item.nodeid)


class Chosen:
    """A plugin of pytest: only these tests, in this order, or all of these files; the first that fails is told."""

    def __init__(self, names: list[str], told: Path) -> None:
        self.order = {name: at for at, name in enumerate(names)}
        self.told = told

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if all("::" in name for name in self.order):
            items[:] = [one for one in items if one.nodeid in self.order]
            items.sort(key=lambda one: self.order[one.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.told.write_text(report.nodeid)


def forked(what: Callable[[], int], seconds: float) -> int:
    """The exit code of a fork, or -1 after so many seconds."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.setsid()
            aloud = os.dup(2)
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), 1)
                os.dup2(nowhere.fileno(), 2)
            code = what()
        except BaseException:
            os.write(aloud, traceback.format_exc().encode())
        finally:
            os._exit(code)
    ended = time.monotonic() + seconds
    while time.monotonic() < ended:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


def tested(words: list[str], *plugins: object) -> int:
    plain = ["-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return int(pytest.main([*plain, *words], plugins=list(plugins)))


def reach(copy: Path, tests: list[str], told: Path) -> int:
    """Run the tests as they are, and keep what each reaches that does not fail."""
    measured = coverage.Coverage(data_file=None, source=[str(copy / "src")], config_file=False)
    plugin = Reached(measured)
    measured.start()
    tested(tests, plugin)
    measured.stop()
    names = [name for name in plugin.seconds if name not in plugin.failed]
    at = {name: index for index, name in enumerate(names)}
    beside: dict[str, list[int]] = {}
    for name in names:
        beside.setdefault(name.split("::")[0], []).append(at[name])
    found: dict[str, dict[int, list[int]]] = {}
    data = measured.get_data()
    for file in data.measured_files():
        lines = found.setdefault(str(Path(file).relative_to(copy)), {})
        for line, contexts in data.contexts_by_lineno(file).items():
            reached: set[int] = set()
            for context in filter(None, contexts):
                name = context.removesuffix("|shared")
                if name in plugin.failed:
                    continue
                reached |= {at[name]} if name == context else set(beside[name.split("::")[0]])
            lines[line] = sorted(reached)
    seconds = [plugin.seconds[name] for name in names]
    told.write_text(json.dumps({"names": names, "seconds": seconds, "lines": found, "failed": plugin.failed}))
    return 0 if names else 1


def replaced(mutant: Mutant, path: Path) -> bool:
    """Whether the functions in memory have the changed code now."""
    top = mutant.function.split(".<locals>")[0]

    def codes(code: CodeType) -> Iterator[CodeType]:
        for one in code.co_consts:
            if isinstance(one, CodeType):
                yield one
                yield from codes(one)

    new = {(one.co_qualname, one.co_firstlineno): one for one in codes(compile(mutant.source, str(path), "exec"))}
    old = [one for one in gc.get_objects() if isinstance(one, FunctionType) and one.__code__.co_filename == str(path)]
    old = [one for one in old if one.__code__.co_qualname == top]
    for one in old:
        one.__code__ = new[top, one.__code__.co_firstlineno]
    return bool(old)


def tried(mutant: Mutant, copy: Path, names: list[str], seconds: float) -> tuple[int, str]:
    """The exit code of a mutant's tests, and which of them failed."""
    path = copy / mutant.file
    before = path.read_text()
    told = copy.parent / "failed"
    told.unlink(missing_ok=True)

    def faulty() -> int:
        if not mutant.called or not replaced(mutant, path):
            for name in [name for name in sys.modules if name.partition(".")[0] == "likely"]:
                del sys.modules[name]
        return tested(["-x", *sorted({name.split("::")[0] for name in names})], Chosen(names, told))

    path.write_text(mutant.source)
    try:
        code = forked(faulty, 30 + 10 * seconds)
    finally:
        path.write_text(before)
    return code, told.read_text() if told.exists() else ""
