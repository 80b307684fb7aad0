"""What stands in the columns: documents, statuses and commands as JSON, and the rules about them.

Pure functions, called by ``rollout.sqlite.rows`` and ``rollout.sqlite.store``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from sys import intern
from typing import cast

from rollout.engine.observation import Command
from rollout.errors import PermanentError
from rollout.ports import Key
from rollout.spec.identity import identity_of

Document = Mapping[str, object]


def encoded(value: Document) -> str:
    """Return ``value`` as JSON.

    Raises:
        PermanentError: it is not JSON.
    """
    try:
        return json.dumps(value, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise PermanentError(f"what is to be kept is not JSON: {error}") from error


def decoded(text: str) -> dict[str, object]:
    """Return the JSON object in ``text``; the names of its fields are kept once for all Rollouts."""
    return cast("dict[str, object]", json.loads(text, object_pairs_hook=_with_shared_names))


def _with_shared_names(pairs: list[tuple[str, object]]) -> dict[str, object]:
    return {intern(name): value for name, value in pairs}


def encoded_command(command: Command) -> str:
    """Return ``command`` as JSON."""
    return encoded(asdict(command))


def decoded_command(text: str) -> Command:
    """Return the command in ``text``."""
    return Command(**json.loads(text))


def key_of(document: Document) -> Key:
    """Return who the document is.

    Raises:
        ConfigurationError: it has no usable name or namespace.
    """
    return Key(*identity_of(document))


def wanted(document: Document) -> Document:
    """Return what is wanted in the document: all of it but its status and its other metadata."""
    metadata = document.get("metadata")
    read = metadata if isinstance(metadata, Mapping) else {}
    rest = {name: value for name, value in document.items() if name not in {"metadata", "status"}}
    return rest | {f"metadata.{name}": read.get(name) for name in ("labels", "annotations")}


def handled_ids(status: Document) -> set[object]:
    """Return the ids of the commands that the status says were handled."""
    return {entry.get("id") for entry in _entries(status, "handledCommands")}


def numbered_transitions(status: Document) -> Iterator[tuple[int, Document]]:
    """Yield the transitions in the status with their numbers."""
    for entry in _entries(status, "transitions"):
        number = entry.get("number")
        if isinstance(number, int):
            yield number, entry


def _entries(status: Document, name: str) -> list[Document]:
    found = status.get(name)
    return [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []


def with_judge(status: Document, judge: Document) -> Document:
    """Return the status with the checkpointed judge's state, if that is of the same attempt and went further."""
    recorded = status.get("judge")
    if not isinstance(recorded, Mapping) or recorded.get("beganAt") != judge.get("beganAt"):
        return status
    if _number(judge, "lastTickAt") <= _number(recorded, "lastTickAt"):
        return status
    return {**status, "judge": judge}


def _number(judge: Document, name: str) -> float:
    value = judge.get(name)
    return float(value) if isinstance(value, int | float) else 0.0
