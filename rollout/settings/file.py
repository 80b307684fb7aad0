"""A file of settings: TOML or YAML (JSON is YAML) in, values and the line of each out.

Called by ``rollout.settings.reading``; it does not know which settings there are.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rollout.errors import ConfigurationError, Problem
from rollout.spec.text import MOST_BYTES, manifests_in

YAML_SUFFIXES = (".yaml", ".yml", ".json")
SUFFIXES = (".toml", *YAML_SUFFIXES)

_WHERE = re.compile(r"(?P<what>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)")
_KEY = re.compile(r"""^\s*(?:\[+\s*)?["']?(?P<name>[A-Za-z0-9_-]+)["']?\s*[=.\]]""")


@dataclass(frozen=True, slots=True)
class Written:
    """What a file says: values by name, and the 1-based line of each name."""

    values: Mapping[str, object]
    lines: Mapping[str, int]


def read_file(path: Path) -> Written:
    """Return what the file says; an empty one says nothing.

    Raises:
        ConfigurationError: it cannot be read, or is not what its suffix says; with the line where it is known.
    """
    source = str(path)
    if path.suffix not in SUFFIXES:
        raise _refused("is of no known kind", source, given=path.suffix or "no suffix", allowed=", ".join(SUFFIXES))
    text = text_of(path)
    return _toml(text, source) if path.suffix == ".toml" else _yaml(text, source)


def text_of(path: Path) -> str:
    """Return what a file of the operator's says; no more than ``MOST_BYTES`` are read.

    Raises:
        ConfigurationError: it cannot be read, is too large, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise _refused(f"cannot be read: {error.strerror or error}", str(path)) from error
    if len(content) > MOST_BYTES:
        raise _refused("is too large", str(path), allowed=f"at most {MOST_BYTES} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _refused("is not text", str(path), line=line, allowed="UTF-8") from error


def _toml(text: str, source: str) -> Written:
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = _WHERE.fullmatch(str(error))
        line = int(match["line"]) if match and match["line"] else text.count("\n") + 1 if match else 0
        what = match["what"] if match else str(error)
        raise _refused(f"is not TOML: {what[:1].lower()}{what[1:]}", source, line=line) from error
    lines: dict[str, int] = {}
    for number, written in enumerate(text.splitlines(), start=1):
        key = _KEY.match(written)
        if key and key["name"] in values:
            lines.setdefault(key["name"], number)
    return Written(values, lines)


def _yaml(text: str, source: str) -> Written:
    documents = manifests_in(text, source=source)
    if not documents:
        return Written({}, {})
    first = documents[0]
    if len(documents) > 1:
        line = documents[1].line
        raise _refused("has more than one document", source, line=line, allowed="one mapping of settings")
    if not isinstance(first.value, Mapping):
        raise _refused("is no mapping", source, line=first.line, allowed="a mapping of settings to values")
    return Written(first.value, first.lines)


def _refused(message: str, source: str, *, line: int = 0, given: str = "", allowed: str = "") -> ConfigurationError:
    return ConfigurationError((Problem("", message, given=given, allowed=allowed, source=source, line=line),))
