"""What stays in memory of a Rollout or a policy, and how the store's callers see it. Pure; called by ``store``.

Of the metadata stays what is used, of ``managedFields`` only who wrote the annotation that carries a command. Names of
fields are kept once for all objects, since thousands of statuses have the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from sys import intern
from typing import Any

from rollout.engine.dates import unix_seconds
from rollout.engine.observation import Command
from rollout.kube.orders import COMMAND, Writer, command_of
from rollout.kube.resources import ROLLOUTS, Document, Resource, name_of, version_of
from rollout.kube.statuses import without_sequences
from rollout.ports import Key, StoredRollout

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""What kubectl keeps for itself, the whole manifest once more: only that it is there stays in memory."""

_NOT_WRITTEN = frozenset({COMMAND, LAST_APPLIED})

_PLAIN = ("name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp")
_LISTS = ("finalizers", "labels")


def kept_rollout(document: Document, remembered: Callable[[object], object] = lambda told: told) -> Document:
    """Return what stays in memory of a Rollout; ``remembered`` gives those of its transitions that are there already.

    The transitions are without what only the journal reads.
    """
    metadata = {**_kept_metadata(document), "managedFields": list(_writers(document))}
    status = _shared_names({name: part for name, part in _status(document).items() if name != "transitions"})
    transitions = _status(document).get("transitions")
    if transitions is not None:
        status["transitions"] = without_sequences(remembered(transitions))
    return {"metadata": metadata, "spec": _shared_names(document.get("spec") or {}), "status": status}


def _status(document: Document) -> Mapping[str, Any]:
    status = document.get("status")
    return status if isinstance(status, Mapping) else {}


def kept_policy(document: Document) -> Document:
    """Return what stays in memory of a policy."""
    return {"metadata": _kept_metadata(document), "spec": _shared_names(document.get("spec") or {})}


def key_of(kept: Document) -> Key:
    """Return whose object it is."""
    return Key(*name_of(kept))


def stored(kept: Document) -> StoredRollout:
    """Return what stays of a Rollout as the ports have it; a command whose id the status names does not wait."""
    metadata, status = kept["metadata"], kept["status"]
    command = _command(kept)
    return StoredRollout(
        key=key_of(kept),
        document=manifest(kept, ROLLOUTS),
        status=status,
        version=version_of(kept),
        generation=int(metadata.get("generation") or 0),
        command=None if command is None or command.id in handled_ids(status) else command,
        deleting=is_deleting(kept),
        created_at=_seconds(metadata.get("creationTimestamp")),
        uid=str(metadata.get("uid") or ""),
    )


def manifest(kept: Document, resource: Resource) -> Document:
    """Return the object as somebody would write it: without what only the API server or the controller gives."""
    metadata = kept["metadata"]
    written = {name: metadata[name] for name in ("name", "namespace", "labels") if metadata.get(name)}
    annotations = {name: text for name, text in (metadata.get("annotations") or {}).items() if name not in _NOT_WRITTEN}
    if annotations:
        written["annotations"] = annotations
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": written, "spec": kept["spec"]}


def is_deleting(kept: Document) -> bool:
    """Return whether the deletion of the object was asked for."""
    return bool(kept["metadata"].get("deletionTimestamp"))


def handled_ids(status: Mapping[str, Any]) -> set[object]:
    """Return the ids of the commands that the status says were handled."""
    handled = status.get("handledCommands")
    entries = handled if isinstance(handled, list) else []
    return {entry.get("id") for entry in entries if isinstance(entry, Mapping) and isinstance(entry.get("id"), str)}


def _kept_metadata(document: Document) -> dict[str, Any]:
    metadata = document.get("metadata") or {}
    kept = {name: metadata[name] for name in (*_PLAIN, *_LISTS) if metadata.get(name) is not None}
    given = metadata.get("annotations") or {}
    annotations = {name: "" if name == LAST_APPLIED else text for name, text in given.items()}
    return {**kept, "annotations": annotations} if annotations else kept


def _command(kept: Document) -> Command | None:
    text = (kept["metadata"].get("annotations") or {}).get(COMMAND)
    if not isinstance(text, str):
        return None
    writers = [
        Writer(entry["manager"], _seconds(entry["time"]), entry["operation"] == "Apply")
        for entry in kept["metadata"]["managedFields"]
    ]
    return command_of(text, writers)


def _writers(document: Document) -> Iterator[dict[str, Any]]:
    """Yield who wrote the annotation that carries a command, and when."""
    for entry in (document.get("metadata") or {}).get("managedFields") or ():
        written: Any = entry.get("fieldsV1")
        for field in ("f:metadata", "f:annotations", f"f:{COMMAND}"):
            written = written.get(field) if isinstance(written, Mapping) else None
        if written is not None:
            told = {"time": entry.get("time"), "operation": entry.get("operation")}
            yield {"manager": str(entry.get("manager") or ""), **told}


def _seconds(text: object) -> float:
    """Return a time of the API server as Unix seconds, 0 when there is none."""
    try:
        return unix_seconds(text) if isinstance(text, str) else 0.0
    except ValueError:
        return 0.0


def _shared_names(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, Mapping):
        return {intern(str(name)): _shared_names(inner) for name, inner in value.items()}
    return [_shared_names(inner) for inner in value] if isinstance(value, list) else value
