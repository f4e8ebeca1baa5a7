"""A headless Chromium, spoken to over a pipe in its own protocol (Chrome DevTools), to see pages as they are drawn."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

__all__ = ["PROGRAM", "Browser"]

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
OPTIONS = "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --remote-debugging-pipe"


class Browser:
    """A page of a browser that is started with it and ended with it.

    Parameters
    ----------
    folder
        For the browser's own files.
    """

    def __init__(self, folder: Path) -> None:
        commands, self._out = os.pipe()
        self._in, answers = os.pipe()
        shell = f'exec "$0" {OPTIONS} --user-data-dir="$1" about:blank 3<&{commands} 4>&{answers}'
        silent: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started = ["bash", "-c", shell, str(PROGRAM), str(folder)]
        self._process = subprocess.Popen(started, pass_fds=(commands, answers), **silent)
        os.close(commands)
        os.close(answers)
        self._numbers, self._read, self._session = itertools.count(1), b"", ""
        pages = self._call("Target.getTargets")["targetInfos"]
        page = next(target for target in pages if target["type"] == "page")
        attached = self._call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._out)
        self._process.wait(20)
        os.close(self._in)

    def open(self, page: Path, width: int, *, dark: bool = False) -> None:
        """Open a file as wide as a window or a telephone, in light or dark colours."""
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._call("Page.navigate", url=page.absolute().as_uri())
        while not self.run("document.readyState == 'complete' && location.protocol == 'file:'"):
            pass

    def run(self, script: str) -> Any:
        """What a script gives on the page."""
        found = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._read:
                part = os.read(self._in, 2**20)
                assert part, "the browser ended"
                self._read += part
            text, self._read = self._read.split(b"\0", 1)
            answer = json.loads(text)
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]  # type: ignore[no-any-return]
