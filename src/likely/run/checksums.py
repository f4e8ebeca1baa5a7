"""The files of a run's directory, with their checksums in `run.json`: a file that has changed is not read."""

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
from likely.files import most_bytes, parsed, read_regular, seen_to_exist, write
from likely.run.directory import RUN

__all__ = ["FORMAT", "ChecksummedFiles", "read_with_checksum", "write_with_checksum"]

FORMAT = 2


@final
class ChecksummedFiles:
    """The files that a fit wrote into its run's directory; reading one that has changed since is an error.

    `run.json` holds the number of the format, the run's id, the SHA-256 and the size of each file that the fit wrote,
    and a SHA-256 of itself. What is written after the fit, the report and the baselines, carries its own checksum.

    Attributes
    ----------
    directory
        The run's directory.
    facts
        The entries of `run.json` but for the format, the files and its own checksum.

    """

    def __init__(self, directory: Path, facts: Mapping[str, Any], files: Mapping[str, Mapping[str, Any]]) -> None:
        self.directory, self.facts, self._files = directory, dict(facts), dict(files)

    @classmethod
    def of(cls, directory: Path) -> ChecksummedFiles:
        """The files of the run in a directory.

        Raises
        ------
        RunError
            If the directory does not exist, holds no run, is damaged, or is of another format.

        """
        if not seen_to_exist(directory) or not directory.is_dir():
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
        if not all(isinstance(entry, dict) for entry in files.values()):
            raise _damaged(path)
        return cls(directory, {name: value for name, value in facts.items() if name not in ("format", "files")}, files)

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises
        ------
        RunError
            If the file does not exist, or is not what the fit wrote.

        """
        path, entry = self.directory / name, self._files.get(name)
        if entry is None:
            raise RunError(f"{self.directory} is damaged: its {RUN} knows of no {name}; fit again")
        content = _content(path, entry.get("bytes"))
        if sha256(content).hexdigest() != entry.get("sha256"):
            raise _damaged(path)
        return content

    def demand_undamaged(self) -> None:
        """Check that every file is what the fit wrote.

        Raises
        ------
        RunError
            If a file has changed or does not exist.

        """
        for name in self._files:
            self.read(name)

    def write(self, files: Mapping[str, bytes | str], facts: Mapping[str, Any]) -> ChecksummedFiles:
        """The files after these are written, `run.json` with these facts last; a kill in between leaves no checksums.

        Raises
        ------
        OutputError
            If the disk refuses, or the directory does not exist any more.

        """
        known = {name: entry for name, entry in self._files.items() if name not in files}
        if len(known) < len(self._files):
            self._write_facts(self.facts, known)
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            write(self.directory / name, data, last=False)
            known[name] = {"bytes": len(data), "sha256": sha256(data).hexdigest()}
        self._write_facts(facts, known)
        return ChecksummedFiles(self.directory, facts, known)

    def _write_facts(self, facts: Mapping[str, Any], files: Mapping[str, Any]) -> None:
        entries = {"format": FORMAT, **facts, "files": dict(files)}
        write(self.directory / RUN, json.dumps({**entries, "sha256": _digest(entries)}, indent=1) + "\n")


def write_with_checksum(path: Path, tensors: Mapping[str, Tensor], source: str) -> None:
    """Write tensors that are not in `run.json`, into a file with its own checksum that names what they are made from.

    Raises
    ------
    OutputError
        If the disk refuses.

    """
    content = dict(tensors)
    write(path, save_tensors(content, {"of": source, "sha256": sha256(save_tensors(content)).hexdigest()}))


def read_with_checksum(path: Path, source: str) -> dict[str, Tensor]:
    """The tensors that `write_with_checksum` wrote.

    Raises
    ------
    RunError
        If the file is damaged, or its tensors are computed from something else than `source`.

    """
    content = _content(path)
    try:
        tensors = load_tensors(content)
        facts = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
        if facts["of"] == source and facts["sha256"] == sha256(save_tensors(tensors)).hexdigest():
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
    """The content of a file; one of another size than `size` is damaged."""
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
    """SHA-256 of the facts, whatever the layout of their JSON."""
    return sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
