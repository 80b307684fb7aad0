"""The files of a folder: which there are, whether they changed, and what they say. All of it blocks.

Called by ``rollout.manifests.folder`` in a thread. Names that begin with a dot are not looked at:
editors and mounted ConfigMaps keep copies under such names. Folders behind links are not entered.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rollout.errors import ConfigurationError, Problem, Unavailable
from rollout.spec.text import MOST_BYTES

SUFFIXES = (".yaml", ".yml", ".json")
"""Files that are read."""

Signature = tuple[int, int, int]
"""Time of the last change in ns, size in bytes, and inode: a file with the same one has not changed."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What is in a folder: files by their path below it, which folder it is, and what of it could not be listed."""

    files: Mapping[str, Signature]
    identity: tuple[int, int]
    unlisted: tuple[str, ...] = ()


def list_files(folder: Path) -> Listing:
    """Return the manifests of ``folder`` and the folders in it, sorted by path.

    Raises:
        Unavailable: the folder does not exist or cannot be listed.
    """
    unlisted: list[str] = []
    files: dict[str, Signature] = {}
    try:
        about = folder.stat()
        with os.scandir(folder):
            pass  # os.walk would only say that there is nothing
    except OSError as error:
        raise Unavailable(f"{folder}: the folder of manifests cannot be read: {error.strerror}") from error
    for place, folders, names in os.walk(folder, onerror=lambda error: unlisted.append(str(error.filename))):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(place) / name
            if path.suffix in SUFFIXES and not name.startswith("."):
                _note(path, path.relative_to(folder).as_posix(), files, unlisted)
    return Listing(dict(sorted(files.items())), (about.st_dev, about.st_ino), tuple(unlisted))


def _note(path: Path, name: str, files: dict[str, Signature], unlisted: list[str]) -> None:
    try:
        about = path.stat()
    except FileNotFoundError:
        return  # gone since it was listed, or a link to nowhere
    except OSError:
        unlisted.append(str(path))
        return
    files[name] = _signature(about)


def _signature(about: os.stat_result) -> Signature:
    return (about.st_mtime_ns, about.st_size, about.st_ino)


def is_still(path: Path, signature: Signature) -> bool:
    """Return whether the file has not changed since it had ``signature``."""
    try:
        return _signature(path.stat()) == signature
    except OSError:
        return False


def read_text(path: Path) -> str:
    """Return what the file says; at most 1 MiB is read.

    Raises:
        ConfigurationError: it cannot be read, is too large, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise _problem(path, f"cannot be read: {error.strerror}", allowed="a file that can be read") from error
    if len(content) > MOST_BYTES:
        raise _problem(path, "is too large", allowed=f"at most {MOST_BYTES} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        given = f"byte 0x{content[error.start]:02x}"
        raise _problem(path, "is not text", given=given, allowed="UTF-8", line=line) from error


def _problem(path: Path, message: str, *, allowed: str, given: str = "", line: int = 0) -> ConfigurationError:
    return ConfigurationError((Problem("", message, given=given, allowed=allowed, source=str(path), line=line),))
