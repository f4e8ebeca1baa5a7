"""A run's directory as a set of files that `run.json` holds the checksums of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, final

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from likely.errors import RunError
from likely.files import most_bytes, parsed, read_regular, stands, write
from likely.run.directory import RUN

__all__ = ["FORMAT", "Sealed", "read_added", "write_added"]

FORMAT = 2


@final
class Sealed:
    """The files of a run as the fit wrote them: what is read is what was written, or nothing is read.

    `run.json` holds the number of the format, the run's id, the SHA-256 and the size of each file that the fit wrote,
    and a SHA-256 of itself. What is added later, the report and the baselines, carries its own checksum.

    Attributes
    ----------
    directory
        Where they lie.
    facts
        What `run.json` says beside these.

    """

    def __init__(self, directory: Path, facts: Mapping[str, Any], files: Mapping[str, Mapping[str, Any]]) -> None:
        self.directory, self.facts, self._files = directory, dict(facts), dict(files)

    @classmethod
    def of(cls, directory: Path) -> Sealed:
        """What lies in a directory.

        Raises
        ------
        RunError
            If it is not there, no run, damaged, or of another format.

        """
        if not stands(directory) or not directory.is_dir():
            raise RunError(f"no run directory at {directory}; make one with: likely fit DATA -o {directory}")
        path = directory / RUN
        if not path.exists():
            raise RunError(f"{directory} is not a run directory: it has no {RUN}")
        content = _content(path)
        try:
            facts = parsed(content)
        except ValueError as error:
            raise _damaged(path) from error
        if not isinstance(facts, dict):
            raise _damaged(path)
        _demand_format(directory, facts)
        digest, files = facts.pop("sha256", None), facts.get("files")
        if digest != _digest(facts) or not isinstance(files, dict):
            raise _damaged(path)
        if not all(isinstance(seal, dict) for seal in files.values()):
            raise _damaged(path)
        return cls(directory, {name: value for name, value in facts.items() if name not in ("format", "files")}, files)

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def read(self, name: str) -> bytes:
        """What the fit wrote into a file.

        Raises
        ------
        RunError
            If it is not there, or is not what the fit wrote.

        """
        path, seal = self.directory / name, self._files.get(name)
        if seal is None:
            raise RunError(f"{self.directory} is damaged: its {RUN} knows of no {name}; fit again")
        content = _content(path, seal.get("bytes"))
        if sha256(content).hexdigest() != seal.get("sha256"):
            raise _damaged(path)
        return content

    def demand_whole(self) -> None:
        """Refuse a run of which a file is not what the fit wrote.

        Raises
        ------
        RunError
            If one is not, or is not there.

        """
        for name in self._files:
            self.read(name)

    def write(self, files: Mapping[str, bytes | str], facts: Mapping[str, Any]) -> Sealed:
        """Write files, and then `run.json` with these facts; after a kill in between it has no checksums of them.

        Raises
        ------
        OutputError
            If the disk refuses, or the directory is gone.

        """
        known = {name: seal for name, seal in self._files.items() if name not in files}
        if len(known) < len(self._files):
            self._write_facts(self.facts, known)
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            write(self.directory / name, data)
            known[name] = {"bytes": len(data), "sha256": sha256(data).hexdigest()}
        self._write_facts(facts, known)
        return Sealed(self.directory, facts, known)

    def _write_facts(self, facts: Mapping[str, Any], files: Mapping[str, Any]) -> None:
        made = {"format": FORMAT, **facts, "files": dict(files)}
        write(self.directory / RUN, json.dumps({**made, "sha256": _digest(made)}, indent=1) + "\n")


def write_added(path: Path, tensors: Mapping[str, Tensor], of: str) -> None:
    """Write what was made of a run after its fit, with a checksum, and a word for what it is made of, in it.

    Raises
    ------
    OutputError
        If the disk refuses.

    """
    content = dict(tensors)
    write(path, save_tensors(content, {"of": of, "sha256": sha256(save_tensors(content)).hexdigest()}))


def read_added(path: Path, of: str) -> dict[str, Tensor]:
    """What `write_added` wrote.

    Raises
    ------
    RunError
        If it is damaged, or made of something else.

    """
    content = _content(path)
    try:
        tensors = load_tensors(content)
        facts = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
        if facts["of"] == of and facts["sha256"] == sha256(save_tensors(tensors)).hexdigest():
            return dict(tensors)
    except (SafetensorError, ValueError, KeyError, TypeError):
        pass
    raise RunError(f"{path} is damaged or of another run; remove it, and it will be made again")


def _demand_format(directory: Path, facts: Mapping[str, Any]) -> None:
    number, versions = facts.get("format"), facts.get("versions")
    if number == FORMAT:
        return
    if number is None and isinstance(versions, dict):
        raise RunError(
            f"{directory} was written by likely {versions.get('likely')}, whose runs this version does not read; fit "
            "again, or load it with that version"
        )
    if isinstance(number, int) and number > FORMAT:
        raise RunError(
            f"{directory} was written by a later version of likely (format {number}; this one reads {FORMAT}); "
            "update likely"
        )
    raise RunError(f"{directory} is not a run directory: its {RUN} has no number of a format")


def _content(path: Path, size: object = None) -> bytes:
    """What a file holds, if it is one, and of this size."""
    try:
        if size is not None and path.stat().st_size != size:
            raise _damaged(path)
        return read_regular(path, size if isinstance(size, int) else most_bytes())
    except FileNotFoundError as error:
        raise RunError(f"{path.parent} is damaged: it has no {path.name}; fit again") from error
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror or error})") from error


def _damaged(path: Path) -> RunError:
    return RunError(f"{path} is damaged: it is not what likely wrote; bring it back from a copy, or fit again")


def _digest(facts: Mapping[str, Any]) -> str:
    """Of the content, whatever its layout."""
    return sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
